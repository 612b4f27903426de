"use strict";

// Where a pixel looks. The numbers are packed as semanir_arch/restoring/explain/packed_keys.py says.

const find = (id) => document.getElementById(id);
const facts = JSON.parse(find("facts").textContent);
const palette = bytesOf(facts.palette);

const MARGIN = 0.25;    // of a window, shown around it
const DIMMED = 0.5;     // darkness over what is not a key
const OPACITY = 0.7;    // of the colors over the photo
const KEPT = 128;       // bit of a kept key

const state = { photo: null, stages: [], column: 0, row: 0, stage: 0 };

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

async function readNumbers() {
  const packed = new Blob([bytesOf(find("numbers").textContent)]).stream();
  const stream = packed.pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function readStages(buffer) {
  const pixels = facts.columns.length * facts.rows.length;
  let offset = 0;
  const take = (Type, count) => {
    const end = offset + count * Type.BYTES_PER_ELEMENT;
    const part = new Type(buffer.slice(offset, end));
    offset = end;
    return part;
  };
  return facts.stages.map((stage) => {
    const count = stage.window ** 2;
    return {
      ...stage,
      count,
      rows: take(Uint32Array, pixels),
      origins: take(Uint16Array, 2 * stage.tokens),
      ranges: take(Float32Array, 2 * stage.tokens),
      peaks: take(Float32Array, stage.tokens),
      similarity: take(Uint8Array, stage.tokens * count),
      attention: take(Uint8Array, stage.tokens * count),
    };
  });
}

/** The tokens that may be keys of the chosen pixel: position, levels 0..255, whether kept. */
function lookUp(stage) {
  const row = stage.rows[state.row * facts.columns.length + state.column];
  const [height, width] = stage.size;
  const keys = [];
  for (let place = 0; place < stage.count; place += 1) {
    const packed = stage.similarity[row * stage.count + place];
    if (packed === 0) continue;
    keys.push({
      y: (stage.origins[2 * row] + Math.floor(place / stage.window)) % height,
      x: (stage.origins[2 * row + 1] + (place % stage.window)) % width,
      kept: packed >= KEPT,
      similarity: 2 * (packed % KEPT),
      attention: stage.attention[row * stage.count + place],
    });
  }
  const [low, high] = stage.ranges.subarray(2 * row, 2 * row + 2);
  return { keys, low, high, peak: stage.peaks[row] };
}

/** The rectangle of tokens in pixels of the area, cut where the photo ends. */
function boxOf(keys, scale) {
  const side = (name, limit) => {
    const places = keys.map((key) => key[name]);
    return [Math.min(...places) * scale, Math.min((Math.max(...places) + 1) * scale, limit)];
  };
  const [top, bottom] = side("y", facts.height);
  const [left, right] = side("x", facts.width);
  return { left, top, right, bottom };
}

/** Dim a box of the photo and paint the keys; `drawing` is in pixels of the area. */
function paint(drawing, keys, box, scale, everything) {
  drawing.fillStyle = `rgba(0, 0, 0, ${DIMMED})`;
  drawing.fillRect(everything.left, everything.top, everything.right - everything.left, everything.bottom - everything.top);
  const view = find("view").value;
  const dropped = find("dropped").checked;
  for (const key of keys) {
    if (!key.kept && !dropped) continue;
    const [x, y] = [key.x * scale, key.y * scale];
    const [width, height] = [Math.min(scale, box.right - x), Math.min(scale, box.bottom - y)];
    if (width <= 0 || height <= 0) continue;
    drawing.drawImage(state.photo, x, y, width, height, x, y, width, height);
    const level = 3 * key[view];
    drawing.fillStyle = `rgba(${palette.subarray(level, level + 3).join()}, ${key.kept ? OPACITY : OPACITY / 2})`;
    drawing.fillRect(x, y, width, height);
  }
}

function frame(drawing, box, color, zoom) {
  for (const [style, width] of [["black", 3], [color, 1.2]]) {
    drawing.strokeStyle = style;
    drawing.lineWidth = width / zoom;
    drawing.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  }
}

function tokenBox(stage) {
  const [y, x] = [facts.rows[state.row], facts.columns[state.column]];
  const [top, left] = [y, x].map((place) => Math.floor(place / stage.scale) * stage.scale);
  return {
    left,
    top,
    right: Math.min(left + stage.scale, facts.width),
    bottom: Math.min(top + stage.scale, facts.height),
  };
}

function drawPanel(canvas, stage, found, box) {
  const margin = MARGIN * stage.window * stage.scale;
  const seen = {
    left: Math.max(0, box.left - margin),
    top: Math.max(0, box.top - margin),
    right: Math.min(facts.width, box.right + margin),
    bottom: Math.min(facts.height, box.bottom + margin),
  };
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = canvas.height = Math.round(canvas.clientWidth * ratio);
  const zoom = canvas.width / Math.max(seen.right - seen.left, seen.bottom - seen.top);
  const drawing = canvas.getContext("2d");
  drawing.imageSmoothingEnabled = false;
  drawing.beginPath();
  drawing.rect(0, 0, (seen.right - seen.left) * zoom, (seen.bottom - seen.top) * zoom);
  drawing.clip();
  drawing.setTransform(zoom, 0, 0, zoom, -seen.left * zoom, -seen.top * zoom);
  drawing.drawImage(state.photo, 0, 0);
  paint(drawing, found.keys, box, stage.scale, seen);
  frame(drawing, box, "white", zoom / ratio);
  frame(drawing, tokenBox(stage), "#00e5ff", zoom / ratio);
}

function drawPhoto(all) {
  const canvas = find("photo");
  // thin lines need more pixels than a small photo has
  const zoom = Math.max(1, Math.min(3, Math.floor(1600 / Math.max(facts.width, facts.height))));
  canvas.width = facts.width * zoom;
  canvas.height = facts.height * zoom;
  const drawing = canvas.getContext("2d");
  drawing.setTransform(zoom, 0, 0, zoom, 0, 0);
  drawing.drawImage(state.photo, 0, 0);
  const chosen = all[state.stage];
  paint(drawing, chosen.found.keys, chosen.box, chosen.stage.scale, chosen.box);
  const shown = canvas.width / (canvas.clientWidth || canvas.width);
  for (const { box } of all) frame(drawing, box, "white", zoom / shown);
  frame(drawing, chosen.box, "#ffd54a", zoom / shown / 1.5);
  const [x, y] = [facts.columns[state.column] + 0.5, facts.rows[state.row] + 0.5];
  for (const [style, width] of [["black", 4], ["#00e5ff", 2]]) {
    drawing.strokeStyle = style;
    drawing.lineWidth = (width * shown) / zoom;
    drawing.beginPath();
    drawing.arc(x, y, (6 * shown) / zoom, 0, 2 * Math.PI);
    drawing.stroke();
  }
}

function describe({ stage, found }) {
  const kept = found.keys.filter((key) => key.kept);
  const hidden = kept.filter((key) => key.x * stage.scale >= facts.width || key.y * stage.scale >= facts.height);
  const padding = hidden.length ? `; ${hidden.length} of them lie in the padding beyond the border` : "";
  const share = kept.length < found.keys.length ? "" : ", all there are";
  return `Window of ${stage.window} \u00d7 ${stage.window} tokens, each ${stage.scale} \u00d7 ${stage.scale} pixels. ${kept.length} of ${found.keys.length} kept (k ${stage.k}${share})${padding}.`;
}

function show() {
  const all = state.stages.map((stage) => {
    const found = lookUp(stage);
    return { stage, found, box: boxOf(found.keys, stage.scale) };
  });
  drawPhoto(all);
  all.forEach((one, number) => {
    const figure = find("stages").children[number];
    drawPanel(figure.querySelector("canvas"), one.stage, one.found, one.box);
    figure.querySelector("p").textContent = describe(one);
    figure.classList.toggle("chosen", number === state.stage);
  });
  const { found, stage } = all[state.stage];
  const similarity = find("view").value === "similarity";
  find("low").textContent = similarity ? number(found.low) : "0";
  find("high").textContent = `${number(similarity ? found.high : found.peak)} (${stage.name})`;
  const [x, y] = [facts.columns[state.column] + facts.left, facts.rows[state.row] + facts.top];
  find("x").value = x;
  find("y").value = y;
  const kept = found.keys.filter((key) => key.kept).length;
  find("status").textContent = `Pixel ${x}, ${y} keeps ${kept} of ${found.keys.length} tokens in ${stage.name}.`;
}

function number(value) {
  const size = Math.abs(value);
  // features of some networks are huge; fifteen digits say less than three and an exponent
  return size >= 1e6 || (size > 0 && size < 1e-4) ? value.toExponential(2) : Number(value.toPrecision(3)).toString();
}

/** Choose the pixel with data that is nearest to a place of the area. */
function choose(x, y) {
  const nearest = (places, place) =>
    places.reduce((best, one, index) => (Math.abs(one - place) < Math.abs(places[best] - place) ? index : best), 0);
  state.column = nearest(facts.columns, x);
  state.row = nearest(facts.rows, y);
  show();
}

function listen() {
  const photo = find("photo");
  photo.addEventListener("click", (event) => {
    const box = photo.getBoundingClientRect();
    choose(
      ((event.clientX - box.left) / box.width) * facts.width - 0.5,
      ((event.clientY - box.top) / box.height) * facts.height - 0.5,
    );
  });
  photo.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 1;
    const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [dx, dy] = steps[event.key];
    const within = (place, length) => Math.min(length - 1, Math.max(0, place));
    state.column = within(state.column + dx, facts.columns.length);
    state.row = within(state.row + dy, facts.rows.length);
    show();
  });
  for (const id of ["x", "y"]) {
    find(id).addEventListener("change", () => choose(find("x").value - facts.left, find("y").value - facts.top));
  }
  for (const id of ["view", "dropped"]) find(id).addEventListener("change", show);
  window.addEventListener("resize", show);
}

function offerStages() {
  const figures = state.stages.map((stage, index) => {
    const figure = document.createElement("div");
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "stage", checked: index === state.stage });
    input.addEventListener("change", () => { state.stage = index; show(); });
    label.append(input, ` ${stage.name}`);
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Keys of the chosen pixel in ${stage.name}`);
    figure.className = "stage card";
    figure.append(label, canvas, document.createElement("p"));
    return figure;
  });
  find("stages").replaceChildren(...figures);
}

function drawRamp() {
  const drawing = find("ramp").getContext("2d");
  const line = drawing.createImageData(256, 1);
  for (let level = 0; level < 256; level += 1) {
    line.data.set([...palette.subarray(3 * level, 3 * level + 3), 255], 4 * level);
  }
  drawing.putImageData(line, 0, 0);
}

async function start() {
  const photo = new Image();
  photo.src = `data:image/webp;base64,${find("image").textContent}`;
  await photo.decode();
  state.photo = photo;
  state.stages = readStages(await readNumbers());
  [state.row, state.column] = facts.chosen;
  drawRamp();
  offerStages();
  listen();
  show();
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  find("failure").hidden = false;
  find("failure").textContent = `This browser cannot show the numbers of this page (${error.message}). Use a browser of 2023 or later.`;
});
