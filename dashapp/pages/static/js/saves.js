// Saving over the REST API. What is saved shows already; one save follows the other, each made on the version before.

import { Failure, call } from "./api.js";
import { toast } from "./shell.js";

const bySomebodyElse = "Somebody else changed this dashboard in the meantime.";

class Saves {
  #last = Promise.resolve();
  #version = 0;

  constructor(frames) { this.frames = frames; }

  /** The version that the next change is made on. Each accepted change raises it by one; the page may not know yet. */
  get version() { return Math.max(this.#version, this.frames.version); }

  /**
   * Send a change; answers its data (`true` where there is none), or null where it failed. `back` then shows the
   * server's state again. `version` says what the change was made on, where that is older than the page.
   */
  send(change) {
    const sent = this.#last.then(() => this.#send(change));
    this.#last = sent.catch(() => {});
    return sent;
  }

  /** When the page shows what was saved; or soon, where no notice of it comes. */
  shown() {
    const { frames } = this;
    return new Promise((resolve) => {
      const look = () => { if (frames.version >= this.#version) end(); };
      const end = () => { clearTimeout(timer); frames.removeEventListener("version", look); resolve(); };
      const timer = setTimeout(end, 2000);
      frames.addEventListener("version", look);
      look();
    });
  }

  async #send({ what, method, path, body, version = null, back = () => {}, again = null }) {
    const made = version ?? this.version;
    // Adding and deleting say their version in the address, changes in the body.
    const put = method === "PUT";
    try {
      const data = await call(method, put ? path : `${path}?version=${made}`, put ? { ...body, version: made } : body);
      this.#version = Math.max(this.#version, data?.version ?? made + 1);
      return data ?? true;
    } catch (error) {
      if (error instanceof Failure && error.status === 409) return this.#conflict({ what, method, path, body, back, again });
      back();
      toast(`${what} could not be saved: ${error.message}.`, { tone: "bad", seconds: 12, action: again && ["Edit again", again] });
      return null;
    }
  }

  /** Nothing is overwritten unasked. */
  #conflict(change) {
    return new Promise((resolve) => {
      const reload = () => { change.back(); resolve(null); };
      const overwrite = async () => {
        const { version } = await call("GET", `/dashboards/${this.frames.boot.dashboardId}`).catch(() => ({ version: null }));
        resolve(this.#send({ ...change, version }));
      };
      toast(bySomebodyElse, { tone: "bad", seconds: 30, actions: [["Reload", reload], ["Overwrite", overwrite]], gone: reload });
    });
  }
}

let one = null;
export const savesOf = (frames) => (one ??= new Saves(frames));
