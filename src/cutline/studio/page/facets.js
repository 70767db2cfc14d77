// @ts-check
/** Terms of a picture that lead into the filter: a click finds those that have it too, Alt-click those that have it not. */

import { html } from "./vendor/preact.js";
import { draft } from "./draft.js";
import { partsOf, quoted, termsOf, withTerm, WORD } from "./filter_text.js";
import { query, search } from "./store.js";

/** @param {string} term @param {{altKey: boolean}} event */
export const filterBy = (term, { altKey }) => search(withTerm(query.value, term, altKey));

/** The word of a cell's caption at a point. @param {Element} box @param {number} x @param {number} y @returns {string} */
export function wordAt(box, x, y) {
  const range = document.createRange();
  for (const node of box.childNodes) {
    for (const { 0: word, index } of (node.textContent ?? "").matchAll(WORD)) {
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      for (const { left, right, top, bottom } of range.getClientRects()) if (x >= left && x <= right && y >= top && y <= bottom) return word;
    }
  }
  return "";
}

/** @param {{marks: string[], proposal: boolean, path: string}} props */
export function Facets({ marks, proposal, path }) {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const terms = [
    ...marks.map((mark) => ({ text: mark, term: `status:${mark}` })),
    ...(proposal ? [{ text: "proposal", term: "has:proposal" }] : []),
    ...(folder ? [{ text: folder, term: `path:${quoted(folder)}` }] : []),
    ...termsOf(draft.value?.text ?? ""),
  ];
  if (!terms.length) return null;
  const parts = partsOf(query.value);
  return html`<div class="facets" role="group" aria-label="Find by what this picture has">
    <span class="figures" title="Alt and a click: those that have it not">Find</span>
    ${terms.map((one) => html`<button key=${one.term} class="quiet" aria-pressed=${parts.includes(one.term)} title=${`find ${one.term}; with Alt: -${one.term}`}
      onClick=${(/** @type {MouseEvent} */ event) => filterBy(one.term, event)}>${one.text}</button>`)}
  </div>`;
}
