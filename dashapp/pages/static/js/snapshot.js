// A dashboard in a file of its own: drawn from what the file holds, with no server to ask.

import { bindFull } from "./cards.js";
import { Frames } from "./frames.js";
import { bindHover } from "./hover.js";
import { onTheme } from "./shell.js";
import * as timeaxis from "./timeaxis.js";

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
  document.querySelector('[data-role="range"]').textContent = timeaxis.writeRange(...frames.root.range_ms);
  document.querySelector('[data-role="made"]').textContent = timeaxis.writeMoment(boot.madeMs);
  performance.mark("dashapp-ready");
}
