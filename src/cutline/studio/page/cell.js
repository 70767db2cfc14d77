// @ts-check
/** A cell of the grid: a thumbnail, marks and the caption of a picture. */

import { html, useRef } from "./vendor/preact.js";
import { filterBy, wordAt } from "./facets.js";
import { Picture } from "./picture.js";
import { click } from "./selection.js";
import { cursor, left, picked, result, rows } from "./store.js";

/**
 * @param {number} place @param {{left: number, top: number, width: number, height: number}} at
 * @param {number} height of the thumbnail @param {boolean} isFast
 */
export function cell(place, at, height, isFast) {
  const row = result.value[place];
  const known = rows.value.get(row);
  const missing = known && !known.caption;
  const classes = ["cell", place === cursor.value && "cursor", picked.value.has(row) && "picked", missing && "missing", left.value.has(row) && "left"];
  const style = Object.fromEntries(Object.entries(at).map(([name, value]) => [name, `${value}px`]));
  return html`<div key=${row} class=${classes.filter(Boolean).join(" ")} style=${style} role="option"
      id=${`cell-${row}`} aria-selected=${picked.value.has(row)} title=${known?.key ?? ""}
      onClick=${(/** @type {MouseEvent} */ event) => click(event, place)}>
    <span class="badges">${badges(known).map(([sign, text, term]) => html`<span class="badge" role="img" title=${term ? `${text}: click to find all, with Alt those that are not` : text}
      aria-label=${text} onClick=${(/** @type {MouseEvent} */ event) => term && (event.stopPropagation(), filterBy(term, event))}>${sign}</span>`)}</span>
    <${Thumbnail} row=${row} color=${known?.color} height=${height} isFast=${isFast} />
    <p onClick=${(/** @type {MouseEvent} */ event) => event.altKey && byWord(event)} onDblClick=${byWord}>${missing ? "no caption" : known?.caption ?? ""}</p>
  </div>`;
}

/** The picture, or its average colour while the grid is scrolled past. @param {{row: number, color?: string | null, height: number, isFast: boolean}} props */
function Thumbnail({ row, color, height, isFast }) {
  const isWanted = useRef(false);
  isWanted.current ||= !isFast;
  if (isWanted.current) return html`<${Picture} src=${`studio/thumbnails/${row}`} alt="" height=${height} color=${color} />`;
  return html`<span class="stand-in" style=${{ height: `${height}px`, backgroundColor: color ?? "" }}></span>`;
}

/** Find by the word under the pointer: a double click those that have it, Alt-click those that have it not. @param {MouseEvent} event */
function byWord(event) {
  const word = wordAt(/** @type {Element} */ (event.currentTarget), event.clientX, event.clientY);
  if (word) void filterBy(`"${word}"`, event);
}

/** Signs of what a picture is, what they mean, and what finds them. @param {import("./store.js").Row | undefined} known */
function badges(known) {
  const found = [];
  if (known && !known.caption && !known.problem) found.push(["∅", "no caption", "missing:"]);
  if (known?.marks.includes("done")) found.push(["✓", "done", "status:done"]);
  if (known?.marks.includes("flagged")) found.push(["⚑", "flagged", "status:flagged"]);
  if (known?.proposal) found.push(["✎", "has a proposal", "has:proposal"]);
  if (known?.failure) found.push(["✗", `failed: ${known.failure.kind}`, `failed:${known.failure.kind}`]);
  if (known?.problem || known?.note) found.push(["!", known.problem || known.note, ""]);
  return found;
}
