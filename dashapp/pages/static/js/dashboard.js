// The dashboard page: plots from the board's document, everything around them from its cards; a session beside it tells
// the server what is looked at, and the page what changed.

import { Board } from "./board.js";
import { bindCards } from "./cards.js";
import { bindGrid } from "./grid.js";
import { bindHover } from "./hover.js";
import { onTheme, toast, dropdown } from "./shell.js";
import * as timeaxis from "./timeaxis.js";

const { Bokeh } = window;
const boot = JSON.parse(document.getElementById("boot").textContent);
const dot = document.querySelector("[data-connection]");
const banner = document.querySelector(".banner");
const TRIES = "dashapp-tries";
let leaving = false;
addEventListener("beforeunload", () => { leaving = true; });

function connection(state, text) {
  dot.dataset.connection = state;
  dot.setAttribute("aria-label", text);
  dot.title = text;
}

/** The server went away, or forgot this page: fetch it anew as soon as the server answers. The link holds what was shown. */
async function comeBack() {
  if (leaving) return;
  connection("lost", "Connection lost");
  banner.textContent = "The connection to dashapp is lost; this page comes back by itself. What you see is not fresh.";
  banner.hidden = false;
  for (const panel of document.querySelectorAll('.panel[data-state="live"]')) panel.dataset.state = "stale";
  // Where something on the way refuses websockets for good, each try waits longer than the one before.
  const tries = Number(sessionStorage.getItem(TRIES) ?? 0);
  sessionStorage.setItem(TRIES, tries + 1);
  for (let wait = Math.min(500 * 2 ** tries, 60_000); ; wait = Math.min(wait * 1.5, 60_000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      if ((await fetch("/readyz", { cache: "no-store" })).ok) break;
    } catch { /* still away */ }
  }
  location.reload();
}

function keepLink(state) {
  const url = new URL(location.href);
  url.searchParams.set("from", state.start);
  url.searchParams.set("to", state.end);
  url.searchParams.set("refresh", state.refresh);
  history.replaceState(null, "", url);
}

function bindPickers(state) {
  for (const picker of document.querySelectorAll(".picker")) {
    const [button, list] = [picker.querySelector("button"), picker.querySelector("ul")];
    dropdown(button, list, (item) => {
      for (const other of list.children) other.setAttribute("aria-selected", String(other === item));
      picker.querySelector("[data-label]").textContent = item.textContent;
      if (picker.dataset.picker === "range") state.setv({ start: item.dataset.value, end: "now" });
      else state.setv({ refresh: item.dataset.value });
      keepLink(state);
      showConnection(state);
    });
  }
}

function showConnection(state) {
  if (state.refresh === "off" || state.end !== "now") connection("paused", "Not refreshing");
  else connection("live", `Live, refreshing every ${state.refresh}`);
}

/** The session of this page, or null where the server has none. */
async function openSession() {
  const item = { token: boot.token, roots: { [boot.stateId]: "page-state" }, root_ids: [boot.stateId], use_for_title: false };
  await Bokeh.embed.embed_items({}, [item], location.pathname);
  const doc = Bokeh.documents.find((one) => one.get_model_by_id(boot.stateId));
  doc?.on_event("connection_lost", comeBack);
  return doc?.get_model_by_id(boot.stateId) ?? null;
}

async function start() {
  timeaxis.install(Bokeh);
  const board = new Board();
  window.dashapp = { board };
  let state = null;
  // Plots first, and on the screen: the session has time until something changes.
  await board.show(JSON.parse(document.getElementById("picture").textContent));
  bindCards(board, (panelId) => state?.setv({ retry: [panelId, (state.retry[1] ?? 0) + 1] }));
  bindHover(board);
  await new Promise((resolve) => (document.hidden ? resolve() : requestAnimationFrame(() => setTimeout(resolve))));
  state = await openSession();
  if (!state) return comeBack();
  window.dashapp.state = state;

  const told = () => state.setv({ shown: [board.number, board.at] });
  state.properties.changes.change.connect(() => board.apply(JSON.parse(state.changes)));
  state.properties.picture.change.connect(() => board.show(JSON.parse(state.picture)).then(told));
  bindPickers(state);
  bindGrid(boot, state);
  showConnection(state);

  const problem = () => { banner.textContent = state.problem; banner.hidden = !state.problem; };
  state.properties.problem.change.connect(problem);
  problem();

  const dress = (theme) => {
    if (state.theme === theme) return;
    state.theme = theme;
    board.repaint();
  };
  onTheme(dress);
  dress(document.documentElement.dataset.theme);

  document.addEventListener("visibilitychange", () => { state.visible = document.visibilityState === "visible"; });
  if (document.visibilityState !== "visible") state.visible = false;
  // Only a browser's very first visit finds plots in the other theme.
  const settled = state.theme === boot.theme ? Promise.resolve() : new Promise((resolve) => board.onShown(resolve));
  told();
  await settled;
  setTimeout(() => sessionStorage.removeItem(TRIES), 20_000);
  performance.mark("dashapp-ready");
}

document.querySelector('[data-action="share"]').addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    toast("Link copied: it shows this range.");
  } catch {
    toast(`Copy this link: ${location.href}`, { seconds: 20 });
  }
});

start();
