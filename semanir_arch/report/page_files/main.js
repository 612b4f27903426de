"use strict";

function drawRamp() {
  const ramp = find("ramp");
  for (let x = 0; x < ramp.width; x += 1) {
    context(ramp).fillStyle = `rgb(${rampColor(x / (ramp.width - 1)).join(" ")})`;
    context(ramp).fillRect(x, 0, 1, 1);
  }
}

function start() {
  drawRamp();
  listenToList();
  listenToStage();
  find("views").addEventListener("change", (event) => {
    viewer.view = event.target.value;
    showView();
  });
  find("scale").addEventListener("change", showView);
  find("crop-size").addEventListener("change", () => movePlace(viewer.place.x, viewer.place.y));
  find("viewer").hidden = false;
  choose(allRows()[0]);
}

if (find("list")) start();
