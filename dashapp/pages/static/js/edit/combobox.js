// A text field with suggestions that come as one types: the ARIA combobox with a list below it.

let count = 0;

/**
 * `find(text)` answers [{value, label?, note?}]. `change` gets each text as it is typed, `picked` what was chosen or
 * entered. With `clear` the field is empty again after that.
 */
export function combobox({ value, placeholder, label, find, change = () => {}, picked = change, clear = false }) {
  const box = document.createElement("div"), input = document.createElement("input"), list = document.createElement("ul");
  const id = `options-${++count}`;
  box.className = "combobox";
  Object.assign(input, { type: "text", value, placeholder, autocomplete: "off", spellcheck: false, role: "combobox" });
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", id);
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-label", label);
  Object.assign(list, { id, hidden: true, role: "listbox" });
  box.append(input, list);
  let at = -1, asked = 0, timer = 0, waiting = false;

  const close = () => {
    clearTimeout(timer);
    // What is still asked for comes too late.
    asked += 1;
    waiting = false;
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (index) => {
    const all = [...list.querySelectorAll('[role="option"]')];
    at = all.length ? (index + all.length) % all.length : -1;
    all.forEach((one, here) => one.setAttribute("aria-selected", String(here === at)));
    if (at >= 0) { all[at].scrollIntoView({ block: "nearest" }); input.setAttribute("aria-activedescendant", all[at].id); }
  };
  const take = (text) => {
    input.value = clear ? "" : text;
    close();
    picked(text);
  };
  const show = async (typed) => {
    const mine = ++asked;
    waiting = true;
    const found = await find(typed).catch(() => []);
    if (mine !== asked || document.activeElement !== input) return;
    waiting = false;
    list.replaceChildren(...found.map(({ value: key, label: name = key, note }, here) => {
      const option = document.createElement("li"), words = document.createElement("span");
      option.role = "option";
      option.id = `${id}-${here}`;
      option.dataset.value = key;
      words.textContent = name;
      option.append(words);
      if (note) {
        const more = document.createElement("small");
        more.textContent = note;
        option.append(more);
      }
      return option;
    }));
    at = -1;
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
  };
  const soon = (typed) => {
    clearTimeout(timer);
    waiting = true;
    timer = setTimeout(() => show(typed), 80);
  };
  input.addEventListener("focus", () => show(""));
  input.addEventListener("click", () => { if (list.hidden) show(""); });
  input.addEventListener("input", () => { soon(input.value); change(input.value); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) show(input.value); else mark(at + (event.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1));
    } else if (event.key === "Enter") {
      const chosen = list.querySelectorAll('[role="option"]')[at];
      if (chosen) take(chosen.dataset.value);
      else if (clear && input.value) take(input.value);
      else close();
    } else if (event.key === "Escape" && (!list.hidden || waiting)) {
      close();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  });
  // Before the field loses the focus.
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const option = event.target.closest('[role="option"]');
    if (option) take(option.dataset.value);
  });
  return box;
}
