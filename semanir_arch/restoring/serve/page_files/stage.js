"use strict";

// The two pictures: the cut between them, the strength, and a zoom that they share.

const MOST_ZOOM = 32;
const NEAR = 24;   // pixels from the cut within which it is taken hold of

const stage = { cut: 50, zoom: 1, x: 0, y: 0, pointers: new Map(), moves: "" };

/** Show a photo, alone or with its result; the zoom is kept from a photo to its result. */
async function showPictures(before, after, size) {
  const keeps = find("before").getAttribute("src") && stage.name === size.name;
  stage.name = size.name;
  find("view").hidden = false;
  const sources = { under: before, after: after ?? before, before };
  for (const [id, source] of Object.entries(sources)) {
    if (find(id).getAttribute("src") !== source) find(id).src = source;
  }
  await Promise.all(Object.keys(sources).map((id) => find(id).decode().catch(() => {})));
  const compare = find("compare");
  compare.classList.toggle("single", !after);
  compare.style.setProperty("--width", size.width);
  compare.style.setProperty("--height", size.height);
  stage.width = size.width;
  if (keeps) moveTo(stage.zoom, stage.x, stage.y);
  else moveTo(1, 0, 0);
  moveCut(after && !keeps ? 50 : stage.cut);
  showShare();
}

function moveCut(percent) {
  stage.cut = Math.min(100, Math.max(0, percent));
  find("cut").value = stage.cut;
  find("compare").style.setProperty("--cut", `${stage.cut}%`);
}

/** The blend of before and after: one computation serves every strength. */
function showShare() {
  const share = Number(find("share").value);
  find("after").style.opacity = share / 100;
  find("share-value").textContent = `${share} %`;
}

/** Zoom, and where the picture's corner lies, in fractions of the stage; no edge leaves it. */
function moveTo(zoom, x, y) {
  stage.zoom = Math.min(MOST_ZOOM, Math.max(1, zoom));
  const least = 1 - stage.zoom;
  [stage.x, stage.y] = [x, y].map((place) => Math.min(0, Math.max(least, place)));
  const style = find("compare").style;
  style.setProperty("--zoom", stage.zoom);
  style.setProperty("--x", `${100 * stage.x}%`);
  style.setProperty("--y", `${100 * stage.y}%`);
  const pixel = (stage.zoom * find("compare").clientWidth) / stage.width;
  // pixels of a small picture are meant to be seen
  find("compare").classList.toggle("large-pixels", pixel > 2);
  find("compare").classList.toggle("zoomed", stage.zoom > 1);
  find("zoom").textContent = `${Math.round(100 * pixel)} %`;
}

/** Zoom by a factor around a place, a fraction of the stage, which stays where it is. */
function zoomAt(factor, at = { x: 0.5, y: 0.5 }) {
  const zoom = Math.min(MOST_ZOOM, Math.max(1, stage.zoom * factor));
  const part = zoom / stage.zoom;
  moveTo(zoom, at.x - part * (at.x - stage.x), at.y - part * (at.y - stage.y));
}

/** A pixel of the picture per pixel of the screen. */
function showActualSize() {
  const zoom = stage.width / find("compare").clientWidth;
  zoomAt(zoom / stage.zoom);
}

function placeOf(event) {
  const box = find("compare").getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
}

/** The middle of the fingers, and how far they are apart. */
function grip() {
  const [one, two] = [...stage.pointers.values()];
  const last = two ?? one;
  const box = find("compare");
  const apart = Math.hypot((one.x - last.x) * box.clientWidth, (one.y - last.y) * box.clientHeight);
  return { x: (one.x + last.x) / 2, y: (one.y + last.y) / 2, apart };
}

function onPointerMove(event) {
  if (!stage.pointers.has(event.pointerId)) return;
  const was = grip();
  stage.pointers.set(event.pointerId, placeOf(event));
  const now = grip();
  if (stage.pointers.size === 1 && stage.moves === "cut") return moveCut(100 * now.x);
  if (was.apart && now.apart) zoomAt(now.apart / was.apart, was);
  moveTo(stage.zoom, stage.x + now.x - was.x, stage.y + now.y - was.y);
}

function onPointerDown(event) {
  if (event.button !== 0) return;
  const place = placeOf(event);
  stage.pointers.set(event.pointerId, place);
  find("compare").setPointerCapture(event.pointerId);
  const near = Math.abs(place.x - stage.cut / 100) * find("compare").clientWidth < NEAR;
  const cuts = !find("compare").classList.contains("single") && (near || stage.zoom === 1);
  stage.moves = cuts && stage.pointers.size === 1 ? "cut" : "picture";
  if (stage.moves === "cut") moveCut(100 * place.x);
  find("cut").focus({ preventScroll: true });
  event.preventDefault();
}

function onStageKey(event) {
  const steps = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.shiftKey && event.key in steps) moveTo(stage.zoom, stage.x + steps[event.key][0], stage.y + steps[event.key][1]);
  else if (event.key === "+" || event.key === "=") zoomAt(1.5);
  else if (event.key === "-") zoomAt(1 / 1.5);
  else if (event.key === "0") moveTo(1, 0, 0);
  else if (event.key === "1") showActualSize();
  else return;
  event.preventDefault();
}

function listenToStage() {
  const compare = find("compare");
  compare.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) / 300), placeOf(event));
  }, { passive: false });
  compare.addEventListener("pointerdown", onPointerDown);
  compare.addEventListener("pointermove", onPointerMove);
  for (const kind of ["pointerup", "pointercancel"]) {
    compare.addEventListener(kind, (event) => stage.pointers.delete(event.pointerId));
  }
  compare.addEventListener("dblclick", (event) => (stage.zoom > 1 ? moveTo(1, 0, 0) : zoomAt(4, placeOf(event))));
  find("cut").addEventListener("input", (event) => moveCut(Number(event.target.value)));
  find("cut").addEventListener("keydown", onStageKey);
  find("zoom-in").addEventListener("click", () => zoomAt(1.5));
  find("zoom-out").addEventListener("click", () => zoomAt(1 / 1.5));
  find("fit").addEventListener("click", () => moveTo(1, 0, 0));
  find("actual").addEventListener("click", showActualSize);
  find("share").addEventListener("input", showShare);
  window.addEventListener("resize", () => { if (stage.width) moveTo(stage.zoom, stage.x, stage.y); });
}
