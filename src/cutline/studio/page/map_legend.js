// @ts-check
/** The colours of the map's points: by what, what each means, and the points of one as a selection. */

import { batch, effect, signal } from "./vendor/preact.js";
import { bytes, get, send } from "./api.js";
import { area, fail, map, problem } from "./map.js";
import { filterBy, opening } from "./store.js";

/** @typedef {{text: string, count: number, color: string, term?: string}} Entry */

/** The number of the colour of each point; those of the clusters, where none were chosen. */
export const colors = signal(/** @type {{numbers: Uint8Array<ArrayBuffer>, legend: Entry[]} | null} */ (null));
export const by = signal("cluster");
export const keyword = signal("");
/** Another set of captions, with which those of the dataset are compared, and all that there are. */
export const other = signal("");
export const others = signal(/** @type {string[]} */ ([]));

opening.subscribe(() => {
  batch(() => ([colors.value, by.value, other.value, others.value] = [null, "cluster", "", []]));
});
effect(() => {
  if (map.value && by.peek() !== "cluster") void color(); // points, captions or marks have changed
});

/** Look which sets of captions there are beside the dataset's own. */
export const findOthers = () => get("studio/compare").then((names) => (others.value = names.filter((/** @type {string} */ name) => name !== "captions")), () => {});

/** Colour the points by what `by` says. */
export async function color() {
  const [kind, words, set] = [by.value, keyword.value.trim(), other.value];
  if (kind === "cluster" || (kind === "keyword" && !words) || (kind === "set" && !set)) {
    colors.value = null;
    return;
  }
  try {
    const found = await send("studio/map/colors", { by: kind, ...(kind === "keyword" && { keyword: words }), ...(kind === "set" && { set }) });
    const numbers = new Uint8Array(await bytes(found.colors.replace(/^\//, "")));
    if (kind !== by.value || words !== keyword.value.trim() || set !== other.value) return;
    batch(() => ([colors.value, problem.value] = [{ numbers, legend: found.legend }, ""]));
  } catch (error) {
    fail(error);
  }
}

/** Select the points of a colour. @param {number} number @param {{altKey: boolean, shiftKey: boolean}} event */
export async function isolateColor(number, event) {
  const found = colors.value;
  const term = found?.legend[number]?.term;
  if (term) await filterBy(term, event);
  else if (found) await area(found.numbers.map((one) => (one === number ? 1 : 0)), event.altKey ? "take" : event.shiftKey ? "add" : "new");
}
