// The users page: accounts made, changed, closed and deleted.

import { call } from "./api.js";
import { ask, choice, field, input, radios, reveal } from "./ask.js";
import { toast } from "./shell.js";

const ROLES = [["viewer", "Viewer: sees"], ["editor", "Editor: makes dashboards and rules"], ["admin", "Admin: changes everything"]];

async function showLink(id, email) {
  const { path } = await call("POST", `/users/${id}/signin-link`);
  await reveal(`Sign-in link for ${email}`, "Hand it over by a way that only this person reads. It works once, for a day.", `${location.origin}${path}&next=/account`);
}

document.querySelector('[data-action="add"]').addEventListener("click", async () => {
  const made = await ask({
    title: "Add a user", confirm: "Add",
    sentence: "Without a password you get a sign-in link to hand over.",
    fields: [
      field("E-mail", input({ name: "email", type: "email", required: true, autocomplete: "off" })),
      field("Role", choice("role", ROLES, "viewer")),
      field("Password, if you want to choose one", input({ name: "password", type: "password", minLength: 8, autocomplete: "new-password" })),
    ],
    act: (data) => call("POST", "/users", { email: data.get("email"), role: data.get("role"), password: data.get("password") || null }),
  });
  if (!made) return;
  if (!made.hasPassword) await showLink(made.id, made.email);
  location.reload();
});

const actions = {
  link: (row) => showLink(row.dataset.user, row.dataset.email),

  reset: async (row) => {
    const done = await ask({
      title: `Reset the password of ${row.dataset.email}?`, confirm: "Reset", danger: true,
      sentence: "The present password stops working, all sessions end, and you get a sign-in link to hand over. Tokens stay valid.",
      act: () => call("PUT", `/users/${row.dataset.user}`, { password: null }),
    });
    if (!done) return;
    await showLink(row.dataset.user, row.dataset.email);
    location.reload();
  },

  disable: async (row) => {
    const done = await ask({
      title: `Disable ${row.dataset.email}?`, confirm: "Disable", danger: true,
      sentence: "Sessions end, tokens are refused, and open pages close. Dashboards and rules stay as they are, and you can enable the account again.",
      act: () => call("PUT", `/users/${row.dataset.user}`, { disabled: true }),
    });
    if (done) location.reload();
  },

  enable: async (row) => {
    await call("PUT", `/users/${row.dataset.user}`, { disabled: false });
    location.reload();
  },

  delete: async (row) => {
    const count = Number(row.dataset.dashboards);
    const owned = count === 1 ? "1 dashboard" : `${count} dashboards`;
    const done = await ask({
      title: `Delete ${row.dataset.email}?`, confirm: "Delete", danger: true,
      sentence: "The account, its sessions and its tokens are gone for good. Its alert rules become yours."
        + (count ? ` It owns ${owned}:` : " It owns no dashboards."),
      fields: count ? [radios("dashboards", [["keep", `Keep: ${owned} become${count === 1 ? "s" : ""} mine`], ["delete", `Delete ${owned}, too`]])] : [],
      act: (data) => call("DELETE", `/users/${row.dataset.user}?dashboards=${data.get("dashboards") ?? "keep"}`),
    });
    if (done) location.reload();
  },
};

document.querySelector("tbody").addEventListener("click", async (event) => {
  const action = actions[event.target.dataset.action];
  if (!action || event.target.tagName !== "BUTTON") return;
  try {
    await action(event.target.closest("tr"));
  } catch (error) {
    toast(error.message, { tone: "bad", seconds: 12 });
  }
});

for (const select of document.querySelectorAll('[data-action="role"]')) {
  let before = select.value;
  select.addEventListener("change", async () => {
    const { user, email } = select.closest("tr").dataset;
    const done = await ask({
      title: `Make ${email} ${select.value}?`, confirm: "Change role", danger: select.value === "admin",
      sentence: "It counts at once, also for open pages and for tokens.",
      act: () => call("PUT", `/users/${user}`, { role: select.value }),
    });
    if (done) { before = select.value; toast(`${email} is ${before} now.`); } else select.value = before;
  });
}
