// @ts-check
/** Marks of pictures, and the way to the next one that needs work. */

import { find, send } from "./api.js";
import { plural } from "./running.js";
import { go } from "./selection.js";
import { cursor, notice, picked, result } from "./store.js";

/** What an action is about: what is picked, where the grid has the focus; else the cursor's picture. */
export function targets() {
  const inGrid = !document.activeElement?.closest(".editor, .side, .bar");
  if (inGrid && picked.value.size) return [...picked.value];
  const row = result.value[cursor.value];
  return row === undefined ? [] : [row];
}

/** Set a mark, or remove it where all have it. @param {"done" | "flagged"} mark */
export async function toggleMark(mark) {
  const rows = targets();
  if (!rows.length) return;
  try {
    const having = new Set(await find(`status:${mark}`));
    const on = !rows.every((row) => having.has(row));
    await send("studio/marks", { rows, mark, on });
    notice.value = rows.length > 1 ? `${plural(rows.length, "picture")} ${on ? "marked as" : "no longer"} ${mark}.` : "";
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}

/** @param {number} row */
export const markDone = (row) => send("studio/marks", { rows: [row], mark: "done", on: true });

/** Go to the next picture of the result that matches a query; after the last one comes the first. @param {string} text @param {string} none */
export async function goToNext(text, none) {
  try {
    const matching = new Set(await find(text));
    const { length } = result.value;
    for (let step = 1; step <= length; step += 1) {
      const place = (cursor.value + step) % length;
      if (matching.has(result.value[place])) {
        go(place);
        notice.value = "";
        return;
      }
    }
    notice.value = none;
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}
