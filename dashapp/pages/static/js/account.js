// The account page: password, sessions, tokens.

import { call } from "./api.js";
import { ask, onSend, reveal } from "./ask.js";
import { toast } from "./shell.js";

const form = (name) => document.querySelector(`[data-form="${name}"]`);

onSend(form("password"), async (data) => {
  if (data.get("new") !== data.get("again")) throw new Error("The two new passwords differ.");
  await call("PUT", "/auth/password", { current: data.get("current"), new: data.get("new") });
  sessionStorage.setItem("dashapp-said", "Password set; you are signed out everywhere else.");
  location.reload();
});

onSend(form("token"), async (data) => {
  const expires = data.get("expires");
  const made = await call("POST", "/auth/tokens", {
    name: data.get("name"), scope: data.get("scope"), expiresInDays: expires ? Number(expires) : null,
  });
  await reveal(`Token “${made.name}”`, "Copy it now: it isn't shown again. Whoever has it acts as you, within its scope.", made.token);
  location.reload();
});

document.querySelector("main").addEventListener("click", async (event) => {
  const action = event.target.dataset.action, row = event.target.closest("tr");
  try {
    if (action === "end") {
      await call("DELETE", `/auth/sessions/${row.dataset.session}`);
      row.remove();
      toast("Signed out there.");
    }
    if (action === "everywhere") {
      await ask({
        title: "Sign out everywhere?", sentence: "All your sessions end, this one too, and open pages close. Tokens stay valid.",
        confirm: "Sign out everywhere", danger: true,
        act: async () => { await call("DELETE", "/auth/sessions"); location.href = "/login"; },
      });
    }
    if (action === "revoke") {
      await ask({
        title: `Revoke “${row.dataset.name}”?`, sentence: "Programs that use it are refused at once. This can't be undone.",
        confirm: "Revoke", danger: true,
        act: async () => { await call("DELETE", `/auth/tokens/${row.dataset.token}`); row.remove(); toast("Token revoked."); },
      });
    }
  } catch (error) {
    toast(error.message, { tone: "bad", seconds: 12 });
  }
});

const said = sessionStorage.getItem("dashapp-said");
if (said) toast(said);
sessionStorage.removeItem("dashapp-said");
