"use strict";

// The list of images: sorting by a column, choosing a set, choosing an image.

const allRows = () => [...document.querySelectorAll("#list tbody tr")];
const shownRows = () => allRows().filter((row) => !row.hidden);
const chosenRow = () => document.querySelector("#list tr.chosen");

/** Sort by the column of a header's button: numbers from the largest, texts from A; then reversed. */
function sortBy(button) {
  const header = button.parentElement;
  const column = [...header.parentElement.children].indexOf(header);
  const isNumber = button.dataset.kind === "number";
  const was = header.getAttribute("aria-sort");
  const first = isNumber ? "descending" : "ascending";
  const order = was === "none" ? first : was === "ascending" ? "descending" : "ascending";
  for (const other of header.parentElement.children) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const compare = isNumber ? compareNumbers : compareTexts;
  const rows = allRows().sort((a, b) => compare(a.children[column], b.children[column], sign));
  document.querySelector("#list tbody").append(...rows);
}

function compareTexts(one, other, sign) {
  return sign * one.textContent.trim().localeCompare(other.textContent.trim(), "en", { numeric: true });
}

/** Missing values come last in both orders. */
function compareNumbers(one, other, sign) {
  const [a, b] = [one.dataset.key, other.dataset.key];
  if (a === "" || b === "") return (a === "") - (b === "");
  return toNumber(a) === toNumber(b) ? 0 : sign * (toNumber(a) < toNumber(b) ? -1 : 1);
}

/** A number as Python writes it. */
function toNumber(text) {
  return Number(text.replace("inf", "Infinity"));
}

/** Show the rows of one set, or all. */
function filterRows(dataset) {
  for (const row of allRows()) row.hidden = dataset !== "" && row.dataset.dataset !== dataset;
  const count = shownRows().length;
  find("count").textContent = `${count} image${count === 1 ? "" : "s"}`;
  if (chosenRow().hidden) choose(shownRows()[0]);
}

/** Choose an image; of the list, only its row is reached with the Tab key. */
function choose(row, focus = false) {
  for (const other of allRows()) {
    const name = other.querySelector(".name");
    other.classList.toggle("chosen", other === row);
    name.setAttribute("aria-current", other === row);
    name.tabIndex = other === row ? 0 : -1;
  }
  if (focus) row.querySelector(".name").focus({ preventScroll: true });
  scrollListTo(row);
  return showPicture(row);
}

/** Scroll the list, not the page, until a row is seen. */
function scrollListTo(row) {
  const frame = document.querySelector("#list").parentElement;
  const head = document.querySelector("#list thead").offsetHeight;
  const below = row.offsetTop + row.offsetHeight - frame.clientHeight;
  frame.scrollTop = Math.min(row.offsetTop - head, Math.max(frame.scrollTop, below));
}

/** The shown row some steps after the chosen one, the last or first beyond the ends. */
function rowAfter(steps) {
  const rows = shownRows();
  const place = rows.indexOf(chosenRow()) + steps;
  return rows[Math.min(rows.length - 1, Math.max(0, place))];
}

function onListKey(event) {
  const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  if (!event.target.classList.contains("name") || !(event.key in steps)) return;
  event.preventDefault();
  choose(rowAfter(steps[event.key]), true);
}

function listenToList() {
  const list = find("list");
  list.addEventListener("click", (event) => {
    const button = event.target.closest("thead button");
    const row = event.target.closest("tbody tr");
    if (button) sortBy(button);
    if (row) choose(row);
  });
  list.addEventListener("keydown", onListKey);
  find("filter")?.addEventListener("change", (event) => filterRows(event.target.value));
  find("previous").addEventListener("click", () => choose(rowAfter(-1)));
  find("next").addEventListener("click", () => choose(rowAfter(1)));
}
