// @ts-check
/** The grid: cells at computed places, of which only the visible ones exist. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { filterBy, wordAt } from "./facets.js";
import { offsetOf, scaleOf } from "./grid_space.js";
import { Picture } from "./picture.js";
import { click } from "./selection.js";
import { cursor, left, picked, result, rows, want } from "./store.js";

const WIDTH = 200; // at least
const HEIGHT = 236;
const MAX_SCROLL = 8_000_000; // px; browsers cap an element's height

export const columns = { count: 1, page: 1 };

export function Grid() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ width: 800, height: 600, top: 0 });
  const count = Math.max(1, Math.floor((view.width - 12) / WIDTH));
  const width = Math.floor((view.width - 12) / count);
  const lines = Math.ceil(result.value.length / count);
  const content = lines * HEIGHT;
  const space = Math.min(content, MAX_SCROLL);
  const offset = offsetOf(view.top, content, view.height, space);
  columns.count = count;
  columns.page = Math.max(1, Math.floor(view.height / HEIGHT));

  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const measure = () => setView({ width: element.clientWidth, height: element.clientHeight, top: element.scrollTop });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const line = Math.floor(cursor.value / count) * HEIGHT;
    const scale = scaleOf(content, view.height, space);
    if (line < offset) element.scrollTop = line * scale;
    else if (line + HEIGHT > offset + view.height) element.scrollTop = (line + HEIGHT - view.height) * scale;
  }, [cursor.value, count, result.value]);

  const first = Math.max(0, Math.floor(offset / HEIGHT) - 1);
  const last = Math.min(lines, Math.ceil((offset + view.height) / HEIGHT) + 1);
  /** @type {number[]} */
  const places = [];
  for (let place = first * count; place < Math.min(last * count, result.value.length); place += 1) places.push(place);
  useEffect(() => want(places.map((place) => result.value[place]), "grid"));

  return html`<div class="grid" ref=${box} tabindex="0" role="listbox" aria-multiselectable="true"
      aria-label="Pictures" aria-activedescendant=${result.value.length ? `cell-${result.value[cursor.value]}` : undefined}>
    <div class="space" role="presentation" style=${{ height: `${space}px` }}>
      ${places.map((place) => cell(place, count, width, view.top - offset))}
    </div>
  </div>`;
}

/** @param {number} place @param {number} count @param {number} width @param {number} shift */
function cell(place, count, width, shift) {
  const row = result.value[place];
  const known = rows.value.get(row);
  const missing = known && !known.caption;
  const classes = ["cell", place === cursor.value && "cursor", picked.value.has(row) && "picked", missing && "missing", left.value.has(row) && "left"];
  const style = {
    left: `${(place % count) * width}px`,
    top: `${Math.floor(place / count) * HEIGHT + shift}px`,
    width: `${width}px`,
    height: `${HEIGHT}px`,
  };
  return html`<div key=${row} class=${classes.filter(Boolean).join(" ")} style=${style} role="option"
      id=${`cell-${row}`} aria-selected=${picked.value.has(row)} title=${known?.key ?? ""}
      onClick=${(/** @type {MouseEvent} */ event) => click(event, place)}>
    <span class="badges">${badges(known).map(([sign, text, term]) => html`<span class="badge" role="img" title=${term ? `${text}: click to find all, with Alt those that are not` : text}
      aria-label=${text} onClick=${(/** @type {MouseEvent} */ event) => term && (event.stopPropagation(), filterBy(term, event))}>${sign}</span>`)}</span>
    <${Picture} src=${`studio/thumbnails/${row}`} alt="" height=${150} />
    <p onClick=${(/** @type {MouseEvent} */ event) => event.altKey && byWord(event)} onDblClick=${byWord}>${missing ? "no caption" : known?.caption ?? ""}</p>
  </div>`;
}

/** Find by the word under the pointer: a double click those that have it, Alt-click those that have it not. @param {MouseEvent} event */
function byWord(event) {
  const word = wordAt(/** @type {Element} */ (event.currentTarget), event.clientX, event.clientY);
  if (word) void filterBy(`"${word}"`, event);
}

/** Signs of what a picture is, what they mean, and what finds them. @param {import("./store.js").Row | undefined} known */
function badges(known) {
  const found = [];
  if (known?.marks.includes("done")) found.push(["✓", "done", "status:done"]);
  if (known?.marks.includes("flagged")) found.push(["⚑", "flagged", "status:flagged"]);
  if (known?.proposal) found.push(["✎", "has a proposal", "has:proposal"]);
  if (known?.failure) found.push(["✗", `failed: ${known.failure.kind}`, `failed:${known.failure.kind}`]);
  if (known?.problem) found.push(["!", known.problem, ""]);
  return found;
}
