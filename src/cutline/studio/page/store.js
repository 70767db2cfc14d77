// @ts-check
/** What the page knows, as signals: the dataset, the result of the query, the cursor, the selection, and rows. */

import { batch, computed, signal } from "./vendor/preact.js";
import { find, send } from "./api.js";

/**
 * @typedef {{row: number, key: string, caption: string | null, marks: string[], problem: string, note: string,
 *   color: string | null, proposal: {caption: string, model: string, prompt_id: string, before: string | null} | null,
 *   failure: {kind: string, message: string, model: string} | null}} Row
 */

export { forget, put, want } from "./rows.js";

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
/** Whether the server does not respond, though nothing was requested. */
export const isDown = signal(false);
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

/** The result with a row in its place that does not match any more. @param {Uint32Array} found @param {number} row */
function including(found, row) {
  const later = found.findIndex((each) => each > row);
  const place = later < 0 ? found.length : later;
  const whole = new Uint32Array(found.length + 1);
  whole.set(found.subarray(0, place));
  whole[place] = row;
  whole.set(found.subarray(place), place + 1);
  return whole;
}

/**
 * Run a query, and keep the cursor on its row where that still matches; `stays`: also where it does not, as nobody has
 * searched for anything and the row may be written in.
 * @param {string} text @param {boolean} [stays]
 */
export async function search(text, stays = false) {
  searching.abort();
  searching = new AbortController();
  const { signal: aborted } = searching;
  query.value = text;
  try {
    const matching = await find(text, aborted);
    const row = result.value[cursor.value];
    const isGone = stays && row !== undefined && !matching.includes(row);
    const found = isGone ? including(matching, row) : matching;
    batch(() => {
      result.value = found;
      cursor.value = Math.max(0, found.indexOf(row));
      left.value = new Set(isGone ? [row] : []);
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
export function compare() {
  clearTimeout(comparing);
  if (!query.value) return;
  comparing = setTimeout(async () => {
    const [shown, text] = [result.value, query.value];
    const found = new Set(await find(text).catch(() => shown));
    if (shown === result.value && text === query.value) left.value = new Set(shown.filter((row) => !found.has(row)));
  }, 300);
}

export const locked = signal(""); // why a key is needed

/** What other modules do with events of the server, by their kinds. @type {Map<string, (event: any) => void>} */
export const heard = new Map();
