// Scheduled reports of a dashboard: a list of them, and the form that makes and changes one.

import { call } from "./api.js";
import { ask } from "./ask.js";
import { openDialog } from "./dialog.js";
import { combobox } from "./edit/combobox.js";
import { control, labelled, tell } from "./edit/form.js";
import { styled } from "./edit/style.js";
import { toast } from "./shell.js";
import { ALL } from "./variables.js";

const EVERY = [["day", "day"], ["week", "week"], ["month", "month"]];
const WEEKDAYS = [["mon", "Monday"], ["tue", "Tuesday"], ["wed", "Wednesday"], ["thu", "Thursday"], ["fri", "Friday"], ["sat", "Saturday"], ["sun", "Sunday"]];
const RANGES = [["now-24h", "the last 24 hours"], ["now-7d", "the last 7 days"], ["now-30d", "the last 30 days"], ["now-90d", "the last 90 days"], ["now-365d", "the last year"]];

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((one) => one !== null));
  return element;
};
const button = (text, onclick, className = "button") => make("button", { type: "button", className, onclick }, text);
const moment = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const written = (text) => moment.format(new Date(text));
/** The reader's time zone, in which moments are written. */
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const sentence = (text) => text[0].toUpperCase() + text.slice(1);
const rangeOf = (start) => RANGES.find(([value]) => value === start)?.[1] ?? `since ${start}`;
const valuesOf = (variables) => Object.entries(variables)
  .map(([name, values]) => `${name} = ${values.map((one) => (one === ALL ? "all" : one)).join(", ")}`).join("; ");

/** The dialog; its list stays open behind the form. */
export async function showReports(frames) {
  const { boot } = frames, path = `/dashboards/${boot.dashboardId}/reports`;
  let reports;
  try {
    [reports] = await Promise.all([call("GET", path), styled(boot)]);
  } catch (error) {
    return toast(`The scheduled reports could not be read: ${error.message}.`, { tone: "bad" });
  }
  openDialog("Scheduled reports", (body) => {
    const list = make("ul", { className: "reports" });
    const put = (made) => {
      const at = reports.findIndex((one) => one.id === made.id);
      if (at < 0) reports.push(made); else reports[at] = made;
      draw();
    };
    /** Do something on the server; what comes back is shown, what goes wrong is said. */
    const act = async (method, address, sent, what) => {
      try {
        return await call(method, address, sent);
      } catch (error) {
        toast(`The report could not be ${what}: ${error.message}.`, { tone: "bad" });
        return undefined;
      }
    };
    const open = (report) => showForm(frames, report, (values) => (report ? call("PUT", `/reports/${report.id}`, values) : call("POST", path, values)), put);

    const item = (report) => {
      const { id, paused, error } = report;
      const run = async ({ target }) => {
        target.disabled = true;
        target.textContent = "Sending …";
        const now = await act("POST", `/reports/${id}/run`, undefined, "sent");
        // What became of it stands in its lines.
        if (now) put(now); else draw();
        list.querySelector(`[data-report="${id}"] button`).focus();
      };
      const pause = async () => {
        const now = await act("PUT", `/reports/${id}`, { paused: !paused }, paused ? "resumed" : "paused");
        if (now) put(now);
      };
      const remove = () => ask({
        title: "Delete this report?", sentence: "It is sent no more. Files that it wrote stay.", confirm: "Delete", danger: true,
        act: async () => {
          await call("DELETE", `/reports/${id}`);
          reports = reports.filter((one) => one.id !== id);
          draw();
        },
      });
      const targets = [...report.emails, ...(report.folder ? [`folder ${report.folder}, the newest ${report.keep}`] : [])].join(", ");
      const state = [paused ? "Paused" : report.retryAt ? `Next try ${written(report.retryAt)}` : `Next ${written(report.nextAt)}${report.schedule.zone === HERE ? "" : " your time"}`, report.lastAt ? `last sent ${written(report.lastAt)}` : "not sent yet"];
      const chosen = valuesOf(report.variables);
      const lines = make("li", {},
        make("h3", {}, sentence(report.when)),
        make("p", {}, `${sentence(rangeOf(report.start))}${chosen ? `, ${chosen}` : ""}, to ${targets}`),
        make("p", { className: "muted" }, `${state.join(" · ")}${report.owner ? "" : " · nobody's"}`),
        error ? make("p", { className: "wrong" }, sentence(error)) : null,
        make("div", { className: "buttons" }, button("Send now", run), button(paused ? "Resume" : "Pause", pause), button("Change", () => open(report)), button("Delete", remove, "button danger")));
      lines.dataset.report = id;
      return lines;
    };
    list.setAttribute("aria-live", "polite");
    const empty = make("div", { className: "muted" },
      make("p", {}, "No reports yet. A report is this dashboard as one file, made every day, week or month: sent by mail, or kept in a folder of the server."));
    const draw = () => {
      list.replaceChildren(...reports.map(item));
      list.hidden = !reports.length;
      empty.hidden = Boolean(reports.length);
    };
    draw();
    const { mail, folder } = boot.reports;
    const none = "No mail server is set, so that no mails can be sent; an admin sets DASHAPP_SMTP_URL.";
    body.append(empty, list, make("footer", {}, make("span", { className: "muted" }, mail || folder ? "" : none), mail || folder ? button("New report", () => open(null), "button primary") : ""));
  });
}

