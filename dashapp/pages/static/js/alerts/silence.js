// Making a silence.

import { call } from "../api.js";
import { openDialog } from "../dialog.js";
import { control, labelled, tell } from "../edit/form.js";
import { element } from "./shown.js";

const HOURS = [["1", "1 hour"], ["4", "4 hours"], ["24", "1 day"], ["168", "1 week"]];

/** Ask what to silence and for how long; `done` is called when it holds. */
export function silenceForm({ ruleId = null, ruleName = "" }, done) {
  const wanted = { hours: "1", severity: "", tags: {}, reason: "" };
  openDialog(ruleId ? `Silence “${ruleName}”` : "New silence", (body, dialog) => {
    const form = element("form", "fields");
    const specs = [
      { name: "hours", kind: "choice", label: "For", choices: HOURS.map(([value, label]) => ({ value, label })) },
      { name: "severity", kind: "choice", label: "Severity", choices: [{ value: "", label: "any" }, ...["critical", "warning", "info"].map((one) => ({ value: one, label: one }))] },
      { name: "tags", kind: "tags", label: "Only alerts with" },
      { name: "reason", kind: "text", label: "Why", empty: "So that others know" },
    ];
    const sources = { tags: async () => ({}) };
    for (const spec of specs) form.append(labelled(spec, control(spec, wanted[spec.name], (value) => { wanted[spec.name] = value; }, sources)));
    const buttons = element("div", "buttons"), cancel = element("button", "button", "Cancel"), go = element("button", "button primary", "Silence");
    cancel.type = "button";
    cancel.onclick = () => dialog.close();
    buttons.append(cancel, go);
    form.append(buttons);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const asked = { endsAt: new Date(Date.now() + Number(wanted.hours) * 3_600_000).toISOString(), tags: wanted.tags, reason: wanted.reason ?? "" };
      if (ruleId) asked.ruleId = ruleId;
      if (wanted.severity) asked.severity = wanted.severity;
      try {
        await call("POST", "/alerts/silences", asked);
        dialog.close();
        done();
      } catch (error) {
        for (const field of form.querySelectorAll(".field")) tell(field, error.details?.[field.dataset.field] ?? "");
        if (!form.querySelector(".wrong:not([hidden])")) tell(form.querySelector('[data-field="reason"]'), error.message);
      }
    });
    body.append(form);
  });
}
