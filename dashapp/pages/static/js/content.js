// Panels that are no plots: text, tables, and lists of alerts. Drawn into the panel's body from its card.

import { writeClock } from "./timeaxis.js";

const plain = (map) => (map instanceof Map ? Object.fromEntries(map) : map ?? {});
/** Panel element → how its table is sorted: {column, down}; column 0 is the name. */
const orders = new WeakMap();

function boxOf(panel, className) {
  let box = panel.querySelector(".content");
  if (!className) { box?.remove(); return null; }
  if (!box) {
    box = document.createElement("div");
    panel.querySelector(".plot-box").append(box);
  }
  if (box.className !== `content ${className}`) {
    box.className = `content ${className}`;
    box.replaceChildren();
    box.source = null;
    // What scrolls can be reached by keyboard.
    box.tabIndex = 0;
    box.setAttribute("role", "region");
  }
  box.setAttribute("aria-label", panel.getAttribute("aria-label"));
  return box;
}

function drawText(panel, card) {
  const box = boxOf(panel, "words");
  if (box.source === card.html) return;
  box.source = card.html;
  // The server made it of Markdown and left only what is harmless.
  box.innerHTML = card.html;
}

function sortedRows(panel, rows) {
  const { column, down } = orders.get(panel) ?? { column: 1, down: true };
  const value = ([name, , , figures]) => (column ? figures[column - 1] : name);
  const compare = (a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === null || other === null || one === undefined || other === undefined) return (one ?? null) === null ? 1 : -1;
    return (column ? one - other : one.localeCompare(other, undefined, { numeric: true })) * (down ? -1 : 1);
  };
  return [...rows].sort(compare);
}

function drawTable(panel, card) {
  const { columns = [], rows = [] } = plain(card.table);
  const box = boxOf(panel, "rows");
  let table = box.querySelector("table");
  const { column, down } = orders.get(panel) ?? { column: 1, down: true };
  const names = ["series", ...columns];
  if (table?.tHead.rows[0].cells.length !== names.length) {
    table = document.createElement("table");
    table.className = "data bars";
    const head = table.createTHead().insertRow();
    names.forEach((_, at) => {
      const cell = document.createElement("th"), button = document.createElement("button");
      cell.scope = "col";
      button.type = "button";
      button.addEventListener("click", () => {
        const now = orders.get(panel) ?? { column: 1, down: true };
        orders.set(panel, { column: at, down: now.column === at ? !now.down : at > 0 });
        drawTable(panel, panel.cardShown);
      });
      cell.append(button);
      head.append(cell);
    });
    table.createTBody();
    box.replaceChildren(table);
  }
  panel.cardShown = card;
  [...table.tHead.rows[0].cells].forEach((cell, at) => {
    if (cell.firstChild.textContent !== names[at]) cell.firstChild.textContent = names[at];
    cell.setAttribute("aria-sort", at !== column ? "none" : down ? "descending" : "ascending");
  });
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  sortedRows(panel, rows).forEach(([name, level, share, , texts], at) => {
    const row = body.rows[at] ?? body.insertRow();
    while (row.cells.length < names.length) row.insertCell();
    row.cells[0].textContent = row.cells[0].title = name;
    texts.forEach((text, index) => {
      const cell = row.cells[index + 1];
      if (cell.textContent !== text) cell.textContent = text;
      if (index) return;
      cell.className = "barred";
      cell.dataset.level = level;
      cell.style.setProperty("--share", share);
    });
  });
}

const STATES = { nodata: "no data" };

/** One line an alert: how it stands, whose it is, since when. */
function drawAlerts(panel, card) {
  const box = boxOf(panel, "alert-list");
  const list = document.createElement("ul");
  const part = (tag, className, words) => Object.assign(document.createElement(tag), { className, textContent: words });
  for (const [state, severity, rule, name, tags, since, value, muted] of card.alerts) {
    const item = document.createElement("li"), what = part("span", "what", ""), link = part("a", "", name);
    const badge = part("span", "state", STATES[state] ?? state), grave = part("span", "severity", severity);
    badge.dataset.state = state;
    grave.dataset.severity = severity;
    link.href = `/alerts/${encodeURIComponent(rule)}`;
    const where = part("small", "", tags);
    // In narrow panels it stands there.
    where.dataset.severity = severity;
    what.append(link, where);
    what.title = tags ? `${name} · ${tags}` : name;
    item.append(badge, what, part("span", "value", value), grave, part("time", "muted", `${muted ? "muted, " : ""}since ${writeClock(since)}`));
    list.append(item);
  }
  // Nothing moves under the pointer while nothing changed.
  if (box.source === list.innerHTML) return;
  box.source = list.innerHTML;
  box.replaceChildren(list);
}

/** Draw what a card says beside plots; nothing for those that have one. */
export function drawContent(panel, card) {
  if (card.kind === "text") drawText(panel, card);
  else if (card.kind === "table") drawTable(panel, card);
  else if (card.kind === "alerts") drawAlerts(panel, card);
  else boxOf(panel, "");
}
