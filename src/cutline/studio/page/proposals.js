// @ts-check
/** Proposed captions: accepted or rejected, for the cursor's picture, what is picked, or a scope. */

import { send } from "./api.js";
import { save } from "./draft.js";
import { targets } from "./marks.js";
import { outcome, plural, run } from "./running.js";
import { go } from "./selection.js";
import { cursor, notice, result, rows } from "./store.js";

/** What is typed in place of the proposals of rows, also of those that are not shown any more. @type {Map<number, string>} */
const typed = new Map();

/** @param {number} row */
export const typedFor = (row) => typed.get(row) ?? null;

/** @param {number} row @param {string | null} text */
export const keepTyped = (row, text) => void (text === null ? typed.delete(row) : typed.set(row, text));

/** The caption that is shown beside the proposal of a row. @type {{row: number, caption: string | null} | null} */
let shown = null;

/** @param {number} row @param {string | null} caption */
export const keepShown = (row, caption) => (shown = { row, caption });

/** Accept what is seen now: what was typed into a caption is saved first, and not replaced unseen. */
export async function acceptSeen() {
  const seen = shown;
  if (await save()) await accept(undefined, seen);
}

/** Accept proposals. @param {any} [scope] the rows of `targets` for none @param {typeof shown} [seen] */
export async function accept(scope, seen) {
  const numbers = scope ? null : targets();
  const row = numbers?.length === 1 ? numbers[0] : null;
  const known = row === null ? undefined : rows.value.get(row);
  if (row !== null && !known?.proposal) {
    notice.value = "This picture has no proposal.";
    return;
  }
  notice.value = "";
  const text = row === null ? null : typedFor(row);
  const own = row !== null && text !== null && text !== known?.proposal?.caption ? { captions: { [row]: text } } : {};
  const looked = seen && seen.row === row ? { seen: { [seen.row]: seen.caption } } : {};
  const state = await run("studio/accept", { ...(scope ?? { rows: numbers }), ...own, ...looked });
  if (state?.result?.written && row !== null) next(row);
}

/** Reject proposals. @param {any} [scope] the rows of `targets` for none */
export async function reject(scope) {
  const numbers = scope ? null : targets();
  if (numbers?.length === 1 && !rows.value.get(numbers[0])?.proposal) {
    notice.value = "This picture has no proposal.";
    return;
  }
  notice.value = "";
  try {
    const done = await send("studio/reject", scope ?? { rows: numbers });
    outcome.value = { text: `${plural(done.written, "proposal")} rejected.`, isBad: false, edit: done.id, conflicts: [] };
    if (numbers?.length === 1) next(numbers[0]);
  } catch (error) {
    outcome.value = { text: /** @type {Error} */ (error).message, isBad: true, edit: null, conflicts: [] };
  }
}

/** Go on to the next picture with a proposal, if the cursor is still on the row. @param {number} row */
function next(row) {
  typed.delete(row);
  const { length } = result.value;
  if (result.value[cursor.value] !== row) return;
  for (let place = cursor.value + 1; place < length; place += 1) {
    const known = rows.value.get(result.value[place]);
    if (!known || known.proposal) {
      if (known) go(place);
      return;
    }
  }
}
