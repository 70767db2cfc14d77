// @ts-check
/** What is typed and not yet saved: a text stays until the server has it, also while another folder is open. */

import { signal } from "./vendor/preact.js";
import { ApiError, get, send } from "./api.js";
import { dataset, opening, putWritten, rows } from "./store.js";

const STORED = "cutline drafts";

/**
 * `before`: the caption that the text replaces. `theirs`: the one that another program wrote meanwhile. `folder` and
 * `key` say whose text it is: rows have other numbers when a folder is opened again.
 * @typedef {{row: number, folder: string, key: string, before: string | null, text: string,
 *   status: {kind: string, text: string}, theirs?: string | null}} Draft
 */

/** @type {Map<number, Draft>} */
export const drafts = new Map();
/** That of the picture that is shown. */
export const draft = signal(/** @type {Draft | null} */ (null));
/** The rows with a text that could not be saved. */
export const unsaved = signal(/** @type {number[]} */ ([]));

export const isDirty = (/** @type {Draft} */ one) => one.text.trim() !== (one.before ?? "");

/** The rows whose text is on its way to the server: what is there is not known until then. @type {Set<number>} */
const writing = new Set();

/** Whether a text may be another one than that on the disk. @param {Draft} one */
const isOpen = (one) => isDirty(one) || writing.has(one.row);

/** Whether the text that is shown has been changed. */
export const isTouched = () => draft.value !== null && isDirty(draft.value);

export const dirty = () => [...drafts.values()].filter(isDirty);

/** @param {Draft} a @param {Draft} b */
const isSame = (a, b) => a.folder === b.folder && a.key === b.key;

