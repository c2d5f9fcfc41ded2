// A panel's card (state, headline, legend) drawn into its frame, and the frame's own controls.

import { dropdown, toast } from "./shell.js";
import { writeClock } from "./timeaxis.js";

const text = (element, value) => { if (element.textContent !== value) element.textContent = value; };

function chip(card) {
  if (card.state === "stale") return ["warn", `stale since ${writeClock(card.since ?? Date.now())}`];
  if (card.notes.length) return ["note", card.notes.join("; ")];
  return ["", ""];
}

function drawLegend(panel, card) {
  const table = panel.querySelector(".legend"), body = table.tBodies[0];
  table.hidden = card.legend.length === 0;
  while (body.rows.length > card.legend.length) body.lastElementChild.remove();
  card.legend.forEach(([name, color, ...figures], index) => {
    let row = body.rows[index];
    if (!row) {
      row = body.insertRow();
      row.tabIndex = 0;
      row.dataset.series = index;
      row.insertCell().append(document.createElement("i"), "");
      for (const _ of figures) row.insertCell();
    }
    const cell = row.cells[0], mark = cell.firstElementChild;
    mark.style.background = color;
    if (cell.lastChild === mark) cell.append("");
    if (cell.lastChild.data !== name) cell.lastChild.data = name;
    cell.title = name;
    figures.forEach((figure, at) => text(row.cells[at + 1], figure));
  });
}

function draw(panel, card) {
  const [tone, note] = chip(card);
  const mark = panel.querySelector(".chip");
  mark.hidden = !note;
  mark.dataset.tone = tone;
  mark.title = card.message || note;
  text(mark, note);

  const box = panel.querySelector(".panel-message");
  const covered = card.state === "empty" || card.state === "error";
  box.hidden = !covered;
  const sentence = card.message && card.message[0].toUpperCase() + card.message.slice(1);
  text(box.querySelector("p"), sentence ? sentence.replace(/\.?$/, ".") : "");
  box.querySelector("button").hidden = card.state !== "error";

  const headline = panel.querySelector(".headline");
  const { number = "", suffix = "", level = "plain" } = plain(card.headline);
  headline.dataset.level = level;
  if (!headline.firstElementChild) headline.append(document.createElement("b"), document.createElement("span"));
  text(headline.children[0], number);
  text(headline.children[1], suffix);
  headline.hidden = covered;
  panel.querySelector(".plot").style.visibility = covered ? "hidden" : "";

  drawLegend(panel, card);
  panel.dataset.state = card.state;
}

const plain = (map) => (map instanceof Map ? Object.fromEntries(map) : map ?? {});

/** Show or hide a series; with `alone` show only it, or all again when it is the only one. */
function toggle(board, panel, row, alone) {
  const rows = [...panel.querySelectorAll(".legend tbody tr")];
  const shown = rows.filter((other) => other.getAttribute("aria-pressed") !== "true");
  const wanted = alone
    ? (shown.length === 1 && shown[0] === row ? rows : [row])
    : shown.includes(row) ? shown.filter((other) => other !== row) : [...shown, row];
  for (const other of rows) other.setAttribute("aria-pressed", String(!wanted.includes(other)));
  hideUnpressed(board, panel);
}

/** Hide the series whose rows are pressed: a viewer's own choice, which a new board takes over. */
function hideUnpressed(board, panel) {
  const hidden = new Set([...panel.querySelectorAll('.legend tbody tr[aria-pressed="true"]')].map((row) => `s${row.dataset.series}`));
  for (const renderer of board.plot(panel.dataset.panelId)?.renderers ?? []) renderer.visible = !hidden.has(renderer.name);
}

function emphasise(board, panel, index) {
  for (const renderer of board.plot(panel.dataset.panelId)?.renderers ?? []) {
    const faint = index !== null && renderer.name !== `s${index}`;
    const glyph = renderer.glyph;
    if ("line_alpha" in glyph.properties) glyph.line_alpha = { value: faint ? 0.2 : 1 };
  }
}

