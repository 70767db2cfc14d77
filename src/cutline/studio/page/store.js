// @ts-check
/** What is shown of rows: loaded when somebody wants to show them, and again when they have changed. */

import { batch, computed, signal } from "./vendor/preact.js";
import { find, send } from "./api.js";
import { withTerm } from "./filter_text.js";
import { hold, lost } from "./held_keys.js";

/**
 * @typedef {{row: number, key: string, caption: string | null, marks: string[], problem: string, note: string,
 *   color: string | null, proposal: {caption: string, model: string, prompt_id: string, before: string | null} | null,
 *   failure: {kind: string, message: string, model: string} | null}} Row
 */

export const dataset = signal(/** @type {any} */ (null));
export const query = signal("");
/** The query whose rows are shown: an earlier one while the query is under way or cannot be parsed. */
export const answered = signal("");
export const result = signal(new Uint32Array());
export const cursor = signal(0); // a place in the result
export const picked = signal(/** @type {Set<number>} */ (new Set())); // rows
export const rows = signal(/** @type {Map<number, Row>} */ (new Map()));
/** Rows of the result that an edit took out of the filter: they stay until it runs again. */
export const left = signal(/** @type {Set<number>} */ (new Set()));
/** The number of rows that an edit or undo brought into the filter: they come when it runs again. */
export const joined = signal(0);
/** Counts what has changed on the server. */
export const edition = signal(0);
/** Counts the folders that were opened: row numbers are those of one. */
export const opening = signal(0);
/** Whether the editor shows tags in place of the text. */
export const showsTags = signal(false);
export const notice = signal("");
const FADES = 15_000; // ms until a notice goes
let fading = 0;
notice.subscribe((now) => {
  clearTimeout(fading);
  if (now) fading = setTimeout(() => (notice.value = ""), FADES);
});
lost.subscribe((count) => count && (notice.value = `The studio did not respond in time: ${count === 1 ? "a key that was" : `${count} keys that were`} pressed meanwhile did nothing.`));
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

/** The latest search. @type {Promise<void>} */
let latest = Promise.resolve();

/** Wait until the rows that are shown are those of the query: a key may follow another one faster than the server responds. */
export async function settled() {
  let awaited;
  do await (awaited = latest);
  while (awaited !== latest);
}

/**
 * Run a query, and keep the cursor on its row where that still matches; `stays`: also where it does not, as nobody has
 * searched for anything and the row may be written in.
 * @param {string} text @param {boolean} [stays]
 */
export function search(text, stays = false) {
  latest = run(text, stays);
  return stays ? latest : hold(latest); // the next keys are about what it finds
}

/** @param {string} text @param {boolean} stays */
async function run(text, stays) {
  searching.abort();
  searching = new AbortController();
  const { signal: aborted } = searching;
  query.value = text;
  if (!stays) notice.value = ""; // and none that comes before the response
  try {
    const matching = await find(text, aborted);
    const row = result.value[cursor.value];
    const isGone = stays && row !== undefined && !matching.includes(row);
    const found = isGone ? including(matching, row) : matching;
    batch(() => {
      result.value = found;
      answered.value = text;
      cursor.value = Math.max(0, found.indexOf(row));
      left.value = new Set(isGone ? [row] : []);
      joined.value = 0;
      mistake.value = null;
    });
  } catch (error) {
    if (aborted.aborted) return;
    const { body, message } = /** @type {import("./api.js").ApiError} */ (error);
    if (body?.start === undefined) notice.value = message;
    else mistake.value = { text: message, start: body.start, end: body.end };
  }
}

/** Search with a term more, or without it where it is there; with Alt for what has it not. @param {string} term @param {{altKey: boolean}} event */
export const filterBy = (term, { altKey }) => search(withTerm(query.value, term, altKey));

let comparing = 0;
let comparisons = 0;

/** Find out which rows of the result no longer match and how many others do now, but leave a result as it is unless it is empty. */
export function compare() {
  clearTimeout(comparing);
  if (!query.value) return;
  comparing = setTimeout(async () => {
    const [shown, text] = [result.value, query.value];
    const mine = (comparisons += 1);
    const found = new Set(await find(text).catch(() => shown));
    if (mine !== comparisons || shown !== result.value || text !== query.value) return;
    if (!shown.length && found.size) return void search(text, true);
    left.value = new Set(shown.filter((row) => !found.has(row)));
    joined.value = found.size - (shown.length - left.value.size);
  }, 300);
}

