// Making calls at /docs, with a test token that this tab keeps.
// Nothing here turns text into HTML; the page's policy (trusted types) would refuse it.
"use strict";

const KEPT_AS = "funnel-gateway.test-token";
const TEST_TOKEN = /^fgw_test_[A-Za-z0-9_-]+$/;
const TOO_LONG_TO_SHOW = 200_000;

/** An element with text in it. */
function made(name, text, classes = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (classes) element.className = classes;
  return element;
}

/** A block of code that the keyboard can scroll. */
function block(label, text) {
  const element = made("pre", "");
  element.append(made("code", text));
  element.tabIndex = 0;
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", label);
  return element;
}

/** The token; null: there is none. */
function token() {
  try {
    return sessionStorage.getItem(KEPT_AS);
  } catch {
    return null; // Storage is switched off: the token then lasts no longer than its field.
  }
}

function keep(secret) {
  try {
    if (secret) sessionStorage.setItem(KEPT_AS, secret);
    else sessionStorage.removeItem(KEPT_AS);
    return true;
  } catch {
    return false;
  }
}

function access() {
  const form = document.getElementById("access-form");
  const field = document.getElementById("token");
  const state = document.getElementById("access-state");

  document.getElementById("access-none").hidden = true;
  form.hidden = false;
  if (token()) state.textContent = "A token is in use.";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = field.value.trim();
    if (given.startsWith("fgw_live_")) {
      state.textContent = "This is a live token: it is not taken here. Use one of mode test.";
    } else if (!TEST_TOKEN.test(given)) {
      state.textContent = "This is no token of mode test: those begin with fgw_test_.";
    } else {
      state.textContent = keep(given) ? "The token is in use." : "The browser keeps nothing for this page.";
    }
    field.value = "";
  });
  document.getElementById("forget").addEventListener("click", () => {
    keep(null);
    field.value = "";
    state.textContent = "No token.";
  });
}

/** What the form says is to be sent. */
function request(form) {
  const { method, path, accept, type } = form.dataset;
  const query = new URLSearchParams();
  const headers = { Accept: accept };
  let place = path;
  for (const field of form.querySelectorAll("input[data-in]")) {
    const value = field.value.trim();
    if (field.dataset.in === "path") {
      place = place.replace(`{${field.name}}`, encodeURIComponent(value));
    } else if (value && field.dataset.in === "header") {
      headers[field.name] = value;
    } else if (value) {
      const values = "many" in field.dataset ? value.split(",") : [value];
      for (const one of values) query.append(field.name, one.trim());
    }
  }
  const text = query.size ? `${place}?${query}` : place;
  const body = type ? form.querySelector("textarea").value : "";
  if (body) headers["Content-Type"] = type;
  // Beside this page, wherever the gateway stands.
  return { method, url: new URL(text.slice(1), new URL(".", location.href)), headers, body };
}

function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The same call for a shell; the token stays a variable. */
function curl({ method, url, headers, body }, open) {
  const parts = [`curl -X ${method} ${quoted(url.href)}`];
  if (!open) parts.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body) parts.push(`--data-binary ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

function readable(text, type) {
  if (type.includes("json")) {
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Shown as it came.
    }
  }
  return text.length > TOO_LONG_TO_SHOW ? `${text.slice(0, TOO_LONG_TO_SHOW)}\n... (cut)` : text;
}

/** Where the page of a problem is, whatever the gateway calls itself. */
function explanation(type, text) {
  if (!type.includes("problem+json")) return null;
  try {
    const { code } = JSON.parse(text);
    const line = made("p", "What it means: ");
    const link = made("a", code);
    link.href = `problems/${encodeURIComponent(code)}`;
    line.append(link);
    return line;
  } catch {
    return null;
  }
}

async function send(form) {
  const said = form.querySelector(".said"); // Read out as it changes; the body of an answer is not.
  const shown = form.querySelector(".answer");
  const open = "open" in form.dataset;
  const secret = token();
  if (!open && !secret) {
    said.replaceChildren(made("span", "Give a test token first: under “Try it with a test token” above.", "bad"));
    return;
  }
  const call = request(form);
  const headers = open ? call.headers : { ...call.headers, Authorization: `Bearer ${secret}` };
  said.replaceChildren("Waiting for the answer.");
  shown.replaceChildren();
  const started = performance.now();
  try {
    const reply = await fetch(call.url, {
      method: call.method,
      headers,
      body: call.body || undefined,
      credentials: "omit",
      redirect: "error",
      cache: "no-store",
    });
    const text = await reply.text();
    const type = reply.headers.get("content-type") ?? "";
    const took = `${Math.round(performance.now() - started)} ms`;
    const status = made("span", `${reply.status} ${reply.statusText}`.trim(), reply.ok ? "good" : "bad");
    said.replaceChildren(status, made("span", ` in ${took}`, "muted"));
    const meaning = explanation(type, text);
    if (meaning) shown.append(meaning);
    if (text) shown.append(block("Body of the answer", readable(text, type)));
    const told = [...reply.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    shown.append(folded("Headers of the answer", told));
  } catch (error) {
    said.replaceChildren(made("span", `No answer came: ${error.message}`, "bad"));
  }
  shown.append(folded("The same with curl", curl(call, open)));
}

function folded(label, text) {
  const element = made("details", "", "example");
  element.append(made("summary", label), block(label, text));
  return element;
}

/** A fresh key for an intention; `randomUUID` exists in secure contexts only. */
function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A field with a key in it, and a button for the next intention: the same key would repeat this one. */
function keyed(field) {
  const button = made("button", "New key", "quiet");
  button.type = "button";
  button.addEventListener("click", () => {
    field.value = freshKey();
  });
  field.value = freshKey();
  const row = made("div", "", "row");
  field.replaceWith(row);
  row.append(field, button);
}

function calls() {
  for (const form of document.querySelectorAll("form.try")) {
    form.hidden = false;
    const told = form.parentElement.querySelector(".told");
    if (told) told.hidden = true; // The fields say the same.
    const key = form.querySelector('input[name="Idempotency-Key"]');
    if (key) keyed(key);
    let waiting = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (waiting) return; // One call at a time: a second click is no second intention.
      waiting = true;
      const button = form.querySelector("button[type=submit]");
      button.setAttribute("aria-disabled", "true");
      await send(form);
      button.removeAttribute("aria-disabled");
      waiting = false;
    });
    form.querySelector("select[data-for]")?.addEventListener("change", (event) => {
      document.getElementById(event.target.dataset.for).value = event.target.value;
    });
  }
}

access();
calls();
