// How alerts are written: states, values, moments, spans; and small tables.

const moment = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export const writeMoment = (text) => (text ? moment.format(new Date(text)) : "");

/** `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function writeSpan(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

export const writeSince = (text) => (text ? writeSpan(Date.now() - new Date(text)) : "");
export const writeValue = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(5))));
export const writeTags = (tags) => Object.entries(tags).map(([key, value]) => `${key}=${value}`).join(" ");

const SIGNS = { gt: ">", gte: "≥", lt: "<", lte: "≤", eq: "=", ne: "≠" };
const REASONS = { nodata: "no samples any more", gone: "the series is gone", changed: "the rule was changed", disabled: "the rule was disabled", deleted: "the rule was deleted" };
const STATES = { ok: "ok", pending: "pending", firing: "firing", nodata: "no data", error: "error", disabled: "disabled", resolved: "resolved" };

export const writeReason = (reason) => REASONS[reason] ?? reason ?? "";

/** The condition in words: `avg of cpu.usage by host > 90 for 5 minutes`. */
export function sentence(rule) {
  const what = rule.function ? `${rule.aggregation} ${rule.function} of ${rule.query}` : `${rule.aggregation} of ${rule.query}`;
  const tags = Object.keys(rule.tags).length ? ` with ${writeTags(rule.tags)}` : "";
  const by = rule.groupBy.length ? ` by ${rule.groupBy.join(", ")}` : "";
  const held = /^0\b/.test(rule.duration) ? "" : ` for ${rule.duration}`;
  return `${what}${tags}${by} ${SIGNS[rule.condition]} ${writeValue(rule.threshold)}${held}`;
}

export function stateChip(state, note = "") {
  const chip = element("span", "state", STATES[state] ?? state);
  chip.dataset.state = state;
  if (note) chip.title = note;
  return chip;
}

export function element(tag, name = "", content = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (content !== "") made.append(content);
  return made;
}

/** A table of rows, each a list of cells: text, an element, or [text or element, class]. `rows` may hold made rows. */
export function table(heads, rows) {
  const made = element("table", "alert-table"), head = made.createTHead().insertRow();
  for (const one of heads) {
    const [text, name] = Array.isArray(one) ? one : [one, ""];
    head.append(element("th", name, text));
  }
  const body = made.createTBody();
  for (const cells of rows) {
    if (cells instanceof HTMLTableRowElement) { body.append(cells); continue; }
    body.append(row(cells));
  }
  return made;
}

export function row(cells, name = "") {
  const made = element("tr", name);
  for (const one of cells) {
    const [content, kind] = Array.isArray(one) ? one : [one, ""];
    made.append(element("td", kind, content ?? ""));
  }
  return made;
}

export function emptyMessage(title, text, action = null) {
  const box = element("div", "message empty");
  box.append(element("h2", "", title), element("p", "", text));
  if (action) box.append(action);
  return box;
}

export function link(href, text, name = "") {
  const made = element("a", name, text);
  made.href = href;
  return made;
}

/** Deliveries of an event: one chip for each channel. */
export function deliveries(event) {
  const box = element("span");
  for (const one of event.deliveries) {
    const chip = stateChip(one.state, `${one.type} ${one.target}${one.error ? `: ${one.error}` : ""}${one.attempts > 1 ? ` (${one.attempts} tries)` : ""}`);
    chip.textContent = `${one.type} ${one.state}`;
    box.append(chip, " ");
  }
  if (!event.deliveries.length) box.append("nobody to tell");
  return box;
}
