// Asking people: dialogs.

const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

/**
 * A dialog. `fields` are elements between the sentence and the buttons; `confirm` names the button that runs `act`, whose
 * error is shown and keeps the dialog open.
 */
export function ask({ title, sentence = "", fields = [], confirm, danger = false, cancel = "Cancel", act }) {
  const problem = make("p", { className: "problem", hidden: true });
  problem.setAttribute("role", "alert");
  const go = confirm && make("button", { type: "submit", className: `button primary${danger ? " danger" : ""}` }, confirm);
  const leave = make("button", { type: "button", className: "button" }, cancel);
  const form = make("form", {}, make("h2", {}, title), ...(sentence ? [make("p", { className: "muted" }, sentence)] : []),
    ...fields, problem, make("div", { className: "buttons" }, leave, ...(go ? [go] : [])));
  const dialog = make("dialog", { className: "dialog" }, form);
  dialog.setAttribute("aria-label", title);
  return new Promise((resolve) => {
    let done;
    leave.onclick = () => dialog.close();
    dialog.onclose = () => { dialog.remove(); resolve(done); };
    form.onsubmit = async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        done = await act(new FormData(form)) ?? true;
        dialog.close();
      } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
        go.disabled = false;
      }
    };
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Show a secret that will not be shown again. */
export function reveal(title, sentence, secret) {
  const field = make("input", { className: "secret", readOnly: true, value: secret });
  field.onfocus = () => field.select();
  const copy = make("button", { type: "button", className: "button" }, "Copy");
  copy.onclick = async () => {
    field.focus();
    try {
      await navigator.clipboard.writeText(secret);
      copy.textContent = "Copied";
    } catch { copy.textContent = "Press Ctrl-C"; }
  };
  return ask({ title, sentence, fields: [field, make("div", {}, copy)], cancel: "Done" });
}

/** A labelled field of a dialog. */
export const field = (label, element) => make("label", {}, label, element);
export const input = (properties) => make("input", properties);
export function choice(name, options, chosen) {
  return make("select", { name }, ...options.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
}
export function radios(name, options) {
  return make("fieldset", {}, ...options.map(([value, text], index) => make("label", {},
    make("input", { type: "radio", name, value, checked: index === 0 }), text)));
}

/** Run `act` when a form is sent; its error is shown in the form. */
export function onSend(form, act) {
  const problem = form.querySelector(".problem");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      await act(new FormData(form));
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  });
}
