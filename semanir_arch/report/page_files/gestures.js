"use strict";

// Pointer and keyboard on the stage. A drag moves the cut; a click chooses the place of the crops.

const DRAG = 4;   // pixels that a pointer moves before a click becomes a drag

function listenToStage() {
  const stage = find("stage");
  let pressed = null;

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pressed = { x: event.clientX, drags: event.target === find("cut") };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    if (!pressed) {
      if (find("follow").checked) movePlace(place.x, place.y);
      return;
    }
    pressed.drags ||= Math.abs(event.clientX - pressed.x) > DRAG;
    if (pressed.drags) moveCut(100 * place.x);
  });
  stage.addEventListener("pointerup", (event) => {
    if (pressed && !pressed.drags) {
      const place = placeOf(event);
      find("follow").checked = false;
      movePlace(place.x, place.y);
    }
    pressed = null;
  });
  stage.addEventListener("pointercancel", () => { pressed = null; });

  find("cut").addEventListener("keydown", onCutKey);
  stage.addEventListener("keydown", onStageKey);
}

function placeOf(event) {
  const box = find("stage").getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
}

function onCutKey(event) {
  const step = event.shiftKey ? 10 : 1;
  const targets = {
    ArrowLeft: viewer.cut - step,
    ArrowDown: viewer.cut - step,
    ArrowRight: viewer.cut + step,
    ArrowUp: viewer.cut + step,
    PageDown: viewer.cut - 10,
    PageUp: viewer.cut + 10,
    Home: 0,
    End: 100,
  };
  // the picture below has its own use for the arrow keys
  event.stopPropagation();
  if (!(event.key in targets)) return;
  event.preventDefault();
  moveCut(targets[event.key]);
}

function onStageKey(event) {
  const step = event.shiftKey ? 10 : 1;
  const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const [dx, dy] = steps[event.key];
  find("follow").checked = false;
  movePlace(viewer.place.x + dx / viewer.size.width, viewer.place.y + dy / viewer.size.height);
}
