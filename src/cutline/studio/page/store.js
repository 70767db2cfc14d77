// @ts-check
/** What the page knows, as signals: the dataset, the result of the query, the cursor, the selection, and rows. */

import { batch, computed, signal } from "./vendor/preact.js";
import { find, get, send } from "./api.js";

/** @typedef {{row: number, key: string, caption: string | null}} Row */

export const dataset = signal(/** @type {any} */ (null));
export const query = signal("");
export const result = signal(new Uint32Array());
export const cursor = signal(0); // a place in the result
export const picked = signal(/** @type {Set<number>} */ (new Set())); // rows
export const rows = signal(/** @type {Map<number, Row>} */ (new Map()));
export const notice = signal("");
export const current = computed(() => {
  const row = result.value[cursor.value];
  return row === undefined ? null : { row, ...rows.value.get(row) };
});

let searching = new AbortController();

/** Run a query, and keep the cursor on its row where that still matches. @param {string} text */
export async function search(text) {
  searching.abort();
  searching = new AbortController();
  const before = result.value[cursor.value];
  try {
    const found = await find(text, searching.signal);
    batch(() => {
      query.value = text;
      result.value = found;
      cursor.value = Math.max(0, found.indexOf(before));
      notice.value = "";
    });
  } catch (error) {
    if (!searching.signal.aborted) notice.value = /** @type {Error} */ (error).message;
  }
}

/** @type {Set<number>} */
const wanted = new Set();

/** Load rows that are not here, in one request for all that one turn wants. @param {number[]} numbers */
export function want(numbers) {
  const missing = numbers.filter((row) => !rows.value.has(row));
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
  for (const row of found) next.set(row.row, row);
  rows.value = next;
}

/** Forget rows, so that they are loaded again when they are seen. @param {number[] | null} numbers */
export function forget(numbers) {
  if (numbers === null) rows.value = new Map();
  else {
    const next = new Map(rows.value);
    for (const row of numbers) next.delete(row);
    rows.value = next;
  }
}

export async function start() {
  dataset.value = await get("studio/state");
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
      dataset.value = JSON.parse(event.data);
      if (kind === "changed") forget(null);
      if (kind === "opened" || (kind === "state" && query.value)) search(query.value);
    });
  }
  events.addEventListener("captions", (event) => {
    const { rows: numbers, ...undo } = JSON.parse(event.data);
    dataset.value = { ...dataset.value, ...undo };
    forget(numbers);
  });
  await search("");
}