/** The form: `send` gets its values and answers the report, `done` gets that. */
function showForm({ boot, variables }, report, send, done) {
  const { every = "week", weekday = "mon", day = 1, at = "08:00", zone: own = HERE } = report?.schedule ?? {};
  const wanted = {
    every, weekday, day, at, zone: own, start: report?.start ?? "now-7d", emails: (report?.emails ?? []).join(", "),
    folder: report?.folder ?? "", keep: report?.keep ?? 30, shown: !report && variables.length > 0,
  };
  openDialog(report ? "Change the report" : "New report", (body, dialog) => {
    const form = make("form", { className: "fields" }), problem = make("p", { className: "wrong" }), boxes = {};
    problem.setAttribute("role", "alert");
    const choices = (pairs, now) => [...pairs, ...(pairs.some(([value]) => value === now) ? [] : [[now, `since ${now}`]])].map(([value, label]) => ({ value, label }));
    const add = (spec, element) => {
      const change = (value) => { wanted[spec.name] = value; follow(); };
      form.append(boxes[spec.name] = labelled(spec, element ?? control(spec, wanted[spec.name], change)));
    };
    const follow = () => {
      boxes.weekday.hidden = wanted.every !== "week";
      boxes.day.hidden = wanted.every !== "month";
      if (boxes.keep) boxes.keep.hidden = !wanted.folder;
    };
    add({ name: "every", label: "Every", kind: "choice", choices: choices(EVERY, every) });
    add({ name: "weekday", label: "On", kind: "choice", choices: choices(WEEKDAYS, weekday) });
    add({ name: "day", label: "On day (1–28)", kind: "integer", minimum: 1, maximum: 28 });
    add({ name: "at", label: "At", kind: "text", empty: "08:00" });
    const zones = ["UTC", ...Intl.supportedValuesOf("timeZone")];
    const find = async (typed) => zones.filter((one) => one.toLowerCase().includes(typed.toLowerCase().replaceAll(" ", "_"))).slice(0, 60).map((value) => ({ value }));
    add({ name: "zone", label: "In the time zone of", kind: "text" }, combobox({ value: own, placeholder: "Europe/Berlin", label: "In the time zone of", find, change: (value) => { wanted.zone = value; } }));
    add({ name: "start", label: "Shows", kind: "choice", choices: choices(RANGES, wanted.start) });
    if (variables.length) {
      const now = valuesOf(shownNow(variables)), kept = report ? valuesOf(report.variables) || "what the dashboard shows first" : "";
      add({ name: "shown", label: `With what the page shows now: ${now}`, kind: "switch", help: report ? `Otherwise as it is: ${kept}.` : "" });
    }
    if (boot.reports.mail || wanted.emails) add({ name: "emails", label: "By mail to", kind: "text", empty: "ada@example.org, grace@example.org" });
    if (boot.reports.folder) {
      add({ name: "folder", label: "Into the folder, below the server's folder of reports", kind: "text", empty: "none" });
      add({ name: "keep", label: "Keep so many files there", kind: "integer", minimum: 1, maximum: 1000 });
    }
    follow();
    form.append(problem, make("footer", {}, make("span", { className: "space" }), button("Cancel", () => dialog.close()), make("button", { type: "submit", className: "button primary" }, report ? "Save" : "Make it")));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { start, keep, shown } = wanted;
      const values = {
        schedule: { every: wanted.every, weekday: wanted.weekday, day: wanted.day ?? 1, at: wanted.at ?? "", zone: wanted.zone },
        start, keep: keep ?? 30, ...(shown ? { variables: shownNow(variables) } : {}),
      };
      if (boxes.emails) values.emails = (wanted.emails ?? "").split(/[\s,;]+/).filter(Boolean);
      if (boxes.folder) values.folder = wanted.folder || null;
      try {
        const made = await send(values);
        dialog.close();
        done(made);
      } catch (error) {
        show(error);
      }
    });
    /** What is wrong beside its field, the rest below. */
    const show = (error) => {
      const left = new Map(Object.entries(error.details ?? {})), none = !left.size;
      for (const [name, box] of Object.entries(boxes)) {
        const keys = [...left.keys()].filter((one) => one === name || one.startsWith(`${name}.`) || one === `schedule.${name}`);
        tell(box, keys.map((one) => left.get(one)).join("; "));
        for (const key of keys) left.delete(key);
      }
      problem.textContent = none ? sentence(error.message) : left.size ? sentence([...left.values()][0]) : "";
    };
    body.append(form);
  });
}

/** What each variable shows now, as a link would choose it. */
const shownNow = (variables) => Object.fromEntries(variables.map(({ name, chosen }) => [name, chosen.length ? [...chosen] : [ALL]]));
