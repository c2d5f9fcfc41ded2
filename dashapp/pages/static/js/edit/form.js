// Form fields from the server's description of them: one control for each kind of field.

import { combobox } from "./combobox.js";

let count = 0;

/** A field's control with its label, help and place for what is wrong. `data-field` is the field's name. */
export function labelled(spec, element) {
  const box = document.createElement("div"), label = document.createElement("label"), wrong = document.createElement("p");
  box.className = `field ${spec.kind}`;
  box.dataset.field = spec.name;
  const input = element.matches("input, select, textarea") ? element : element.querySelector("input, select, textarea");
  label.textContent = spec.label;
  wrong.className = "wrong";
  wrong.id = `wrong-${++count}`;
  wrong.hidden = true;
  if (element.getAttribute("role")) {
    label.id = `label-${count}`;
    element.setAttribute("aria-labelledby", label.id);
  } else if (input) {
    input.id ||= `field-${count}`;
    label.htmlFor = input.id;
    input.setAttribute("aria-describedby", wrong.id);
  }
  if (spec.kind === "switch") box.append(element, label);
  else box.append(label, element);
  if (spec.help) {
    if (spec.kind === "switch") {
      const help = document.createElement("p");
      help.className = "help";
      help.textContent = spec.help;
      box.append(help);
    } else label.title = spec.help;
  }
  box.append(wrong);
  return box;
}

export function tell(box, message) {
  const wrong = box.querySelector(":scope > .wrong");
  wrong.textContent = message ? message[0].toUpperCase() + message.slice(1) : "";
  wrong.hidden = !message;
  box.querySelector("input, select, textarea")?.setAttribute("aria-invalid", String(Boolean(message)));
}

const text = (spec, value, change) => {
  const input = document.createElement("input");
  Object.assign(input, { type: "text", value: value ?? "", placeholder: spec.empty ?? "", spellcheck: false, autocomplete: "off" });
  input.addEventListener("input", () => change(input.value === "" ? null : input.value));
  return input;
};

function number(spec, value, change) {
  const input = text(spec, value, (typed) => {
    const parsed = typed === null ? null : Number(typed.replace(",", "."));
    // What is no number is sent as it is: the server says what is wrong with it.
    change(Number.isNaN(parsed) ? typed : parsed);
  });
  input.inputMode = "decimal";
  input.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || event.altKey) return;
    event.preventDefault();
    const now = Number(input.value || 0) + step * (event.shiftKey ? 10 : 1);
    input.value = Math.max(spec.minimum ?? -Infinity, Math.min(spec.maximum ?? Infinity, now));
    input.dispatchEvent(new Event("input"));
  });
  return input;
}

function area(spec, value, change) {
  const input = document.createElement("textarea");
  Object.assign(input, { value: value ?? "", rows: 3 });
  input.addEventListener("input", () => change(input.value));
  return input;
}

function choice(spec, value, change) {
  const select = document.createElement("select");
  for (const { value: key, label } of spec.choices) select.append(new Option(label, key, false, key === (value ?? spec.default ?? "")));
  select.addEventListener("change", () => change(select.value));
  return select;
}

function toggle(spec, value, change) {
  const input = document.createElement("input");
  Object.assign(input, { type: "checkbox", checked: value ?? spec.default ?? false });
  input.addEventListener("change", () => change(input.checked));
  return input;
}

/** Several of a set, as pills. */
function choices(spec, value, change) {
  const box = document.createElement("div"), chosen = new Set(value ?? spec.default ?? []);
  box.className = "pills";
  box.setAttribute("role", "group");
  for (const { value: key, label } of spec.choices) {
    const pill = document.createElement("label"), input = document.createElement("input");
    Object.assign(input, { type: "checkbox", value: key, checked: chosen.has(key) });
    input.addEventListener("change", () => {
      if (input.checked) chosen.add(key); else chosen.delete(key);
      // In the set's own order, whatever was pressed first.
      change(spec.choices.map((one) => one.value).filter((one) => chosen.has(one)));
    });
    pill.append(input, label);
    box.append(pill);
  }
  return box;
}

export const SERIES = ["#5b93ff", "#f29a4b", "#35bf9d", "#c583f5", "#f0647e", "#a3bf3c"];

