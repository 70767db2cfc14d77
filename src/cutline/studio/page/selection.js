// @ts-check
/** The cursor, the pictures that are picked, and named sets of them, which come back with the dataset. Moving the cursor picks nothing and leaves what is picked. */

import { batch, effect, signal } from "./vendor/preact.js";
import { get, send, upload } from "./api.js";
import { isTouched } from "./draft.js";
import { inTurn, isActing } from "./running.js";
import { cursor, dataset, heard, notice, opening, picked, query, result, search } from "./store.js";

/** Where the range began that Shift extends, and what was picked before. @type {{place: number, before: Set<number>} | null} */
let anchor = null;

const within = (/** @type {number} */ place) => Math.max(0, Math.min(result.value.length - 1, place));

/**
 * What was picked, in the order of time, to be taken back between edits: `edit` is the latest edit that was in effect then.
 * @typedef {{before: Set<number>, after: Set<number>, edit: number | null, anchor: object | null}} Step
 */

const MOST = 200; // steps
/** @type {Step[]} */
let taken = [];
/** @type {Step[]} */
let back = [];
export const steps = signal({ undo: false, redo: false });

/** The latest edit in effect, as the events tell. @returns {number | null} */
export const latest = () => dataset.value?.undo_edit ?? null;

/** That of the server, whose event may not have come. @returns {Promise<number | null>} */
export async function asked() {
  const state = await get("studio/state").catch(() => null);
  return state ? state.undo_edit : latest();
}

/** @param {Step} step */
async function date(step) {
  step.edit = await asked();
  tell();
}

function tell() {
  steps.value = { undo: taken.at(-1)?.edit === latest(), redo: back.at(-1)?.edit === latest() };
}
dataset.subscribe(tell);
opening.subscribe(() => {
  [taken, back] = [[], []];
});

/** Pick these pictures and no others. @param {Set<number>} next */
function pick(next) {
  if (next.size === picked.value.size && [...next].every((row) => picked.value.has(row))) return;
  const last = taken.at(-1);
  if (anchor && last?.anchor === anchor) last.after = next; // the same range, drawn further
  else {
    const step = { before: picked.value, after: next, edit: latest(), anchor };
    taken = [...taken, step].slice(-MOST);
    if (isActing()) void inTurn(() => date(step));
  }
  back = [];
  picked.value = next;
  tell();
}

/** Take back what was picked since the latest edit; whether there was something. @param {number | null} edit */
export function takeBack(edit) {
  const step = taken.at(-1);
  if (!step || step.edit !== edit) return false;
  taken = taken.slice(0, -1);
  back = [...back, step];
  picked.value = step.before;
  notice.value = `Selected as before: ${picked.value.size.toLocaleString("en")}.`;
  anchor = null;
  tell();
  return true;
}

/** Pick again what was taken back last; whether there was something. @param {number | null} edit */
export function pickAgain(edit) {
  const step = back.at(-1);
  if (!step || step.edit !== edit) return false;
  back = back.slice(0, -1);
  taken = [...taken, step];
  picked.value = step.after;
  notice.value = `Selected again: ${picked.value.size.toLocaleString("en")}.`;
  anchor = null;
  tell();
  return true;
}

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
    pick(next);
  });
}

/** Pick a picture, or not any more, and move the cursor to it. @param {number} place */
export function toggle(place) {
  const row = result.value[place];
  if (row === undefined) return;
  go(place);
  const next = new Set(picked.value);
  if (!next.delete(row)) next.add(row);
  pick(next);
}

/** Pick all that the filter shows, beside what is picked. */
export function pickAll() {
  anchor = null;
  const next = new Set(picked.value);
  for (const row of result.value) next.add(row);
  pick(next);
}

/** Pick of what the filter shows what is not picked, and the other way round. */
export function invert() {
  anchor = null;
  const next = new Set(picked.value);
  for (const row of result.value) if (!next.delete(row)) next.add(row);
  pick(next);
}

export function clear() {
  anchor = null;
  pick(new Set());
}

/** @param {MouseEvent} event @param {number} place */
export function click(event, place) {
  if (event.shiftKey) extend(place);
  else if (event.ctrlKey || event.metaKey) toggle(place);
  else go(place);
}

/** Named sets of pictures, which `in:NAME` finds, and how many each has. */
export const sets = signal(/** @type {Record<string, number>} */ ({}));
heard.set("sets", (event) => (sets.value = event.sets));
opening.subscribe(async () => {
  const none = (sets.value = {});
  const found = dataset.peek()?.folder ? await get("studio/sets").catch(() => ({})) : {};
  if (sets.peek() === none) sets.value = found; // what came meanwhile is newer
});

/** Forget a set; whether that worked. @param {string} name */
export async function forgetSet(name) {
  try {
    sets.value = await send(`studio/sets/${encodeURIComponent(name)}`, undefined, "DELETE");
    return true;
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
    return false;
  }
}

/** A name that no set has: `lasso-3`. @param {string} kind */
export function setName(kind) {
  const numbers = Object.keys(sets.value).map((name) => Number(name.match(new RegExp(`^${kind}-(\\d+)$`))?.[1] ?? 0));
  return `${kind}-${Math.max(0, ...numbers) + 1}`;
}

/** Keep rows, or what a query finds, as a set; whether that worked. @param {string} name @param {Iterable<number> | Int32Array<ArrayBuffer> | string} rows */
export async function keepSet(name, rows) {
  try {
    const path = `studio/sets/${encodeURIComponent(name)}`;
    sets.value = typeof rows === "string" ? await send(path, { query: rows }, "PUT") : await upload(path, rows instanceof Int32Array ? rows : Int32Array.from(rows));
    notice.value = "";
    return true;
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
    return false;
  }
}

const PAUSE = 400; // ms

/** Where the user is, as text; "" until the place of this dataset is restored. */
let kept = "";
let timer = 0;

const whereabouts = () => ({ query: query.value, row: result.value[cursor.value] ?? null, picked: [...picked.value].slice(0, 10_001) });

/** Go to where the user was in the dataset that is open now, unless something was done in it meanwhile. */
export async function restore() {
  kept = "";
  const turn = opening.value;
  const began = JSON.stringify(whereabouts());
  const was = await get("studio/place").catch(() => null);
  if (turn !== opening.value) return;
  const isUsed = isTouched() || began !== JSON.stringify(whereabouts());
  if (was?.query && !isUsed) await search(was.query);
  if (turn !== opening.value) return;
  if (was && !isUsed && query.value === was.query && !isTouched()) {
    batch(() => {
      if (was.picked.length) picked.value = new Set(was.picked);
      const found = was.row === null ? -1 : result.value.indexOf(was.row);
      if (found > 0) cursor.value = found;
    });
  }
  kept = JSON.stringify(whereabouts());
}

function keep() {
  clearTimeout(timer);
  const now = JSON.stringify(whereabouts());
  if (!kept || now === kept || !dataset.value?.folder) return;
  kept = now;
  void send("studio/place", { ...whereabouts(), folder: dataset.value.folder }, "PUT").catch(() => (kept = "?")); // tried again with the next change
}

effect(() => {
  void [query.value, cursor.value, picked.value, result.value];
  clearTimeout(timer);
  timer = setTimeout(keep, PAUSE);
});
window.addEventListener("pagehide", keep);
