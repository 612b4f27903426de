"use strict";

// The viewer: two images under a cut that moves, and enlarged crops around one place.

const find = (id) => document.getElementById(id);

const viewer = {
  images: {},   // canvases of the shown picture, by part
  size: null,   // the canvas whose pixels are the places
  view: "",     // name of the chosen view, kept from picture to picture
  cut: 50,      // percent of the width
  place: { x: 0.5, y: 0.5 },   // fractions, kept from picture to picture
  request: 0,
};

/** Show a picture of the list. */
async function showPicture(row) {
  const request = (viewer.request += 1);
  const images = await decode(row);
  // another one was chosen while this one was decoded
  if (request !== viewer.request) return;
  viewer.images = images;
  viewer.size = images.after || images.target || images.before || null;
  describe(row);
  for (const id of ["views", "stage", "crops", "controls", "help"]) find(id).hidden = !viewer.size;
  find("legend").hidden = true;
  find("missing").hidden = Boolean(viewer.size);
  if (!viewer.size) return;
  offerViews();
  offerCrops();
  showView();
  movePlace(viewer.place.x, viewer.place.y);
}

const FIDELITY = {
  exact: "Pixels are exact.",
  compressed: "Compressed for this page: crops and error map are approximate.",
  reduced: "Reduced in size and compressed for this page: crops and error map are approximate.",
  "left out": "This picture exceeds the space that the page has for pictures.",
  none: "No picture of this image was kept.",
};

function describe(row) {
  find("picture-name").textContent = row.querySelector(".name").textContent;
  find("picture-set").textContent = row.querySelector(".set")?.textContent ?? "";
  find("picture-scores").textContent = row.dataset.scores;
  const fidelity = FIDELITY[row.dataset.fidelity];
  find("missing").textContent = fidelity;
  find("fidelity-of-picture").textContent = fidelity;
}

/** The comparisons that the images of this picture allow: name, left and right layer. */
function possibleViews() {
  const { before, after, target } = viewer.images;
  const views = [];
  for (const [left, right] of [["before", "after"], ["before", "target"], ["after", "target"]]) {
    if (viewer.images[left] && viewer.images[right]) views.push({ name: `${left} | ${right}`, left, right });
  }
  if (!views.length) {
    const only = PARTS.find((part) => viewer.images[part]);
    views.push({ name: only, left: only, right: only });
  }
  if (sameSize(after, target)) {
    const left = sameSize(before, target) ? "error before" : "after";
    views.push({ name: "error map", left, right: "error after", against: target });
  } else if (!target && sameSize(before, after)) {
    views.push({ name: "change", left: "after", right: "change", against: before });
  }
  return views;
}

function offerViews() {
  const views = possibleViews();
  viewer.views = views;
  if (!views.some(({ name }) => name === viewer.view)) viewer.view = views[0].name;
  const choices = views.map(({ name }) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "view", value: name, checked: name === viewer.view, className: "unseen" });
    label.append(input, name);
    return label;
  });
  find("views").replaceChildren(find("views").firstElementChild, ...choices);
  find("views").hidden = views.length === 1;
}

/** Draw the chosen view. */
function showView() {
  const view = viewer.views.find(({ name }) => name === viewer.view);
  const { left, right, against } = view;
  const maps = {};
  for (const layer of against ? [left, right] : []) {
    const part = layer === "change" ? "after" : layer.replace("error ", "");
    if (layer !== part) maps[layer] = difference(viewer.images[part], against);
  }
  const scale = Number(find("scale").value) || (against && fittingScale(Object.values(maps)));
  for (const [id, layer] of [["left", left], ["right", right]]) {
    const source = maps[layer] ? colorize(maps[layer], scale) : viewer.images[layer];
    const canvas = find(id);
    canvas.width = source.width;
    canvas.height = source.height;
    context(canvas).drawImage(source, 0, 0);
    find(`${id}-label`).textContent = layer;
  }
  const single = left === right;
  for (const id of ["cut", "left-label"]) find(id).hidden = single;
  find("legend").hidden = !against;
  find("ramp-end").textContent = `${scale} of 255 levels`;
  const { width, height } = viewer.size;
  const stage = find("stage");
  stage.style.setProperty("--width", width);
  stage.style.setProperty("--height", height);
  // pixels of a small picture are meant to be seen
  stage.classList.toggle("large-pixels", stage.clientWidth > 2 * width);
  moveCut(viewer.cut);
}

function moveCut(percent) {
  viewer.cut = Math.min(100, Math.max(0, percent));
  find("stage").style.setProperty("--cut", `${viewer.cut}%`);
  find("cut").setAttribute("aria-valuenow", Math.round(viewer.cut));
}

/** A canvas per image; each of its pixels is one of the image's. */
function offerCrops() {
  const crops = PARTS.filter((part) => viewer.images[part]).map((part) => {
    const figure = document.createElement("figure");
    const frame = document.createElement("div");
    const pixel = document.createElement("div");
    const caption = document.createElement("figcaption");
    frame.className = "crop";
    pixel.className = "pixel";
    figure.dataset.part = part;
    frame.append(document.createElement("canvas"), pixel);
    figure.append(frame, caption);
    return figure;
  });
  find("crops").replaceChildren(...crops);
}

/** Move the crops to a place, given as fractions of width and height. */
function movePlace(x, y) {
  const { width, height } = viewer.size;
  const pixel = { x: pixelAt(x, width), y: pixelAt(y, height) };
  viewer.place = { x: (pixel.x + 0.5) / width, y: (pixel.y + 0.5) / height };
  const side = Number(find("crop-size").value);
  const start = {
    x: Math.min(Math.max(pixel.x - side / 2, 0), Math.max(0, width - side)),
    y: Math.min(Math.max(pixel.y - side / 2, 0), Math.max(0, height - side)),
  };
  for (const figure of find("crops").children) drawCrop(figure, pixel, start, side);
  const box = find("box").style;
  box.left = `${(100 * start.x) / width}%`;
  box.top = `${(100 * start.y) / height}%`;
  box.width = `${(100 * Math.min(side, width)) / width}%`;
  box.height = `${(100 * Math.min(side, height)) / height}%`;
  find("position").textContent = `column ${pixel.x}, row ${pixel.y}`;
}

function pixelAt(fraction, length) {
  return Math.min(length - 1, Math.max(0, Math.floor(fraction * length)));
}

function drawCrop(figure, pixel, start, side) {
  const image = viewer.images[figure.dataset.part];
  const canvas = figure.querySelector("canvas");
  canvas.width = canvas.height = side;
  // a degraded image may be smaller: its pixels appear as large as they are
  const [sx, sy] = [image.width / viewer.size.width, image.height / viewer.size.height];
  const drawing = context(canvas);
  drawing.imageSmoothingEnabled = false;
  drawing.drawImage(image, start.x * sx, start.y * sy, side * sx, side * sy, 0, 0, side, side);
  const mark = figure.querySelector(".pixel").style;
  mark.left = `${(100 * (pixel.x - start.x)) / side}%`;
  mark.top = `${(100 * (pixel.y - start.y)) / side}%`;
  mark.width = mark.height = `${100 / side}%`;
  const at = [Math.floor((pixel.x + 0.5) * sx), Math.floor((pixel.y + 0.5) * sy)];
  const color = context(image).getImageData(...at, 1, 1).data;
  figure.querySelector("figcaption").textContent = `${figure.dataset.part}\n${color.slice(0, 3).join(", ")}`;
}
