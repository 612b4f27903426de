"use strict";

// The chosen photos: what is wrong with each, which task it gets, the list, the one that is shown.

const page = { options: null, photos: [], shown: null, running: null, looking: Promise.resolve() };

/** Take files; each is looked at, one after another. */
function addFiles(files) {
  const added = [...files].map((file) => ({ file, name: file.name, look: null, problem: "", state: "looking", result: null, url: "" }));
  if (!added.length) return;
  complain("");
  page.photos.push(...added);
  for (const photo of added) {
    const { maxBytes } = page.options;
    photo.looked = page.looking = page.looking.then(() => {
      if (photo.file.size <= maxBytes) return look(photo);
      return refuse(photo, `${photo.name} is too large: this page takes files up to ${maxBytes / 2 ** 20} MiB.`);
    });
  }
  drawList();
}

function refuse(photo, message) {
  Object.assign(photo, { problem: message, state: "cannot be restored" });
  complain(page.photos.filter(({ problem }) => problem).map(({ problem }) => problem).join("\n"));
  if (!page.shown) find("view").hidden = true;
  drawList();
}

async function look(photo) {
  if (!page.photos.includes(photo)) return;
  const url = URL.createObjectURL(photo.file);
  try {
    const shows = await decodes(url);
    if (shows) photo.url = url;
    // the picture is there before the answer
    if (shows && !page.shown) select(photo);
    const query = new URLSearchParams({ name: photo.name, shown: shows ? "" : "1" });
    photo.look = await ask(`api/look?${query}`, { method: "POST", body: photo.file });
    photo.url ||= photo.look.preview;
    photo.state = "ready";
  } catch (error) {
    if (page.shown === photo) page.shown = null;
    return refuse(photo, sentence(error.message, photo.name));
  }
  if (!page.shown || page.shown === photo) select(photo);
  drawList();
}

async function decodes(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => true, () => false);
}

/** Show a photo of the list. */
function select(photo) {
  page.shown = photo;
  describeTask();
  drawList();
  return showPhoto();
}

async function showPhoto() {
  const photo = page.shown;
  const result = photo?.result;
  find("result").hidden = true;
  find("view").hidden = !photo?.url;
  if (!photo?.url) return;
  const natural = photo.look ?? (await naturalSize(photo.url));
  const size = { name: photo.name, width: (result ?? natural).width, height: (result ?? natural).height };
  // a result comes with a picture of the photo in the same colors
  await showPictures(result ? result.before : photo.url, result?.after, size);
  if (page.shown !== photo || photo.result !== result || !result) return;
  describeResult(photo);
  find("result").hidden = false;
}

async function naturalSize(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return { width: image.naturalWidth, height: image.naturalHeight };
}

const titleOf = (tasks) => tasks.split("+").map((name) => page.options.tasks.find((task) => task.name === name)?.title ?? name).join(", then ");

/** The task a photo gets with the present choice; empty for none. */
function taskOf(photo) {
  const chosen = find("task").value;
  return chosen === "auto" ? (photo.look?.tasks ?? []).join("+") : chosen;
}

const boundOf = () => (find("strength-field").hidden ? "" : find("strength").value);

/** Whether a photo's result is of the present task and settings. */
const isFresh = ({ result }, task) => Boolean(result) && result.task === task && result.bound === boundOf();

function describeResult(photo) {
  const { result } = photo;
  const bound = result.bound && `, ${STRENGTHS[result.kind].toLowerCase()}: ${result.bound}`;
  const size = result.bytes < 1e6 ? `${Math.ceil(result.bytes / 1e3)} kB` : `${(result.bytes / 1e6).toFixed(1)} MB`;
  const reduced = result.reduced ? "; reduced for the screen, not in the file" : "";
  find("label").textContent = `${titleOf(result.task)}${bound}`;
  find("facts").textContent = `${result.name}: ${result.width} \u00d7 ${result.height} pixels, ${size}, ${result.seconds} s, at ${result.at}${reduced}`
    + (result.notes ? `; ${result.notes}` : "");
  const fresh = isFresh(photo, taskOf(photo) || result.task);
  find("stale").hidden = fresh;
  find("view").classList.toggle("stale", !fresh);
  find("share-field").hidden = !result.blends;
}

