"use strict";

// One photo at a time: sent, waited for, shown. The addresses are described in app.py.

const find = (id) => document.getElementById(id);
const POLL = 300;   // milliseconds between questions about a job

const KEEP = 60_000;   // milliseconds between signs of life for a result that is shown

const page = { options: null, file: null, job: null, shown: null };

async function ask(address, request = {}) {
  let response;
  try {
    response = await fetch(address, request);
  } catch {
    throw new Error("The server does not answer; was semanir-restore --serve ended?");
  }
  if (response.status === 204) return {};
  if ((response.headers.get("content-type") ?? "").startsWith("application/json")) {
    const answer = await response.json();
    if (response.ok) return answer;
    throw new Error(sentence(answer.error));
  }
  throw new Error(`The server refused: ${await response.text()}`);
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function complain(message) {
  find("error").textContent = message;
  find("error").hidden = !message;
}

function chooseFile(file) {
  if (!file) return;
  complain("");
  page.file = file;
  find("chosen").textContent = file.name;
  if (file.size > page.options.maxBytes) {
    page.file = null;
    complain(`${file.name} is too large: this page takes files up to ${page.options.maxBytes / 2 ** 20} MiB.`);
  }
  find("start").disabled = !page.file;
}

async function start(event) {
  event.preventDefault();
  if (!page.file || page.job) return;
  complain("");
  find("result").hidden = true;
  if (page.shown) drop(page.shown);
  page.shown = null;
  const own = { id: null };
  page.job = own;
  show({ state: "sending" });
  try {
    await send(own, page.file);
  } catch (error) {
    if (page.job === own) complain(error.message);
  }
  // unless it was cancelled, and perhaps another one started
  if (page.job === own) rest();
}

/** Send a file, ask about it until it is finished, and show the result. */
async function send(own, file) {
  const strength = find("strength-field").hidden ? "" : find("strength").value;
  const query = new URLSearchParams({ task: find("task").value, name: file.name, strength });
  let job = await ask(`api/jobs?${query}`, { method: "POST", body: file });
  own.id = job.id;
  if (page.job !== own) drop(job.id);
  while (page.job === own && ["waiting", "working"].includes(job.state)) {
    show(job);
    await new Promise((done) => { setTimeout(done, POLL); });
    if (page.job === own) job = await ask(`api/jobs/${job.id}`);
  }
  if (page.job !== own) return;
  if (job.state === "failed") throw new Error(sentence(job.error));
  if (job.state === "done") await present(job);
}

function show(job) {
  find("work").hidden = false;
  find("start").disabled = true;
  const bar = find("progress");
  if (job.state === "working") {
    bar.value = job.progress;
    find("state").textContent = `Working: ${Math.floor(100 * job.progress)} %${remaining(job)}`;
    return;
  }
  bar.removeAttribute("value");
  const waiting = job.ahead === 1 ? "one photo is before yours" : `${job.ahead} photos are before yours`;
  find("state").textContent = job.state === "waiting" && job.ahead ? `Waiting: ${waiting}` : "Sending";
}

function remaining({ progress, seconds }) {
  if (progress < 0.05 || seconds < 1) return "";
  const left = Math.round((seconds * (1 - progress)) / progress);
  return left < 90 ? `, about ${left} s left` : `, about ${Math.round(left / 60)} min left`;
}

function rest() {
  page.job = null;
  find("work").hidden = true;
  find("start").disabled = !page.file;
}

function cancel() {
  const id = page.job?.id;
  rest();
  if (id) drop(id);
}

/** The server need not keep a job any longer. */
function drop(id) {
  fetch(`api/jobs/${id}`, { method: "DELETE" }).catch(() => {});
}

async function present(job) {
  page.shown = job.id;
  for (const part of ["before", "after"]) find(part).src = `api/jobs/${job.id}/${part}`;
  await Promise.all(["before", "after"].map((part) => find(part).decode()));
  find("result").hidden = false;
  moveCut(50);
  const link = find("download");
  link.href = `api/jobs/${job.id}/result`;
  link.download = job.name;
  const size = job.bytes < 1e6 ? `${Math.ceil(job.bytes / 1e3)} kB` : `${(job.bytes / 1e6).toFixed(1)} MB`;
  const reduced = job.reduced ? "; reduced for the screen, not in the file" : "";
  find("facts").textContent = `${job.name}: ${job.width} \u00d7 ${job.height} pixels, ${size}, ${job.seconds} s${reduced}`
    + (job.notes ? `; ${job.notes}` : "");
  const compare = find("compare");
  compare.style.setProperty("--width", find("after").naturalWidth);
  compare.style.setProperty("--height", find("after").naturalHeight);
  // pixels of a small picture are meant to be seen
  compare.classList.toggle("large-pixels", compare.clientWidth > 2 * job.width);
  find("result").scrollIntoView({ block: "nearest" });
}

function moveCut(percent) {
  find("cut").value = percent;
  find("compare").style.setProperty("--cut", `${percent}%`);
}

// arguments of Restorer.restore
const STRENGTHS = { sigma: "Noise at most (0\u2013255)", quality: "JPEG quality at least (1\u2013100)" };

function describeTask() {
  const task = page.options.tasks.find(({ name }) => name === find("task").value);
  find("strength-field").hidden = !task.strength;
  find("strength-name").textContent = STRENGTHS[task.strength] ?? "";
  find("strength").value = "";
  const parts = [task.input && `Made for ${task.input}.`];
  if (task.scale > 1) {
    const limit = page.options.maxPixels / task.scale ** 2 / 1e6;
    parts.push(`The result is ${task.scale} times larger in width and height; up to ${limit} megapixels.`);
  }
  if (task.demonstration) parts.push("A demonstration: trained on synthetic damage only.");
  find("about").textContent = parts.filter(Boolean).join(" ");
}

function listen() {
  const area = find("drop");
  find("file").addEventListener("change", (event) => {
    chooseFile(event.target.files[0]);
    // so that the same file can be chosen again
    event.target.value = "";
  });
  for (const kind of ["dragover", "drop"]) {
    // a photo that misses the field must not replace the page
    document.addEventListener(kind, (event) => event.preventDefault());
  }
  area.addEventListener("dragover", () => area.classList.add("over"));
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    area.classList.remove("over");
    chooseFile(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => chooseFile(event.clipboardData.files[0]));
  find("task").addEventListener("change", describeTask);
  find("form").addEventListener("submit", start);
  find("cancel").addEventListener("click", cancel);
  find("cut").addEventListener("input", (event) => moveCut(event.target.value));
  find("exact").addEventListener("change", (event) => find("frame").classList.toggle("exact", event.target.checked));
  setInterval(() => { if (page.shown) fetch(`api/jobs/${page.shown}`).catch(() => {}); }, KEEP);
  window.addEventListener("pagehide", () => {
    for (const id of [page.job?.id, page.shown]) {
      if (id) navigator.sendBeacon(`api/jobs/${id}/forget`);
    }
  });
}

async function prepare() {
  page.options = await ask("api/options");
  const { tasks, maxBytes, maxPixels, local } = page.options;
  find("task").replaceChildren(...tasks.map(({ name, title }) => new Option(title, name)));
  find("limits").textContent = `PNG, JPEG, TIFF, WebP, BMP; up to ${maxBytes / 2 ** 20} MiB and ${maxPixels / 1e6} megapixels`;
  if (local) find("place").textContent = "The photo stays on this computer: a network that runs here does the work.";
  describeTask();
  listen();
  document.body.dataset.ready = "yes";
}

prepare().catch((error) => complain(error.message));
