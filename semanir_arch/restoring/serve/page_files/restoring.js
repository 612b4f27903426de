"use strict";

// Photos sent one after another, waited for, and fetched; tasks tried; results downloaded.

const POLL = 300;   // milliseconds between questions about a job

async function start(event) {
  event.preventDefault();
  if (page.running) return;
  complain("");
  find("said").textContent = "";
  const run = { id: null, photo: null, place: "" };
  page.running = run;
  show({ state: "sending" });
  // what is looked at has no task yet
  await page.looking;
  const todo = page.photos.filter((photo) => !photo.problem && !isFresh(photo, taskOf(photo)));
  const problems = [];
  for (const [number, photo] of todo.entries()) {
    if (page.running !== run) return;
    if (!page.photos.includes(photo)) continue;
    run.place = todo.length > 1 ? `Photo ${number + 1} of ${todo.length}: ` : "";
    try {
      await restorePhoto(run, photo);
    } catch (error) {
      photo.state = "failed";
      problems.push(sentence(error.message, photo.name));
      if (page.running === run) complain(problems.join("\n"));
    }
    drawList();
  }
  if (page.running !== run) return;
  rest();
  if (!todo.length) find("said").textContent = "All photos are already restored with these settings.";
}

async function restorePhoto(run, photo) {
  const task = taskOf(photo);
  const made = { task, bound: boundOf(), kind: page.bounds };
  if (!task) {
    photo.state = "left as it is";
    find("said").textContent = "Nothing to repair was found. Choose a task to restore it anyway.";
    return;
  }
  run.photo = photo;
  photo.state = "working";
  const query = new URLSearchParams({ task, name: photo.name, strength: made.bound });
  const job = await finish(run, `api/jobs?${query}`, photo.file);
  if (!job) return;
  dropResult(photo);
  photo.result = { ...job, ...made, at: new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) };
  const parts = ["before", "after", "result"];
  const blobs = await Promise.all(parts.map(async (part) => (await request(`api/jobs/${job.id}/${part}`)).blob()));
  photo.result.blob = blobs[2];
  [photo.result.before, photo.result.after] = blobs.map((blob) => URL.createObjectURL(blob));
  photo.state = `done: ${titleOf(task)}`;
  // the first result is shown, and then what the person chose
  if (!page.shown?.result) page.shown = photo;
  if (page.shown === photo) {
    await showPhoto();
    find("view").scrollIntoView({ block: "nearest" });
  }
}

/** Send a file, and ask about it until it is done; null if it was cancelled. */
async function finish(run, address, file) {
  show({ state: "sending" });
  let job = await ask(address, { method: "POST", body: file });
  run.id = job.id;
  if (page.running !== run) forget(job.id);
  while (page.running === run && ["waiting", "working"].includes(job.state)) {
    show(job);
    await new Promise((done) => { setTimeout(done, POLL); });
    if (page.running === run) job = await ask(`api/jobs/${job.id}`);
  }
  if (page.running !== run) return null;
  run.id = null;
  if (job.state === "failed") throw new Error(job.error);
  return job.state === "done" ? job : null;
}

function show(job) {
  find("work").hidden = false;
  find("start").disabled = find("try").disabled = true;
  const bar = find("progress");
  const place = page.running?.place ?? "";
  if (job.state === "working") {
    bar.value = job.progress;
    find("state").textContent = `${place}Working: ${Math.floor(100 * job.progress)} %${remaining(job)}`;
    return;
  }
  bar.removeAttribute("value");
  const waiting = job.ahead === 1 ? "one photo is before yours" : `${job.ahead} photos are before yours`;
  find("state").textContent = place + (job.state === "waiting" && job.ahead ? `Waiting: ${waiting}` : "Sending");
}

function remaining({ progress, seconds }) {
  if (progress < 0.05 || seconds < 1) return "";
  const left = Math.round((seconds * (1 - progress)) / progress);
  return left < 90 ? `, about ${left} s left` : `, about ${Math.round(left / 60)} min left`;
}

function rest() {
  page.running = null;
  find("work").hidden = true;
  drawList();
}

function cancel() {
  const run = page.running;
  if (!run) return;
  if (run.photo && !run.photo.result) run.photo.state = "cancelled";
  rest();
  if (run.id) forget(run.id);
  find("said").textContent = "Cancelled. Finished photos are kept; the current one is not.";
}

/** What every task makes of a part of the shown photo. */
async function tryAll() {
  const photo = page.shown;
  if (!photo || page.running) return;
  complain("");
  find("said").textContent = "";
  const run = { id: null, photo: null, place: "Every task on a part of the photo. " };
  page.running = run;
  try {
    const job = await finish(run, `api/tries?${new URLSearchParams({ name: photo.name })}`, photo.file);
    if (job) await showSamples(photo, job);
  } catch (error) {
    if (page.running === run) complain(sentence(error.message, photo.name));
  }
  if (page.running === run) rest();
}

async function showSamples(photo, job) {
  const names = ["", ...job.tried];
  const blobs = await Promise.all(names.map(async (_, number) => (await request(`api/jobs/${job.id}/sample/${number}`)).blob()));
  forget(job.id);
  for (const image of find("samples").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  find("samples").replaceChildren(...names.map((name, number) => {
    const label = name ? titleOf(name) : "The photo";
    const image = make("img", { src: URL.createObjectURL(blobs[number]), alt: name ? "" : label });
    const marks = name && name === job.chosen ? " (suggested)" : "";
    const caption = make("span", { textContent: label + marks });
    if (!name) return make("li", {}, make("div", { className: "sample" }, image, caption));
    const button = make("button", { type: "button", className: "sample" }, image, caption);
    button.addEventListener("click", () => chooseTask(name));
    return make("li", {}, button);
  }));
  find("samples-title").textContent = `A part of ${photo.name} under every task`;
  find("tries").hidden = false;
  find("tries").scrollIntoView({ block: "nearest" });
}

/** Choose a task, perhaps of several networks, which the menu has only then. */
function chooseTask(name) {
  if (![...find("task").options].some(({ value }) => value === name)) find("task").add(new Option(titleOf(name), name));
  find("task").value = name;
  find("strength").value = "";
  describeTask();
  find("task").focus();
}

const shareOf = (result) => (result.blends ? Number(find("share").value) / 100 : 1);

/** The file of a result, with the present strength. */
async function fileOf({ result }) {
  const share = shareOf(result);
  if (share === 1) return { name: result.name, blob: result.blob };
  const dot = result.name.lastIndexOf(".");
  const name = `${result.name.slice(0, dot)}_${Math.round(100 * share)}${result.name.slice(dot)}`;
  return { name, blob: await (await request(`api/jobs/${result.id}/result?share=${share}`)).blob() };
}

function save({ name, blob }) {
  const url = URL.createObjectURL(blob);
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // the browser has begun to read it by then
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function download(kind) {
  complain("");
  try {
    if (kind === "one") return save(await fileOf(page.shown));
    const files = [];
    for (const photo of page.photos.filter(({ result }) => result)) files.push(await fileOf(photo));
    save({ name: "restored.zip", blob: await zip(files) });
  } catch (error) {
    complain(sentence(error.message));
  }
}
