// @ts-check
/** What is shown of rows: loaded when somebody wants to show them, and again when they have changed. */

import { send } from "./api.js";
import { dataset, notice, opening, rows } from "./store.js";

const PART = 500; // rows in a request
const KEPT = 4000; // rows
const LOOK = 3000; // ms between looks at what another program may have changed

/** @typedef {import("./store.js").Row} Row */

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
    for (const row of numbers) once.delete(row);
    if (folder === opening.value && missing().length) want(missing());
  } catch (error) {
    isLoading = false;
    if (folder === opening.value) notice.value = /** @type {Error} */ (error).message;
  }
}

/** Show rows as they are now. `time`: of the clock, when they were requested. @param {Row[]} found @param {number} [time] */
export function put(found, time = clock) {
  const next = new Map(rows.value);
  for (const row of found) {
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
