// Finding operations at /docs: what a link names is opened, and words are searched for.
"use strict";

/** Open what a link names, and lead the keyboard there. */
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.querySelector("summary").focus({ preventScroll: true });
    named.scrollIntoView();
  }
}

/** Show only the operations that hold every word that was typed. */
function searching() {
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const operations = [...document.querySelectorAll(".operation")].map((entry) => ({
    entry,
    link: document.querySelector(`.contents a[href="#${entry.id}"]`).parentElement,
    text: `${entry.querySelector("summary").textContent} ${entry.dataset.words}`.toLowerCase(),
  }));
  const groups = [...document.querySelectorAll("main .group, .contents section")];

  function apply() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { entry, link, text } of operations) {
      const matches = words.every((word) => text.includes(word));
      entry.hidden = link.hidden = !matches;
      count += matches;
    }
    for (const group of groups) {
      const rows = [...group.querySelectorAll(".operation, .contents li")];
      group.hidden = words.length > 0 && rows.every((row) => row.hidden);
    }
    found.textContent = words.length ? `${count} of ${operations.length} operations` : "";
  }

  field.form.hidden = false;
  field.form.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest("input, textarea, select");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
    }
  });
  // A link may lead to what the search has hidden.
  addEventListener("hashchange", () => {
    const named = document.getElementById(location.hash.slice(1));
    if (named?.closest("[hidden]")) {
      field.value = "";
      apply();
      openNamed();
    }
  });
  apply();
}

// On a phone the list of operations would push everything else away.
document.querySelector(".contents details").open = matchMedia("(min-width: 64rem)").matches;
searching();
addEventListener("hashchange", openNamed);
openNamed();
