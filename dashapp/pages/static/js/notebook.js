// A board in a notebook's cell. The element around this page carries questions to the kernel and answers back (see
// dashapp/notebook/stage.js). As on a public link the page asks: what nobody looks at costs nothing.

import { bindFull } from "./cards.js";
import { fixedGrid } from "./fixedgrid.js";
import { Frames } from "./frames.js";
import { bindHover } from "./hover.js";
import * as timeaxis from "./timeaxis.js";

export async function start() {
  const outside = window.frameElement, root = document.documentElement;
  const banner = document.querySelector(".banner"), grid = document.querySelector(".grid-stack");
  const frames = new Frames({ alone: true, canEdit: false });
  frames.grid = fixedGrid();
  window.dashapp = { frames };
  timeaxis.install(window.Bokeh);
  bindFull();
  bindHover(frames);
  new ResizeObserver(() => { outside.style.height = `${grid.offsetHeight + 8 + banner.offsetHeight}px`; }).observe(grid);

  function say(sentence) {
    banner.textContent = sentence;
    banner.hidden = !sentence;
  }

  /** Ask once; the ms until it is to be asked again, 0 for not by itself. */
  async function ask() {
    const theme = root.dataset.theme = outside.dataset.theme;
    const answer = await outside.ask({ board: frames.number, at: frames.at, theme });
    if (!answer?.told) {
      say(answer?.error ?? "The kernel doesn't answer; what you see is not fresh. Run the cell again.");
      for (const panel of document.querySelectorAll('.panel[data-state="live"]')) panel.dataset.state = "stale";
      return answer?.every ?? 10_000;
    }
    say("");
    const told = JSON.parse(answer.told);
    if (told.document) await frames.show(told); else frames.apply(told);
    for (const { card, panel } of frames.shown.values()) panel.dataset.state = card.state;
    frames.repaint();
    performance.mark("dashapp-ready");
    return answer.every;
  }

  // One question at a time; who wants one while one is under way gets the next.
  let asking = Promise.resolve(), timer = 0, isNear = true, waits = false;
  const isSeen = () => isNear && !document.hidden;
  const later = (every) => {
    clearTimeout(timer);
    if (every) timer = setTimeout(() => (isSeen() ? again() : (waits = true)), every);
  };
  const again = () => (asking = asking.then(ask).then(later));
  const seen = () => {
    if (!waits || !isSeen()) return;
    waits = false;
    again();
  };
  new IntersectionObserver((changes) => { isNear = changes.at(-1).isIntersecting; seen(); }).observe(grid);
  document.addEventListener("visibilitychange", seen);
  outside.addEventListener("nudge", again);
  await again();
}
