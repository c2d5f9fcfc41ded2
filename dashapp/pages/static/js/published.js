// A dashboard for everybody who has its link: the page asks now and then what changed, like all others the same question.

import { bindFull } from "./cards.js";
import { fixedGrid } from "./fixedgrid.js";
import { Frames } from "./frames.js";
import { bindHover } from "./hover.js";
import { onTheme } from "./shell.js";
import * as timeaxis from "./timeaxis.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const dot = document.querySelector("[data-connection]"), banner = document.querySelector(".banner");

const frames = new Frames(boot);
frames.grid = fixedGrid();
window.dashapp = { frames };
timeaxis.install(window.Bokeh);

function connection(state, sentence = "") {
  dot.dataset.connection = state;
  dot.title = state === "live" ? `Live, refreshing every ${boot.refreshMs / 1000} s` : "Not fresh";
  dot.setAttribute("aria-label", dot.title);
  banner.textContent = sentence;
  banner.hidden = !sentence;
}

function away(sentence) {
  connection("lost", sentence);
  for (const panel of document.querySelectorAll('.panel[data-state="live"]')) panel.dataset.state = "stale";
}

let drawn = null;

/** Ask once; false when the link has ended. */
async function ask() {
  const theme = document.documentElement.dataset.theme;
  const asked = new URLSearchParams({ from: boot.start, theme });
  if (drawn === theme) { asked.set("board", frames.number); asked.set("at", frames.at); }
  let answer;
  try {
    answer = await fetch(`${boot.board}?${asked}`, { cache: "no-store" });
  } catch {
    away("The server doesn't answer; what you see is not fresh.");
    return true;
  }
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 404) { away(told.error); return false; }
  if (!answer.ok) { away(told.error ?? "The server doesn't answer; what you see is not fresh."); return true; }
  if (told.document) { await frames.show(told); drawn = theme; } else frames.apply(told);
  document.title = document.querySelector("h1").textContent = frames.title;
  for (const { card, panel } of frames.shown.values()) panel.dataset.state = card.state;
  connection("live");
  return true;
}

let asking = Promise.resolve(true);
const again = () => (asking = asking.then(ask));

async function follow() {
  // Pages that were opened together needn't ask together.
  const wait = () => new Promise((resolve) => setTimeout(resolve, boot.refreshMs * (0.9 + 0.2 * Math.random())));
  const seen = () => new Promise((resolve) => (document.hidden ? document.addEventListener("visibilitychange", resolve, { once: true }) : resolve()));
  if (!await again()) return;
  bindFull();
  bindHover(frames);
  onTheme(again);
  performance.mark("dashapp-ready");
  do { await wait(); await seen(); } while (await again());
}

follow();