/** The palette's colours, or one's own. */
function color(spec, value, change) {
  const box = document.createElement("div"), own = document.createElement("input");
  box.className = "swatches";
  box.setAttribute("role", "radiogroup");
  const name = `color-${++count}`;
  const swatch = (key, label) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name, value: key, checked: (value ?? "") === key, title: label });
    input.setAttribute("aria-label", label);
    if (key) input.style.setProperty("--swatch", key);
    input.addEventListener("change", () => { own.value = key; change(key || null); });
    box.append(input);
  };
  swatch("", "The palette's");
  SERIES.forEach((key, at) => swatch(key, `Colour ${at + 1}`));
  Object.assign(own, { type: "text", value: value ?? "", placeholder: "#rrggbb", maxLength: 7, spellcheck: false });
  own.setAttribute("aria-label", "Another colour, as #rrggbb");
  own.addEventListener("input", () => {
    for (const input of box.querySelectorAll("[type=radio]")) input.checked = input.value === own.value;
    change(own.value || null);
  });
  box.append(own);
  return box;
}

function metric(spec, value, change, sources) {
  return combobox({ value: value ?? "", placeholder: "Search metrics", label: spec.label, find: sources.metrics, change });
}

/** Equality filters: chips, and two fields for one more. */
function tags(spec, value, change, sources) {
  const box = document.createElement("div"), chosen = new Map(Object.entries(value ?? {}));
  box.className = "tags";
  box.setAttribute("role", "group");
  const set = () => change(Object.fromEntries(chosen));
  const draw = () => {
    const chips = [...chosen].map(([key, one]) => {
      const chip = document.createElement("span"), away = document.createElement("button");
      chip.className = "tag";
      const words = document.createElement("span");
      words.textContent = `${key} = ${[one].flat().join(" or ")}`;
      Object.assign(away, { type: "button", textContent: "✕", onclick: () => { chosen.delete(key); set(); draw(); box.querySelector("input")?.focus(); } });
      away.setAttribute("aria-label", `Remove ${key} = ${one}`);
      chip.append(words, away);
      return chip;
    });
    const add = combobox({
      value: "", placeholder: chosen.size ? "and …" : "any tag, e.g. host=a", label: "Add a tag filter", clear: true,
      async find(typed) {
        const known = await sources.tags();
        return Object.entries(known).filter(([key]) => !chosen.has(key))
          .flatMap(([key, values]) => values.map((one) => `${key}=${one}`))
          .filter((pair) => pair.toLowerCase().includes(typed.toLowerCase())).slice(0, 100).map((pair) => ({ value: pair, label: pair.replace("=", " = ") }));
      },
      picked(pair) {
        const at = pair.indexOf("=");
        if (at < 1) return;
        chosen.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
        set();
        draw();
        box.querySelector("input")?.focus();
      },
    });
    box.replaceChildren(...chips, add);
  };
  draw();
  return box;
}

/** The metric's tag keys as pills; those chosen before stay, whatever the metric. */
function tagKeys(spec, value, change, sources) {
  const box = document.createElement("div");
  box.className = "pills";
  box.setAttribute("role", "group");
  let chosen = [...(value ?? [])];
  const draw = async () => {
    const known = Object.keys(await sources.tags().catch(() => ({})));
    const keys = [...new Set([...chosen, ...known])];
    box.replaceChildren(...keys.map((key) => {
      const pill = document.createElement("label"), input = document.createElement("input");
      Object.assign(input, { type: "checkbox", value: key, checked: chosen.includes(key) });
      input.addEventListener("change", () => {
        chosen = input.checked ? [...chosen, key] : chosen.filter((one) => one !== key);
        change([...chosen]);
      });
      pill.append(input, key);
      return pill;
    }));
    if (!keys.length) {
      const none = document.createElement("span");
      none.className = "muted";
      none.textContent = "no tags to tell series apart by";
      box.append(none);
    }
  };
  draw();
  sources.onMetric?.(draw);
  return box;
}

const KINDS = { text, area, number, integer: number, choice, choices, switch: toggle, color, metric, tags, tagKeys };

/** A field's control; `change` gets its value, null for none. `sources` are where completions come from. */
export const control = (spec, value, change, sources) => (KINDS[spec.kind] ?? text)(spec, value, change, sources);
