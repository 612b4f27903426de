"use strict";

// The page itself: menu, dropping, pasting, leaving.

const KEEP = 60_000;   // milliseconds between signs of life for results that are kept

const jobIds = () => [page.running?.id, ...page.photos.map(({ result }) => result?.id)].filter(Boolean);

function listenToFiles() {
  find("file").addEventListener("change", (event) => {
    addFiles(event.target.files);
    // so that the same file can be chosen again
    event.target.value = "";
  });
  const over = (is) => document.body.classList.toggle("over", is);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    addFiles(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => addFiles(event.clipboardData.files));
}

function listen() {
  listenToFiles();
  listenToStage();
  find("task").addEventListener("change", () => {
    find("strength").value = "";
    describeTask();
  });
  find("strength").addEventListener("input", describeTask);
  find("form").addEventListener("submit", start);
  find("cancel").addEventListener("click", cancel);
  find("try").addEventListener("click", tryAll);
  find("download").addEventListener("click", () => download("one"));
  find("all").addEventListener("click", () => download("all"));
  setInterval(() => { for (const id of jobIds()) fetch(`api/jobs/${id}`).catch(() => {}); }, KEEP);
  window.addEventListener("pagehide", () => {
    for (const id of jobIds()) navigator.sendBeacon(`api/jobs/${id}/forget`);
  });
}

async function prepare() {
  page.options = await ask("api/options");
  const { tasks, maxBytes, maxPixels, local, chooses } = page.options;
  const auto = chooses ? [new Option("Automatic: what each photo needs", "auto")] : [];
  find("task").replaceChildren(...auto, ...tasks.map(({ name, title }) => new Option(title, name)));
  find("try").hidden = !chooses;
  find("limits").textContent = `PNG, JPEG, TIFF, WebP, BMP; up to ${maxBytes / 2 ** 20} MiB and ${maxPixels / 1e6} megapixels`;
  if (local) find("place").textContent = "Photos stay on this computer; the network runs here.";
  describeTask();
  listen();
  document.body.dataset.ready = "yes";
}

prepare().catch((error) => complain(sentence(error.message)));
