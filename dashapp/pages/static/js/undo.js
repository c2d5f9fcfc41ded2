// Taking things back: a toast with Undo, and Ctrl+Z for as long as the page is open.

import { isTyping } from "./keys.js";
import { toast } from "./shell.js";

const steps = [];

async function take(step) {
  const at = steps.indexOf(step);
  if (at < 0) return;
  steps.splice(at, 1);
  document.querySelector(".toast")?.remove();
  await step.back();
}

/** Say what was done; `back` takes it back. */
export function undoable(text, back) {
  const step = { back };
  steps.push(step);
  toast(text, { action: ["Undo", () => take(step)], seconds: 8 });
}

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z" || isTyping(event.target)) return;
  event.preventDefault();
  if (steps.length) take(steps.at(-1));
});
