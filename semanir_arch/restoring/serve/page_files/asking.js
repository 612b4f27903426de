"use strict";

// Requests to the server; the addresses are described in app.py.

const find = (id) => document.getElementById(id);

async function request(address, options = {}) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer; is semanir-restore --serve still running?");
  }
  if (response.ok) return response;
  const isJson = (response.headers.get("content-type") ?? "").startsWith("application/json");
  throw new Error(isJson ? (await response.json()).error : `The server refused: ${await response.text()}`);
}

const ask = async (address, options) => (await request(address, options)).json();

/** A message as a sentence; a file's name at its beginning stays as it is. */
function sentence(text, name = "") {
  const kept = name && text.startsWith(name);
  return `${kept ? text : text.charAt(0).toUpperCase() + text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function complain(message) {
  find("error").textContent = message;
  find("error").hidden = !message;
}

/** The server need not keep a job any longer. */
function forget(id) {
  fetch(`api/jobs/${id}`, { method: "DELETE" }).catch(() => {});
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
