// @ts-check
/** What the bulk edit panel knows: the edit, its scope, the preview, and the job that applies it. */

import { batch, computed, signal } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { save } from "./draft.js";
import { editOf } from "./edit_kinds.js";
import { run } from "./running.js";
import { cursor, dataset, picked, query, result } from "./store.js";

const PAUSE = 200; // ms
const PART = 100; // changes in a request

/** @typedef {{row: number, key: string, before: string, after: string}} Change */

export const kind = signal("replace");
export const values = signal(/** @type {Record<string, any>} */ ({}));
export const scope = signal("all");
export const preview = signal(/** @type {{preview: number, scope: number, changed: number} | null} */ (null));
export const changes = signal(/** @type {Change[]} */ ([]));
export const unticked = signal(/** @type {Set<number>} */ (new Set()));
export const problem = signal("");
export const job = signal(/** @type {number | null} */ (null));
export const edit = computed(() => editOf(kind.value, values.value));
export const sizes = computed(() => ({
  selection: picked.value.size,
  filter: result.value.length,
  all: dataset.value?.rows ?? 0,
  picture: result.value.length ? 1 : 0,
}));

/** The scope of the panel that opens next, where another one has chosen it. */
let chosen = "";
export const prepareScope = (/** @type {string} */ name) => (chosen = name);

/** What the panel of bulk edits opens with. @param {string} name of the edit @param {Record<string, any>} fields @param {string} where */
export function prepare(name, fields, where) {
  batch(() => {
    kind.value = name;
    values.value = fields;
  });
  prepareScope(where);
  isPrepared = true;
}

let isPrepared = false;

/** Give the focus to the field that is typed in first: what replaces, where the rest is filled in. */
export function focusField() {
  const fields = [...document.querySelectorAll(".bulk .form input:not([type=radio], [type=checkbox])")].map((one) => /** @type {HTMLInputElement} */ (one));
  const field = (isPrepared && fields.find((one) => one.name === "new")) || fields[0];
  field?.focus();
  if (isPrepared) field?.select();
  isPrepared = false;
}

/** The scope that was chosen, or is most likely meant: what is picked, else what is filtered, else all. */
export function guessScope() {
  scope.value = chosen || (picked.value.size ? "selection" : query.value ? "filter" : "all");
  chosen = "";
}

/** The filter's rows are those that are shown: what no longer matches it is still among them. */
export function scopeOf() {
  if (scope.value === "picture") return { rows: [...result.value.slice(cursor.value, cursor.value + 1)] };
  if (scope.value === "selection") return { rows: [...picked.value].sort((a, b) => a - b) };
  return scope.value === "filter" && query.value ? { rows: [...result.value] } : {};
}

let turn = 0;
let timer = 0;

/** Preview again soon. @param {boolean} [keepTicks] where only the captions have changed */
export function refresh(keepTicks = false) {
  clearTimeout(timer);
  turn += 1;
  if (!keepTicks) unticked.value = new Set();
  timer = setTimeout(look, PAUSE);
}

async function look() {
  const mine = (turn += 1);
  if (!edit.value) {
    batch(() => {
      preview.value = null;
      changes.value = [];
      problem.value = "";
    });
    return;
  }
  try {
    await save();
    const found = await send("studio/preview", { edit: edit.value, scope: scopeOf() });
    const first = found.changed ? await get(`studio/preview/${found.preview}?count=${PART}`) : [];
    if (mine !== turn) return;
    batch(() => {
      preview.value = found;
      changes.value = first;
      problem.value = "";
    });
  } catch (error) {
    if (mine !== turn) return;
    batch(() => {
      preview.value = null;
      changes.value = [];
      problem.value = /** @type {Error} */ (error).message;
    });
  }
}

let isLoading = false;

/** Load the next changes of the preview. */
export async function more() {
  const shown = preview.value;
  const known = changes.value;
  if (isLoading || !shown || known.length >= shown.changed) return;
  isLoading = true;
  try {
    const next = await get(`studio/preview/${shown.preview}?start=${known.length}&count=${PART}`);
    if (changes.value === known) changes.value = [...known, ...next];
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  } finally {
    isLoading = false;
  }
}

/** @param {number} row */
export function tick(row) {
  const next = new Set(unticked.value);
  if (!next.delete(row)) next.add(row);
  unticked.value = next;
}

/** From the click on until the preview is made again: what is shown then is not what would be applied. */
export const isApplying = signal(false);

/** Apply the preview without the rows that are unticked, which stay so. */
export async function apply() {
  if (!preview.value || isApplying.value) return;
  isApplying.value = true;
  await run("studio/apply", { preview: preview.value.preview, without: [...unticked.value] }, (number) => {
    job.value = number;
  });
  job.value = null;
  clearTimeout(timer);
  await look();
  isApplying.value = false;
}

export const stop = () => job.value !== null && send(`studio/jobs/${job.value}`, undefined, "DELETE");
