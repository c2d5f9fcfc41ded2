// The dashboard page: plots first, from the board's document that came with the page. What one does with them is loaded
// meanwhile, and started once they stand.

import { Frames, frame } from "./frames.js";
import * as timeaxis from "./timeaxis.js";

async function start() {
  const boot = JSON.parse(document.getElementById("boot").textContent);
  timeaxis.install(window.Bokeh);
  const frames = new Frames(boot);
  window.dashapp = { frames };
  await frames.show(JSON.parse(document.getElementById("picture").textContent));
  await frame();
  const { openPage } = await import("./session.js");
  await openPage(frames);
}

start();
