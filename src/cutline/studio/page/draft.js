// @ts-check
/** What is typed and not yet saved, by row. A text stays here until the server has it. */

import { signal } from "./vendor/preact.js";
import { ApiError, send } from "./api.js";
import { opening, put, rows } from "./store.js";

const PAUSE = 800; // ms
const MODIFIED = "Not saved: changed by another program";

/**
 * `before`: the caption that the text replaces. `theirs`: the one that another program wrote meanwhile.
 * @typedef {{row: number, before: string | null, text: string, status: {kind: string, text: string},
 *   theirs?: string | null}} Draft
 */

/** @type {Map<number, Draft>} */
const drafts = new Map();
/** That of the picture that is shown. */
export const draft = signal(/** @type {Draft | null} */ (null));
/** How many rows have a text that could not be saved. */
export const unsaved = signal(/** @type {number[]} */ ([]));

opening.subscribe(() => {
  drafts.clear();
  draft.value = null;
  unsaved.value = [];
});

const isDirty = (/** @type {Draft} */ one) => one.text.trim() !== (one.before ?? "");

/** @param {Draft} next */
function keep(next) {
  drafts.set(next.row, next);
  if (draft.value?.row === next.row) draft.value = next;
  const failed = [...drafts.values()].filter((one) => one.status.kind === "problem" && isDirty(one)).map((one) => one.row);
  if (failed.join() !== unsaved.value.join()) unsaved.value = failed;
}

/** Show a row's text: what was typed, where it is not saved, else its caption. @param {number} row @param {string | null} caption */
export function open(row, caption) {
  for (const one of drafts.values()) if (one.row !== row && !isDirty(one)) drafts.delete(one.row);
  const known = drafts.get(row);
  if (known && (isDirty(known) || known.before === caption)) {
    draft.value = known;
    return;
  }
  draft.value = { row, before: caption, text: caption ?? "", status: { kind: "saved", text: "" } };
  keep(draft.value);
}

let timer = 0;

/**
 * The text has been changed, by typing or otherwise: it is saved at the next pause. `row`: whose text was shown
 * then; that of another picture, which is shown by now, is left alone.
 * @param {string} text @param {number} [row]
 */
export function change(text, row) {
  const now = draft.value;
  if (!now || (row !== undefined && row !== now.row)) return;
  keep({ ...now, text, status: now.theirs === undefined ? { kind: "typing", text: "" } : now.status });
  clearTimeout(timer);
  timer = setTimeout(save, PAUSE);
}

/** Saves follow each other, so that each knows what the one before has written. @type {Promise<any>} */
let queue = Promise.resolve();

/** Save what was typed; whether the caption is that on the disk now. @returns {Promise<boolean>} */
export function save() {
  clearTimeout(timer);
  const row = draft.value?.row;
  const all = [...drafts.values()].filter((one) => one.row === row || one.status.kind === "typing").map((one) => one.row);
  queue = queue.then(() => Promise.all(all.map(write)));
  return queue.then(() => {
    const now = row === undefined ? undefined : drafts.get(row);
    return !now || !isDirty(now);
  });
}

/** @param {number} row */
async function write(row) {
  const saving = drafts.get(row);
  if (!saving || !isDirty(saving) || saving.theirs !== undefined) return;
  const folder = opening.value;
  const latest = () => /** @type {Draft} */ (drafts.get(row));
  keep({ ...saving, status: { kind: "saving", text: "Saving" } });
  try {
    const saved = await send(`studio/captions/${row}`, { caption: saving.text, before: saving.before }, "PUT");
    if (folder !== opening.value) return;
    const isDone = latest().text === saving.text;
    keep({ ...latest(), before: saved.caption, status: isDone ? { kind: "saved", text: "Saved" } : { kind: "typing", text: "" } });
    if (isDone && draft.value?.row !== row) drafts.delete(row);
    const known = rows.value.get(row);
    if (known) put([{ ...known, caption: saved.caption }]);
  } catch (error) {
    if (folder !== opening.value) return;
    if (error instanceof ApiError && error.status === 409 && error.body && "caption" in error.body) {
      keep({ ...latest(), theirs: error.body.caption, status: { kind: "problem", text: MODIFIED } });
    } else keep({ ...latest(), status: { kind: "problem", text: `Not saved: ${/** @type {Error} */ (error).message}` } });
  }
}

/** End a conflict with this text, which replaces the other program's. @param {string} text */
export function resolve(text) {
  const now = draft.value;
  if (!now || now.theirs === undefined) return;
  const { theirs, ...rest } = now;
  keep({ ...rest, before: theirs ?? null, text, status: { kind: text.trim() === (theirs ?? "") ? "saved" : "typing", text: "" } });
  const known = rows.value.get(now.row);
  if (known) put([{ ...known, caption: theirs ?? null }]);
  void save();
}

window.addEventListener("beforeunload", (event) => {
  if (![...drafts.values()].some(isDirty)) return;
  void save();
  event.preventDefault();
});