/** The samples that a panel shows, as CSV with ISO times. */
function asCsv(board, panelId) {
  const { renderers } = board.plot(panelId), card = board.card(panelId);
  const data = renderers.map((renderer) => renderer.data_source.data).find((columns) => (columns.get?.("t") ?? columns.t) !== undefined);
  const column = (name) => data && (data.get ? data.get(name) : data[name]);
  if (!data) return null;
  const names = [];
  while (column(`v${names.length}`) !== undefined) names.push(card.legend[names.length]?.[0] ?? `series ${names.length + 1}`);
  const quote = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = [["time", ...names].map(quote).join(",")];
  Array.from(column("t")).forEach((time, row) => {
    const values = names.map((_, at) => column(`v${at}`)[row]);
    if (values.some((value) => !Number.isNaN(value))) lines.push([new Date(time).toISOString(), ...values.map((value) => (Number.isNaN(value) ? "" : value))].join(","));
  });
  return lines.join("\n") + "\n";
}

function bindMenu(board, panel) {
  const button = panel.querySelector(".panel-menu");
  const menu = document.createElement("div");
  menu.className = "menu";
  menu.hidden = true;
  menu.setAttribute("role", "menu");
  const entries = [["full", "Full screen"], ["csv", "Download data (CSV)"], ["link", "Copy link"]];
  for (const [name, label] of entries) {
    const entry = document.createElement("button");
    entry.type = "button";
    entry.role = "menuitem";
    entry.dataset.entry = name;
    entry.textContent = label;
    menu.append(entry);
  }
  document.body.append(menu);
  button.addEventListener("click", () => {
    const { right, bottom } = button.getBoundingClientRect();
    Object.assign(menu.style, { position: "fixed", top: `${bottom + 4}px`, left: "auto", right: `${innerWidth - right}px` });
    menu.firstElementChild.textContent = panel.classList.contains("full") ? "Leave full screen" : "Full screen";
  });
  button.addEventListener("pointerdown", (event) => event.stopPropagation());
  dropdown(button, menu, async (entry) => {
    if (entry.dataset.entry === "full") full(panel);
    if (entry.dataset.entry === "link") {
      const url = new URL(location.href);
      url.searchParams.set("panel", panel.dataset.panelId);
      await navigator.clipboard?.writeText(url.href);
      toast("Link copied: it opens this panel in full screen.");
    }
    if (entry.dataset.entry === "csv") {
      const csv = asCsv(board, panel.dataset.panelId);
      if (csv === null) return toast("This panel shows single numbers; there is no table of samples to download.");
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
      link.download = `${panel.getAttribute("aria-label")}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
    }
  }, "button");
}

export function full(panel) {
  // A transformed or contained ancestor would trap the fixed panel: it moves to the body while it is large.
  panel.classList.toggle("full");
  panel.closest(".grid-stack-item").style.zIndex = panel.classList.contains("full") ? 60 : "";
}

/** Draw the cards of the shown board, whichever it is; `retry` asks for a panel once more. */
export function bindCards(board, retry) {
  for (const panel of document.querySelectorAll(".panel")) {
    panel.querySelector('[data-action="retry"]').addEventListener("click", () => retry(panel.dataset.panelId));
    const body = panel.querySelector(".legend tbody");
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row) toggle(board, panel, row, event.ctrlKey || event.metaKey);
    });
    body.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(board, panel, event.target.closest("tr"), event.ctrlKey); }
    });
    body.addEventListener("pointerover", (event) => emphasise(board, panel, event.target.closest("tr")?.dataset.series ?? null));
    body.addEventListener("pointerleave", () => emphasise(board, panel, null));
    bindMenu(board, panel);
  }
  const follow = () => {
    for (const card of board.cards.cards) {
      const panel = document.querySelector(`[data-panel-id="${CSS.escape(card.panel_id)}"]`);
      if (!panel) continue;
      let asked = false;
      card.change.connect(() => {
        if (asked) return;
        asked = true;
        queueMicrotask(() => { asked = false; draw(panel, card); });
      });
      draw(panel, card);
      hideUnpressed(board, panel);
    }
  };
  board.onShown(follow);
  follow();
  const wanted = new URLSearchParams(location.search).get("panel");
  const panel = wanted && document.querySelector(`[data-panel-id="${CSS.escape(wanted)}"]`);
  if (panel) full(panel);
  document.addEventListener("keydown", (event) => {
    const large = document.querySelector(".panel.full");
    if (event.key === "Escape" && large) full(large);
  });
}
