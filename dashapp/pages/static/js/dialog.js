// Dialogs: the browser's own keep the focus inside and close on Escape.

let count = 0;

/** Open a dialog over the page; answers it. Its content comes from `fill(body, dialog)`. */
export function openDialog(title, fill, { wide = false, closed = () => {} } = {}) {
  const before = document.activeElement;
  const dialog = document.createElement("dialog");
  dialog.className = wide ? "dialog wide" : "dialog";
  const head = document.createElement("header"), heading = document.createElement("h2"), close = document.createElement("button");
  heading.textContent = title;
  heading.id = `dialog-title-${++count}`; // a dialog may open another
  dialog.setAttribute("aria-labelledby", heading.id);
  Object.assign(close, { type: "button", className: "quiet", title: "Close (Esc)", textContent: "✕" });
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => dialog.close());
  head.append(heading, close);
  const body = document.createElement("div");
  body.className = "dialog-body";
  dialog.append(head, body);
  fill(body, dialog);
  dialog.addEventListener("close", () => { dialog.remove(); before?.focus?.(); closed(dialog.returnValue); });
  // A press beside it closes it.
  dialog.addEventListener("pointerdown", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
  return dialog;
}
