"use strict";
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

function openForTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
}

function copyText(source, button) {
  const done = () => {
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  const select = () => {
    getSelection().selectAllChildren(source);
    if (document.execCommand("copy")) done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(source.textContent).then(done, select);
  else select();
}

function addCopyButtons() {
  for (const block of all("pre.copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy-button";
    button.textContent = "Copy";
    button.addEventListener("click", () => copyText(block.firstElementChild || block, button));
    block.before(button);
  }
}

function sortBy(table, column, button) {
  const head = button.closest("th");
  const down = head.getAttribute("aria-sort") === "ascending";
  const body = table.tBodies[0];
  const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const rows = Array.from(body.rows).sort((a, b) => {
    const order = value(a).localeCompare(value(b), undefined, { numeric: true });
    return down ? -order : order;
  });
  all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows);
}

function makeSortable() {
  for (const table of all("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, column, button));
      head.append(button);
    });
  }
}

function addOpenAll() {
  const place = document.getElementById("open-all");
  if (!place || !all("main details").length) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Open all";
  button.addEventListener("click", () => {
    const open = button.textContent === "Open all";
    all("main details").forEach((node) => { node.open = open; });
    button.textContent = open ? "Close all" : "Open all";
  });
  place.append(button);
}

let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open])");
  closed.forEach((node) => { node.open = true; });
});
addEventListener("afterprint", () => closed.forEach((node) => { node.open = false; }));
addEventListener("hashchange", openForTarget);

addCopyButtons();
makeSortable();
addOpenAll();
openForTarget();
