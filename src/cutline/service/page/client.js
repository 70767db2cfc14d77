// Requests to the service. The key lives in this tab's session only, and goes nowhere but to the service.

const KEY = "cutline-key";

export class ServiceError extends Error {
  constructor(message, status, wait = 0, kind = "") {
    super(message);
    this.status = status;
    this.kind = kind; // of failure
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

// The response's JSON; throws a ServiceError whose message can be shown, or AbortError.
export async function request(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  if (/[^\x20-\x7e]/.test(key ?? "")) throw new ServiceError("No key has such characters.", 401); // nor has any header
  const headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  let response;
  try {
    response = await fetch(path, { cache: "no-store", headers, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("The service did not respond. Is it running?", 0);
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  if (response.status === 401 && hasKey() && sessionStorage.getItem(KEY) !== key) return request(path, options); // there is a newer one
  const wait = Number(response.headers.get("Retry-After")) || 0;
  throw new ServiceError(sentence(body?.detail) || `The service responded ${response.status}.`, response.status, wait, body?.kind);
}

function sentence(detail) {
  const text = Array.isArray(detail) ? detail.map((one) => one.msg).join("; ") : detail;
  return typeof text === "string" && text ? text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".") : "";
}
