// A panel's queries elsewhere: as a link of /explore, as a new alert rule, as Python.

const TEXTS = ["query", "aggregation", "function", "alias"];
/** Options that a link of /explore carries. */
const OPTIONS = ["unit", "decimals", "calculation", "min", "max", "color", "stack", "limit", "step"];
const NUMBERS = ["decimals", "min", "max", "limit"];

const queriesOf = ({ query, options }) => [{ ...options, query }, ...(options.queries ?? [])];

/** The panel as parameters of a link, added to `asked`. A further query's have its number behind them: `query.2`. */
export function writeLink({ type, query, options = {} }, asked = new URLSearchParams()) {
  const put = (name, value) => { if (value !== null && value !== undefined && value !== "" && value !== false) asked.append(name, value); };
  queriesOf({ query, options }).forEach((one, at) => {
    const tail = at ? `.${at + 1}` : "";
    for (const name of TEXTS) put(name + tail, one[name]);
    for (const [key, value] of Object.entries(one.tags ?? {})) for (const each of [value].flat()) put(`tags${tail}`, `${key}=${each}`);
    for (const key of one.groupBy ?? []) put(`groupBy${tail}`, key);
  });
  if (type !== "line") put("type", type);
  for (const name of OPTIONS) if (!(name === "calculation" && options[name] === "last")) put(name, options[name]);
  return asked;
}

/** The panel of a link; its metric is empty where the link names none. */
export function readLink(asked) {
  const queries = [];
  for (let at = 0; at === 0 || asked.has(`query.${at + 1}`); at += 1) {
    const tail = at ? `.${at + 1}` : "", one = { query: "" };
    for (const name of TEXTS) if (asked.get(name + tail)) one[name] = asked.get(name + tail);
    for (const pair of asked.getAll(`tags${tail}`)) {
      const cut = pair.indexOf("="), key = pair.slice(0, cut), value = pair.slice(cut + 1);
      // One key several times is any of its values.
      if (cut > 0) (one.tags ??= {})[key] = key in one.tags ? [one.tags[key], value].flat() : value;
    }
    const keys = asked.getAll(`groupBy${tail}`).flatMap((one) => one.split(",")).filter(Boolean);
    if (keys.length) one.groupBy = keys;
    queries.push(one);
  }
  const [{ query, ...options }, ...more] = queries;
  if (more.length) options.queries = more;
  for (const name of OPTIONS) {
    const text = asked.get(name);
    if (text) options[name] = name === "stack" ? text === "true" : NUMBERS.includes(name) && !Number.isNaN(Number(text)) ? Number(text) : text;
  }
  return { type: asked.get("type") || "line", query, options };
}

/** The names of a link's parameters that are the panel's. */
export const isOfPanel = (name) => [...TEXTS, "tags", "groupBy", "type", ...OPTIONS].includes(name.replace(/\.\d+$/, ""));

/** A link to /explore that shows the panel's queries over the range of this page. */
export function exploreLink({ type, query, options }) {
  const asked = writeLink({ type: type === "area" ? type : "line", query, options });
  const here = new URLSearchParams(location.search);
  for (const name of ["from", "to", "tz"]) if (here.has(name)) asked.set(name, here.get(name));
  return `/explore?${asked}`;
}

/** A link to a new alert rule on the panel's first query. */
export function alertLink({ title, query, options }) {
  const asked = new URLSearchParams({ query, name: title });
  for (const name of ["aggregation", "function"]) if (options[name]) asked.set(name, options[name]);
  for (const [key, value] of Object.entries(options.tags ?? {})) {
    // Several values are no filter of a rule; it has an instance for each.
    if (!Array.isArray(value)) asked.append("tags", `${key}=${value}`);
    else if (!(options.groupBy ?? []).includes(key)) asked.append("groupBy", key);
  }
  for (const key of options.groupBy ?? []) asked.append("groupBy", key);
  const threshold = options.thresholds?.critical ?? options.thresholds?.warning;
  if (threshold !== undefined && threshold !== null) asked.set("threshold", threshold);
  return `/alerts/new?${asked}`;
}

// JSON's strings are Python's too.
const text = JSON.stringify;

/** Lines for a notebook that ask for the same numbers; `steps` are the widths of the buckets that are shown. */
export function pythonOf({ query, options = {} }, { start, end }, steps = []) {
  const range = end === "now" && /^now-\d+[smhdw]$/.test(start) ? `last=${text(start.slice(4))}` : `start=${text(start)}, end=${text(end)}`;
  const natural = ["min", "max", "sum"].includes(options.calculation) ? options.calculation : "avg";
  const calls = queriesOf({ query, options }).map((one, at) => {
    const parts = [text(one.query), range], keys = one.groupBy ?? [], tags = Object.entries(one.tags ?? {});
    if (keys.length) parts.push(`by=${keys.length === 1 ? text(keys[0]) : `[${keys.map(text).join(", ")}]`}`);
    const step = steps[at] ?? options.step;
    if (step) parts.push(`step=${text(step)}`);
    if (tags.length) parts.push(`tags={${tags.map(([key, value]) => `${text(key)}: ${Array.isArray(value) ? `[${value.map(text).join(", ")}]` : text(value)}`).join(", ")}}`);
    const aggregation = one.aggregation ?? natural;
    if (aggregation !== "avg") parts.push(`aggregation=${text(aggregation)}`);
    if (one.function) parts.push(`function=${text(one.function)}`);
    return `query(${parts.join(", ")})`;
  });
  if (calls.length === 1) return `import dashapp\n\ndashapp.connect().${calls[0]}\n`;
  return ["import dashapp", "", "client = dashapp.connect()", ...calls.map((call, at) => `query_${at + 1} = client.${call}`), ""].join("\n");
}
