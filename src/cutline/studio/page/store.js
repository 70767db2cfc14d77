// @ts-check
/** What the page knows, as signals: the dataset, the result of the query, the cursor, the selection, and rows. */

import { batch, computed, signal } from "./vendor/preact.js";
import { find, get, send } from "./api.js";

/**
 * @typedef {{row: number, key: string, caption: string | null, marks: string[], problem: string,
 *   proposal: {caption: string, model: string, prompt_id: string, before: string | null} | null,
 *   failure: {kind: string, message: string, model: string} | null}} Row
 */

export const dataset = signal(/** @type {any} */ (null));
export const query = signal("");
export const result = signal(new Uint32Array());
export const cursor = signal(0); // a place in the result
export const picked = signal(/** @type {Set<number>} */ (new Set())); // rows
export const rows = signal(/** @type {Map<number, Row>} */ (new Map()));
/** Rows of the result that an edit took out of the filter: they stay until it runs again. */
export const left = signal(/** @type {Set<number>} */ (new Set()));
/** Counts what has changed on the server. */
export const edition = signal(0);
/** Counts the folders that were opened: row numbers are those of one. */
export const opening = signal(0);
export const notice = signal("");
/** Why the query cannot be parsed, and the characters at fault. */
export const mistake = signal(/** @type {{text: string, start: number, end: number} | null} */ (null));
export const jobs = signal(/** @type {Record<number, any>} */ ({}));
export const current = computed(() => {
  const row = result.value[cursor.value];
  return row === undefined ? null : { row, ...rows.value.get(row) };
});

/** What the server keeps for this user. */
export const preferences = signal(/** @type {{keys: Record<string, string[]>, tips: boolean} | null} */ (null));

/** Keep preferences; every open page follows. @param {{keys?: Record<string, string[]>, tips?: boolean}} values */
export async function keepPreference(values) {
  try {
    preferences.value = await send("studio/preferences", values, "PUT");
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}

let searching = new AbortController();

/** Run a query, and keep the cursor on its row where that still matches. @param {string} text */
export async function search(text) {
  searching.abort();
  searching = new AbortController();
  const { signal: aborted } = searching;
  const before = result.value[cursor.value];
  query.value = text;
  try {
    const found = await find(text, aborted);
    batch(() => {
      result.value = found;
      cursor.value = Math.max(0, found.indexOf(before));
      left.value = new Set();
      mistake.value = null;
      notice.value = "";
    });
  } catch (error) {
    if (aborted.aborted) return;
    const { body, message } = /** @type {import("./api.js").ApiError} */ (error);
    if (body?.start === undefined) notice.value = message;
    else mistake.value = { text: message, start: body.start, end: body.end };
  }
}

let comparing = 0;

/** Find out which rows of the result no longer match, without taking them away. */
function compare() {
  clearTimeout(comparing);
  if (!query.value) return;
  comparing = setTimeout(async () => {
    const [shown, text] = [result.value, query.value];
    const found = new Set(await find(text).catch(() => shown));
    if (shown === result.value && text === query.value) left.value = new Set(shown.filter((row) => !found.has(row)));
  }, 300);
}

/** @type {Set<number>} */
const wanted = new Set();
/** Rows that have changed since they were loaded: shown as they were until they are loaded again. @type {Set<number>} */
const stale = new Set();

/** Load rows that are not here, in one request for all that one turn wants. @param {number[]} numbers */
export function want(numbers) {
  const missing = numbers.filter((row) => !rows.value.has(row) || stale.has(row));
  if (!missing.length) return;
  const first = !wanted.size;
  for (const row of missing) wanted.add(row);
  if (first) setTimeout(load, 0);
}

async function load() {
  const numbers = [...wanted].slice(0, 1000);
  wanted.clear();
  try {
    put(await send("studio/rows", { rows: numbers }));
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}

/** @param {Row[]} found */
export function put(found) {
  const next = new Map(rows.value);
  for (const row of found) {
    next.set(row.row, row);
    stale.delete(row.row);
  }
  rows.value = next;
}

/** Load rows again when they are seen, or all for null. @param {number[] | null} numbers */
export function forget(numbers) {
  for (const row of numbers ?? rows.value.keys()) stale.add(row);
  rows.value = new Map(rows.value); // what is seen is loaded by those who show it
}

export const locked = signal(""); // why a key is needed

/** Forget the rows of the folder that was open. */
function leave() {
  batch(() => {
    opening.value += 1;
    edition.value += 1;
    rows.value = new Map();
    picked.value = new Set();
    left.value = new Set();
    cursor.value = 0;
  });
  stale.clear();
  wanted.clear();
}

/** What other modules do with events of the server, by their kinds. @type {Map<string, (event: any) => void>} */
export const heard = new Map();

/** Show what is open; a key is needed first where the studio has one. */
export async function start() {
  try {
    dataset.value = await get("studio/state");
    locked.value = "";
  } catch (error) {
    if (/** @type {any} */ (error).status === 401) locked.value = /** @type {Error} */ (error).message;
    else notice.value = /** @type {Error} */ (error).message;
    return;
  }
  const events = new EventSource("studio/events");
  let connected = false;
  events.addEventListener("hello", async () => {
    if (connected) {
      dataset.value = await get("studio/state");
      forget(null);
    }
    connected = true;
  });
  for (const kind of ["state", "opened", "changed"]) {
    events.addEventListener(kind, (event) => {
      const { changed, ...state } = JSON.parse(event.data);
      if (kind === "opened") leave();
      dataset.value = state;
      if (kind === "changed") {
        forget(changed ?? null);
        edition.value += 1;
        compare();
      }
      if (kind === "opened" || (kind === "state" && query.value && state.folder)) search(query.value);
    });
  }
  events.addEventListener("reading", (event) => {
    dataset.value = { ...dataset.value, read: JSON.parse(event.data).rows };
  });
  events.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    jobs.value = { ...jobs.value, [job.job]: job };
  });
  for (const [kind, take] of heard) events.addEventListener(kind, (event) => take(JSON.parse(event.data)));
  events.addEventListener("preferences", (event) => (preferences.value = JSON.parse(event.data)));
  if (dataset.value.folder) await search("");
  preferences.value = await get("studio/preferences").catch(() => ({ keys: {}, tips: true }));
}
