// @ts-check
/** Requests to the server. Every failure is an ApiError whose message can be shown. */

export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {any} body */
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

const STAYS = 1000; // ms after which a page that was to be left is still there

/** While the page is left, requests are kept alive. */
let isLeaving = false;
window.addEventListener("beforeunload", () => {
  isLeaving = true;
  setTimeout(() => (isLeaving = false), STAYS);
});
window.addEventListener("pagehide", () => (isLeaving = true));
window.addEventListener("pageshow", () => (isLeaving = false));

/** @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} */
async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ApiError(0, "the studio does not respond: is it still running?", null);
  }
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    throw new ApiError(response.status, body?.detail ?? `error ${response.status}`, body);
  }
  return response;
}

/** @param {string} path */
export const get = async (path) => (await request(path)).json();

/** @param {string} path @param {any} [body] @param {string} [method] */
export const send = async (path, body, method = "POST") => (await respond(path, body, method)).json();

/** A response that is not JSON. @param {string} path @param {any} [body] @param {string} [method] */
export async function respond(path, body, method = "POST") {
  const text = JSON.stringify(body ?? {});
  const keepalive = isLeaving && text.length < 60_000; // browsers allow so much, of all such requests together
  const options = { method, headers: { "Content-Type": "application/json" }, body: text, keepalive };
  return request(path, options);
}

/** Put numbers as binary. @param {string} path @param {Int32Array<ArrayBuffer>} numbers */
export const upload = async (path, numbers) =>
  (await request(path, { method: "PUT", headers: { "Content-Type": "application/octet-stream" }, body: numbers })).json();

/** A binary response. @param {string} path */
export const bytes = async (path) => (await request(path)).arrayBuffer();

/** Row numbers that match a query. @param {string} query @param {AbortSignal} [signal] */
export async function find(query, signal) {
  const response = await request(`studio/find?q=${encodeURIComponent(query)}`, { signal });
  return new Uint32Array(await response.arrayBuffer());
}
