// A dashboard in a file of its own: drawn from what the file holds, with no server to ask.

import { bindFull } from "./cards.js";
import { Frames } from "./frames.js";
import { bindHover } from "./hover.js";
import { onTheme } from "./shell.js";
import * as timeaxis from "./timeaxis.js";
import { bindZoom } from "./zoom.js";

const ROUND_S = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000];

/** Draw `picture`; `themes` holds the patch that turns it into each theme. */
export async function show({ picture, themes }) {
  const boot = JSON.parse(document.getElementById("boot").textContent);
  timeaxis.install(window.Bokeh);
  const frames = new Frames(boot);
  window.dashapp = { frames };
  const dress = (theme) => { frames.doc.apply_json_patch(structuredClone(themes[theme])); frames.repaint(); };
  const theme = document.documentElement.dataset.theme;
  if (theme !== boot.first) picture.patches.push(structuredClone(themes[theme]));
  await frames.show(picture);
  onTheme(dress);
  bindFull();
  bindHover(frames);
  const look = (start, end) => {
    // Every plot over time has the same range and ticks.
    const axis = frames.doc.all_models.values().find((model) => model.type === "SingleIntervalTicker");
    if (axis) axis.interval = 1000 * (ROUND_S.find((seconds) => seconds * 7000 >= end - start) ?? 31_536_000);
    for (const { card } of frames.shown.values()) if (["line", "area", "stat", "heatmap"].includes(card.kind)) card.plot.x_range.setv({ start, end });
    document.querySelector('[data-role="range"]').textContent = timeaxis.writeRange(start, end);
  };
  const whole = frames.root.range_ms;
  look(...whole);
  bindZoom(frames, { zoom: (start, end) => look(start, Math.max(end, start + 1000)), out: () => look(...whole) });
  document.querySelector('[data-role="made"]').textContent = timeaxis.writeMoment(boot.madeMs);
  performance.mark("dashapp-ready");
}