/** @param {"sessionStorage" | "localStorage"} name of this tab, or of all @returns {Draft[]} */
function stored(name) {
  try {
    return JSON.parse(window[name].getItem(STORED) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {"sessionStorage" | "localStorage"} name @param {Draft[]} all */
function put(name, all) {
  try {
    if (all.length) window[name].setItem(STORED, JSON.stringify(all));
    else window[name].removeItem(STORED);
  } catch {
    // the browser's storage is full or forbidden: the texts are still here
  }
}

const kept = [...stored("sessionStorage"), ...stored("localStorage")];
/** Those of folders that are not open. At first: of this tab before it was loaded again, and of tabs that were closed. */
let parked = kept.filter((one, place) => kept.findIndex((each) => isSame(each, one)) === place);
const taken = parked;

/** Those of a folder. @param {string | undefined} folder */
export const parkedOf = (folder) => parked.filter((one) => one.folder === folder);

/** @param {Draft} draft */
export function unpark(draft) {
  parked = parked.filter((one) => one !== draft);
}

/** Keep all for a reload of the tab, and for the next tab where this one is closed. */
export function store() {
  const all = [...parked, ...dirty()];
  put("sessionStorage", all);
  put("localStorage", [...stored("localStorage").filter((one) => ![...taken, ...all].some((each) => isSame(each, one))), ...all]);
}

/** Whether a text was saved while its page was left, and something else is there by now. @param {number} row @param {Draft} one */
async function wasSaved(row, { before, text }) {
  const versions = await get(`studio/history/${row}`).catch(() => []); // the latest first
  const end = versions.findIndex((/** @type {any} */ version) => version.caption === before);
  return versions.slice(0, end < 0 ? versions.length : end).some((/** @type {any} */ version) => version.caption === text.trim());
}

opening.subscribe(() => {
  parked = [...parked, ...dirty()];
  drafts.clear();
  writing.clear();
  draft.value = null;
  unsaved.value = [];
});

/** Put a draft in place of the one of its row. @param {Draft} next */
export function keep(next) {
  drafts.set(next.row, next);
  if (draft.value?.row === next.row) draft.value = next;
  const failed = dirty().filter((one) => one.status.kind === "problem").map((one) => one.row);
  if (failed.join() !== unsaved.value.join()) unsaved.value = failed;
}

const PAUSE = 800; // ms
const AGAIN = 5000; // ms until a save that failed is tried again
const MODIFIED = "Not saved: changed by another program";

/** Take up the texts of the folder that is open now, under the numbers that its rows have now. */
export async function recall() {
  const folder = dataset.value?.folder;
  const mine = parkedOf(folder);
  if (!mine.length) return;
  const found = await send("studio/rows", { keys: mine.map((one) => one.key).slice(0, 1000) }).catch(() => []);
  if (folder !== dataset.value?.folder) return;
  for (const { row, key, caption } of found) {
    const one = /** @type {Draft} */ (mine.find((each) => each.key === key));
    const isSaved = caption !== one.before && (await wasSaved(row, one));
    if (folder !== dataset.value?.folder) return;
    const known = drafts.get(row);
    if (known && isDirty(known)) continue;
    unpark(one);
    if (isSaved) continue;
    if (draft.value?.row === row) draft.value = one;
    keep({ ...one, row, status: { kind: "problem", text: "Not saved yet" } });
  }
  retry();
}

/** Show a row's text: what was typed, where it is not saved, else its caption. @param {number} row @param {string} key @param {string | null} caption */
export function open(row, key, caption) {
  for (const one of drafts.values()) if (one.row !== row && !isOpen(one)) drafts.delete(one.row);
  const known = drafts.get(row);
  if (known && isOpen(known)) {
    draft.value = known;
    if (known.theirs !== undefined && known.theirs !== caption) keep({ ...known, theirs: caption }); // changed once more
    return;
  }
  if (known && known.before === caption) {
    draft.value = known;
    return;
  }
  draft.value = { row, folder: dataset.value?.folder ?? "", key, before: caption, text: caption ?? "", status: { kind: "saved", text: "" } };
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

/** @param {Draft[]} all */
const writeAll = (all) => (queue = queue.then(() => Promise.all(all.map((one) => write(one.row)))));

/** Save what was typed; whether the caption is that on the disk now. @returns {Promise<boolean>} */
export function save() {
  clearTimeout(timer);
  const row = draft.value?.row;
  return writeAll([...drafts.values()].filter((one) => one.row === row || one.status.kind === "typing")).then(() => {
    const now = row === undefined ? undefined : drafts.get(row);
    return !now || !isDirty(now);
  });
}

/** Save again what could not be saved. */
export function retry() {
  void writeAll([...drafts.values()].filter((one) => one.status.kind === "problem"));
}

/** @param {number} row */
async function write(row) {
  const saving = drafts.get(row);
  if (!saving || !isDirty(saving) || saving.theirs !== undefined) return;
  const folder = opening.value;
  const latest = () => /** @type {Draft} */ (drafts.get(row));
  keep({ ...saving, status: { kind: "saving", text: "Saving" } });
  writing.add(row);
  try {
    const body = { caption: saving.text, before: saving.before, key: saving.key };
    written(row, saving.text, await send(`studio/captions/${row}`, body, "PUT"), folder);
  } catch (error) {
    if (folder !== opening.value) return;
    if (error instanceof ApiError && error.status === 409 && error.body && "caption" in error.body) {
      const theirs = error.body.caption;
      if (theirs === saving.text.trim()) return written(row, saving.text, { caption: theirs }, folder); // written before the server went
      keep({ ...latest(), theirs, status: { kind: "problem", text: MODIFIED } });
      show(row, { caption: theirs });
    } else keep({ ...latest(), status: { kind: "problem", text: `Not saved: ${/** @type {Error} */ (error).message}` } });
  } finally {
    if (folder === opening.value) writing.delete(row);
  }
}

/** @param {number} row @param {{caption: string | null, note?: string}} saved */
function show(row, saved) {
  const known = rows.value.get(row);
  if (known) putWritten([{ ...known, ...saved }]);
}

/** A text is on the disk. @param {number} row @param {string} text @param {{caption: string | null, note?: string}} saved @param {number} folder */
function written(row, text, saved, folder) {
  const latest = drafts.get(row);
  if (folder !== opening.value || !latest) return;
  const isDone = latest.text === text;
  keep({ ...latest, before: saved.caption, status: isDone ? { kind: "saved", text: "Saved" } : { kind: "typing", text: "" } });
  if (isDone && draft.value?.row !== row) drafts.delete(row);
  show(row, saved);
}

/** End a conflict with this text, which replaces the other program's. @param {string} text */
export function resolve(text) {
  const now = draft.value;
  if (!now || now.theirs === undefined) return;
  const { theirs, ...rest } = now;
  keep({ ...rest, before: theirs ?? null, text, status: { kind: text.trim() === (theirs ?? "") ? "saved" : "typing", text: "" } });
  show(now.row, { caption: theirs ?? null });
  void save();
}

setInterval(() => unsaved.value.length && retry(), AGAIN);
window.addEventListener("pagehide", store);
window.addEventListener("beforeunload", (event) => {
  const isStuck = dirty().some((one) => one.status.kind === "problem"); // the browser holds the page for those; the others are sent now
  void save();
  if (isStuck) event.preventDefault();
});
