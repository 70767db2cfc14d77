// Requests to the service. The key lives in this tab's session only, and goes nowhere but to the service.

const KEY = "cutline-key";

export class Refusal extends Error {
  constructor(message, status, wait = 0, kind = "") {
    super(message);
    this.status = status;
    this.kind = kind; // of a picture's failure
    this.wait = wait; // seconds, as Retry-After says
  }
}

export function keep(key) {
  sessionStorage.setItem(KEY, key);
}

export function forget() {
  sessionStorage.removeItem(KEY);
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

// The answer's JSON; throws a Refusal whose message can be shown, or AbortError.
export async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  if (/[^\x20-\x7e]/.test(key ?? "")) throw new Refusal("No key has such characters.", 401); // nor has any header
  const headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  let response;
  try {
    response = await fetch(path, { cache: "no-store", headers, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The service did not answer. Is it running?", 0);
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  if (response.status === 401 && hasKey() && sessionStorage.getItem(KEY) !== key) return ask(path, options); // there is a newer one
  const wait = Number(response.headers.get("Retry-After")) || 0;
  throw new Refusal(said(body?.detail) || `The service answered ${response.status}.`, response.status, wait, body?.kind);
}

function said(detail) {
  const text = Array.isArray(detail) ? detail.map((one) => one.msg).join("; ") : detail;
  return typeof text === "string" && text ? text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".") : "";
}
