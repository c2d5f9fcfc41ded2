// Calls of the REST API, signed in by the page's cookie.

export class Failure extends Error {
  constructor(message, status, details) {
    super(message);
    this.status = status;
    this.details = details ?? {};
  }
}

/** The answer's data. Throws a `Failure` with a sentence for people. */
export async function call(method, path, body, options = {}) {
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method, headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body), ...options,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("the server doesn't answer", 0);
  }
  if (answer.status === 204) return null;
  // Whose session ended comes back here after signing in.
  if (answer.status === 401) location.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failure((document.error ?? `the server answered ${answer.status}`).replace(/\.$/, ""), answer.status, document.details);
  return document.data;
}

/** What a new dashboard or panel is made of: the stored one without what is its own. */
export const definitionOf = ({ title, type, query, options, position }) => ({ title, type, query, options, position });

/** A copy of a dashboard, named so; with the same panels. */
export async function duplicate(dashboardId) {
  const { name, description, variables, panels } = await call("GET", `/dashboards/${dashboardId}`);
  return call("POST", "/dashboards", { name: `${name.slice(0, 190)} (copy)`, description, variables, panels: panels.map(definitionOf) });
}
