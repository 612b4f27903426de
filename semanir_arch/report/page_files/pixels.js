"use strict";

// Pixels of the embedded images: decoding, and maps of the error.

const PARTS = ["before", "after", "target"];
const SCALES = [4, 8, 16, 32, 64, 128, 255];

// From black over purple and orange to pale yellow: brighter in every step, also for those who
// do not see red or green.
const RAMP = [[0, 0, 8], [60, 10, 110], [160, 40, 110], [235, 95, 50], [253, 180, 40], [252, 255, 200]];

/** Decode the images of a picture of the list, each onto a canvas of its own size. */
async function decode(row) {
  const parts = PARTS.filter((part) => part in row.dataset);
  const canvases = await Promise.all(parts.map((part) => decodeImage(row.dataset[part])));
  return Object.fromEntries(parts.map((part, i) => [part, canvases[i]]));
}

async function decodeImage(number) {
  const image = new Image();
  const text = document.getElementById(`image-${number}`).textContent;
  image.src = `data:image/webp;base64,${text}`;
  await image.decode();
  const canvas = makeCanvas(image.naturalWidth, image.naturalHeight);
  context(canvas).drawImage(image, 0, 0);
  return canvas;
}

function makeCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function context(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true });
}

function sameSize(one, other) {
  return Boolean(one && other) && one.width === other.width && one.height === other.height;
}

/** Mean absolute difference over the colors of each pixel, in levels from 0 to 255. */
function difference(one, other) {
  const { width, height } = one;
  const a = context(one).getImageData(0, 0, width, height).data;
  const b = context(other).getImageData(0, 0, width, height).data;
  const levels = new Float32Array(width * height);
  for (let i = 0, j = 0; i < levels.length; i += 1, j += 4) {
    levels[i] = (Math.abs(a[j] - b[j]) + Math.abs(a[j + 1] - b[j + 1]) + Math.abs(a[j + 2] - b[j + 2])) / 3;
  }
  return { width, height, levels };
}

/** The smallest scale that shows all but the largest hundredth of the differences. */
function fittingScale(maps) {
  const counts = new Uint32Array(256);
  let total = 0;
  for (const { levels } of maps) {
    for (const level of levels) counts[Math.ceil(level)] += 1;
    total += levels.length;
  }
  let level = 255;
  for (let above = counts[255]; level > 0 && above <= total / 100; above += counts[level]) level -= 1;
  return SCALES.find((scale) => scale >= level);
}

/** Draw differences in colors, from 0 to `scale` levels. */
function colorize({ width, height, levels }, scale) {
  const canvas = makeCanvas(width, height);
  const picture = context(canvas).createImageData(width, height);
  const colors = Array.from({ length: 256 }, (_, i) => rampColor(i / 255));
  for (let i = 0; i < levels.length; i += 1) {
    const color = colors[Math.min(255, Math.round((255 * levels[i]) / scale))];
    for (let c = 0; c < 3; c += 1) picture.data[4 * i + c] = color[c];
    picture.data[4 * i + 3] = 255;
  }
  context(canvas).putImageData(picture, 0, 0);
  return canvas;
}

/** Color of a fraction of the scale. */
function rampColor(fraction) {
  const place = fraction * (RAMP.length - 1);
  const step = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[step].map((from, c) => Math.round(from + (place - step) * (RAMP[step + 1][c] - from)));
}