export const locked = signal(""); // why a key is needed

/** What other modules do with events of the server, by their kinds. @type {Map<string, (event: any) => void>} */
export const heard = new Map();

const PART = 500; // rows in a request
const KEPT = 4000; // rows
const LOOK = 3000; // ms between looks at what another program may have changed

/** The rows that each part of the page shows now. @type {Map<string, number[]>} */
const shown = new Map();
/** Rows that are wanted once. @type {Set<number>} */
const once = new Set();
/** Rows that have changed since they were loaded, and when: shown as they were until they are loaded again. @type {Map<number, number>} */
const stale = new Map();
let clock = 0;
let isLoading = false;

/** @param {number} row */
const isMissing = (row) => !rows.value.has(row) || stale.has(row);

const missing = () => [...new Set([...[...shown.values()].reverse().flat(), ...once])].filter(isMissing);

/**
 * Load rows that are not here. `owner`: the part of the page that shows these and none that it wanted before, which
 * are not loaded if they are not yet.
 * @param {number[]} numbers @param {string} [owner]
 */
export function want(numbers, owner) {
  if (owner) {
    shown.delete(owner); // the latest is last, and loaded first
    shown.set(owner, numbers);
  } else for (const row of numbers) once.add(row);
  if (isLoading || !numbers.some(isMissing)) return;
  isLoading = true;
  setTimeout(load);
}

async function load() {
  const numbers = missing().slice(0, PART);
  const [folder, started] = [opening.value, clock];
  try {
    if (numbers.length) {
      const found = await send("studio/rows", { rows: numbers });
      if (folder === opening.value) put(found, started);
    }
    isLoading = false;
    if (folder === opening.value) for (const row of numbers) once.delete(row);
    if (missing().length) want(missing()); // also those of a folder that was opened meanwhile
  } catch (error) {
    isLoading = false;
    if (folder !== opening.value) want(missing());
    else notice.value = /** @type {Error} */ (error).message;
  }
}

/** When this page has written to rows: what was requested before is older than that. @type {Map<number, number>} */
const written = new Map();

/** Show rows as this page has written them. @param {Row[]} found */
export function putWritten(found) {
  clock += 1;
  for (const { row } of found) written.set(row, clock);
  put(found);
}

/** Show rows as they are now. `time`: of the clock, when they were requested. @param {Row[]} found @param {number} [time] */
export function put(found, time = clock) {
  const next = new Map(rows.value);
  for (const row of found) {
    if ((written.get(row.row) ?? 0) > time) {
      stale.set(row.row, clock);
      continue;
    }
    next.set(row.row, row);
    if ((stale.get(row.row) ?? 0) <= time) stale.delete(row.row);
  }
  if (next.size > KEPT * 1.5) {
    const kept = new Set([...shown.values()].flat());
    for (const row of next.keys()) {
      if (next.size <= KEPT) break;
      if (!kept.has(row)) next.delete(row);
    }
  }
  rows.value = next;
}

/** Load rows again when they are seen, or all for null. @param {number[] | null} numbers */
export function forget(numbers) {
  clock += 1;
  for (const row of numbers ?? rows.value.keys()) stale.set(row, clock);
  rows.value = new Map(rows.value); // what is seen is loaded by those who show it
}

/** Rows have other numbers from now on. */
export function clear() {
  stale.clear();
  written.clear();
  once.clear();
  shown.clear();
  rows.value = new Map();
}

/** Notice what another program has changed among the rows that are shown. */
async function look() {
  const seen = [...new Set([...shown.values()].flat())].filter((row) => rows.value.has(row)).slice(0, 1000);
  if (document.visibilityState !== "visible" || !seen.length || !dataset.value?.folder) return;
  const folder = opening.value;
  const changed = await send("studio/refresh", { rows: seen }).catch(() => []);
  if (changed.length && folder === opening.value) forget(changed);
}

/** Look now and then, and when the page is looked at again. */
export function watch() {
  setInterval(look, LOOK);
  window.addEventListener("focus", look);
  document.addEventListener("visibilitychange", look);
}
