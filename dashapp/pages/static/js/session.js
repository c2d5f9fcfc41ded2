// What one does with a dashboard's plots once they stand. A session tells the server what is looked at, and the page what
// changed.

import { bindFull, full } from "./cards.js";
import { bindGrid } from "./grid.js";
import { bindHover } from "./hover.js";
import { onKey } from "./keys.js";
import { openMenu } from "./menu.js";
import { copyText, dropdown, onTheme } from "./shell.js";
import { RangeControl } from "./range.js";
import { bindVariables } from "./variables.js";

const { Bokeh, dashapp: { frames: { boot } } } = window;
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

function bindRefresh(state) {
  const picker = document.querySelector('.picker[data-picker="refresh"]');
  const [button, list] = [picker.querySelector("button"), picker.querySelector("ul")];
  dropdown(button, list, (item) => {
    for (const other of list.children) other.setAttribute("aria-selected", String(other === item));
    picker.querySelector("[data-label]").textContent = item.textContent;
    state.setv({ refresh: item.dataset.value });
    const url = new URL(location.href);
    url.searchParams.set("refresh", state.refresh);
    history.replaceState(null, "", url);
    showConnection(state);
  });
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

/** Open the page's session and bind its controls to `frames`, which show the board that came with the page. */
export async function openPage(frames) {
  bindShare(frames);
  bindFull();
  bindHover(frames);
  // The plots are to be on the screen first: the session has time until something changes.
  await new Promise((resolve) => (document.hidden ? resolve() : requestAnimationFrame(() => setTimeout(resolve))));
  const state = await openSession();
  if (!state) return comeBack();
  frames.state = state;

  const told = () => state.setv({ shown: [frames.number, frames.at] });
  state.properties.changes.change.connect(() => frames.apply(JSON.parse(state.changes)));
  state.properties.picture.change.connect(() => frames.show(JSON.parse(state.picture)).then(told));
  new RangeControl(frames, state, () => showConnection(state));
  bindRefresh(state);
  bindVariables(frames, state);
  onKey("r", "Refresh now", () => state.setv({ asked: state.asked + 1 }));
  bindKeys(frames);
  frames.grid = await bindGrid(frames);
  frames.grid.follow(frames.layout());
  showConnection(state);
  bindEdit(frames);
  const name = () => {
    document.querySelector(".crumbs h1").textContent = frames.title;
    document.title = `${frames.title} · dashapp`;
  };
  frames.addEventListener("title", name);

  const problem = () => { banner.textContent = state.problem; banner.hidden = !state.problem; };
  state.properties.problem.change.connect(problem);
  problem();

  const dress = (theme) => {
    if (state.theme === theme) return;
    state.theme = theme;
    frames.repaint();
  };
  onTheme(dress);
  dress(document.documentElement.dataset.theme);

  document.addEventListener("visibilitychange", () => { state.visible = document.visibilityState === "visible"; });
  if (document.visibilityState !== "visible") state.visible = false;
  // Only a browser's very first visit finds plots in the other theme.
  const settled = state.theme === boot.theme ? null : new Promise((resolve) => frames.addEventListener("version", resolve, { once: true }));
  told();
  await settled;
  setTimeout(() => sessionStorage.removeItem(TRIES), 20_000);
  performance.mark("dashapp-ready");
}

/** Keys that need no editor, and the list of all of them. */
function bindKeys(frames) {
  let over = null;
  document.addEventListener("pointerover", (event) => { over = event.target.closest?.(".panel") ?? over; });
  onKey("f", "Full screen of the panel under the pointer", () => {
    const panel = document.querySelector(".panel.full") ?? document.activeElement?.closest?.(".panel") ?? over;
    if (panel?.isConnected) full(panel);
  });
  onKey("?", "This list", async () => (await import(frames.boot.keyList)).showKeys());
}

/** The editor and its style sheet are loaded when somebody edits. */
function bindEdit(frames) {
  if (!boot.canEdit) return;
  const edit = async (name = "toggle") => (await import(boot.editor))[name](frames);
  document.querySelector('[data-action="edit"]').addEventListener("click", () => edit());
  document.querySelector('[data-action="add"]').addEventListener("click", () => edit("addPanel"));
  onKey("e", "Edit, or stop editing", () => edit());
  const wanted = new URLSearchParams(location.search).get("edit");
  if (wanted === "new") edit("addPanel");
  else if (wanted) edit("start");
}

function bindShare(frames) {
  const share = document.querySelector('[data-action="share"]');
  share.addEventListener("click", () => openMenu(share, () => [
    ["link", "Copy link", () => copyText(location.href, "Link copied: it shows this range.")],
    ["file", "Download as file", async () => (await import("./share.js")).downloadFile(boot, frames)],
    boot.canEdit && ["public", "Public link …", async () => (await import("./share.js")).showPublicLink(boot)],
    boot.canEdit && ["reports", "Scheduled reports …", async () => (await import("./reports.js")).showReports(frames)],
  ].filter(Boolean)));
}
