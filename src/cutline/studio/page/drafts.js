// @ts-check
/** The texts that are not saved: of the open folder by row, and those of folders that are not open now. */

import { signal } from "./vendor/preact.js";
import { opening } from "./store.js";

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

export const dirty = () => [...drafts.values()].filter(isDirty);

/** @returns {Draft[]} */
function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
  } catch {
    return [];
  }
}

/** Those of folders that are not open. */
let parked = stored();

/** Those of a folder. @param {string | undefined} folder */
export const parkedOf = (folder) => parked.filter((one) => one.folder === folder);

/** @param {Draft} draft */
export function unpark(draft) {
  parked = parked.filter((one) => one !== draft);
}

/** Keep all for a reload of the tab. */
export function store() {
  const all = [...parked, ...dirty()];
  try {
    if (all.length) sessionStorage.setItem(STORED, JSON.stringify(all));
    else sessionStorage.removeItem(STORED);
  } catch {
    // the browser's storage is full or forbidden: the texts are still here
  }
}

opening.subscribe(() => {
  parked = [...parked, ...dirty()];
  drafts.clear();
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
