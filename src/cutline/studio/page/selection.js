// @ts-check
/** The cursor and the pictures that are picked. Moving the cursor picks nothing and leaves what is picked. */

import { batch } from "./vendor/preact.js";
import { cursor, picked, result } from "./store.js";

/** Where the range began that Shift extends, and what was picked before. @type {{place: number, before: Set<number>} | null} */
let anchor = null;

const within = (/** @type {number} */ place) => Math.max(0, Math.min(result.value.length - 1, place));

/** Move the cursor. @param {number} place */
export function go(place) {
  anchor = null;
  cursor.value = within(place);
}

/** Move the cursor, and pick what lies between. @param {number} place */
export function extend(place) {
  anchor ??= { place: cursor.value, before: picked.value };
  const to = within(place);
  const next = new Set(anchor.before);
  for (let at = Math.min(anchor.place, to); at <= Math.max(anchor.place, to); at += 1) next.add(result.value[at]);
  batch(() => {
    cursor.value = to;
    picked.value = next;
  });
}

/** Pick a picture, or not any more, and move the cursor to it. @param {number} place */
export function toggle(place) {
  const row = result.value[place];
  if (row === undefined) return;
  go(place);
  const next = new Set(picked.value);
  if (!next.delete(row)) next.add(row);
  picked.value = next;
}

/** Pick all that the filter shows, beside what is picked. */
export function pickAll() {
  anchor = null;
  const next = new Set(picked.value);
  for (const row of result.value) next.add(row);
  picked.value = next;
}

/** Pick of what the filter shows what is not picked, and the other way round. */
export function invert() {
  anchor = null;
  const next = new Set(picked.value);
  for (const row of result.value) if (!next.delete(row)) next.add(row);
  picked.value = next;
}

export function clear() {
  anchor = null;
  picked.value = new Set();
}

/** @param {MouseEvent} event @param {number} place */
export function click(event, place) {
  if (event.shiftKey) extend(place);
  else if (event.ctrlKey || event.metaKey) toggle(place);
  else go(place);
}