function drawList() {
  find("list").replaceChildren(...page.photos.map((photo) => {
    const open = make("button", { type: "button", className: "photo" });
    if (photo.url) open.append(make("img", { src: photo.result?.after ?? photo.url, alt: "" }));
    open.append(make("span", { className: "name", textContent: photo.name }), make("span", { className: "note", textContent: photo.problem ? "cannot be read" : photo.state }));
    open.disabled = Boolean(photo.problem);
    open.setAttribute("aria-current", photo === page.shown);
    open.addEventListener("click", () => select(photo));
    const away = make("button", { type: "button", className: "away", textContent: "\u00d7" });
    away.setAttribute("aria-label", `Remove ${photo.name}`);
    away.addEventListener("click", () => remove(photo));
    return make("li", {}, open, away);
  }));
  const good = page.photos.filter(({ problem }) => !problem);
  const done = page.photos.filter(({ result }) => result);
  find("photos").hidden = page.photos.length < 2;
  find("chosen").textContent = page.photos.length > 1 ? `${page.photos.length} photos` : page.photos[0]?.name ?? "Drop photos anywhere on this page, paste them, or choose files";
  find("start").disabled = !good.length || Boolean(page.running);
  find("try").disabled = find("start").disabled || !page.shown;
  find("start").textContent = good.length > 1 ? `Restore ${good.length} photos` : "Restore";
  find("all").hidden = done.length < 2;
  find("all").textContent = `Download all ${done.length} (zip)`;
}

function remove(photo) {
  if (page.running?.photo === photo) cancel();
  dropResult(photo);
  page.photos = page.photos.filter((one) => one !== photo);
  complain(page.photos.map(({ problem }) => problem).filter(Boolean).join("\n"));
  if (page.shown === photo) page.shown = null;
  const next = page.photos.find(({ problem, url }) => !problem && url);
  if (!page.shown) select(next ?? null);
  drawList();
}

function dropResult(photo) {
  if (!photo.result) return;
  forget(photo.result.id);
  for (const part of ["before", "after"]) URL.revokeObjectURL(photo.result[part]);
  photo.result = null;
}

// arguments of Restorer.restore
const STRENGTHS = { sigma: "Noise at most (0\u2013255)", quality: "JPEG quality at least (1\u2013100)" };

/** What the present task means for the photo that is shown. */
function describeTask() {
  const { shown } = page;
  const found = shown?.look;
  const auto = [...find("task").options].find(({ value }) => value === "auto");
  if (auto) {
    const tasks = found?.tasks.join("+");
    auto.textContent = found ? `Automatic: ${tasks ? titleOf(tasks) : "nothing to repair"}` : "Automatic: what each photo needs";
  }
  const chosen = find("task").value;
  const tasks = page.options.tasks.filter(({ name }) => chosen.split("+").includes(name));
  const bounded = tasks.find(({ strength }) => strength);
  find("strength-field").hidden = !bounded;
  find("strength-name").textContent = STRENGTHS[bounded?.strength] ?? "";
  page.bounds = bounded?.strength;
  const parts = tasks.length === 1 ? [tasks[0].input && `Made for ${tasks[0].input}.`] : [];
  const scale = tasks.reduce((product, task) => product * task.scale, 1);
  if (scale > 1) {
    const limit = page.options.maxPixels / scale ** 2 / 1e6;
    parts.push(`The result is ${scale} times larger in width and height; up to ${limit} megapixels.`);
  }
  if (tasks.some(({ demonstration }) => demonstration)) parts.push("A demonstration, trained on synthetic damage only: it can make real photos worse.");
  find("about").textContent = parts.filter(Boolean).join(" ");
  find("found").textContent = found ? `${shown.name}: ${[found.findings, ...found.hints].join("; ")}.` : "";
  if (shown?.result) describeResult(shown);
}
