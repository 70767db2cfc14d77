// @ts-check
/** The grid: cells at computed places, of which only the visible ones exist. */

import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { WORD } from "./filter_text.js";
import { tip } from "./keys.js";
import { Picture } from "./picture.js";
import { click } from "./selection.js";
import { cursor, filterBy, left, picked, result, rows, want } from "./store.js";

/** How far down the content the visible part begins. @param {number} scroll @param {number} content @param {number} view @param {number} space heights in pixels; `space` is the element's */
export const offsetOf = (scroll, content, view, space) => (space <= view ? 0 : (scroll / (space - view)) * (content - view));

/** What a pixel of the content is on the scroll bar. @param {number} content @param {number} view @param {number} space */
export const scaleOf = (content, view, space) => (content > view ? (space - view) / (content - view) : 1);

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
    <p dir="auto" onClick=${(/** @type {MouseEvent} */ event) => event.altKey && byWord(event)} onDblClick=${byWord}>${missing ? "no caption" : known?.caption ?? ""}</p>
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

/** Cells: their least width, their height, and that of the picture, in pixels. */
const SIZES = [
  { name: "small", width: 118, height: 140, picture: 84 },
  { name: "medium", width: 200, height: 236, picture: 150 },
  { name: "large", width: 330, height: 372, picture: 268 },
];
const STORED = "cutline size";
const MAX_SCROLL = 8_000_000; // px; browsers cap an element's height
const LINE = 33; // px, where a wheel counts lines
const PART = 200; // rows are loaded in parts of so many
const REST = 120; // ms without scrolling, after which thumbnails are loaded
const FAST = 1.5; // views in one step of scrolling

export const columns = { count: 1, page: 1 };
const size = signal(Math.max(0, SIZES.findIndex((one) => one.name === (localStorage.getItem(STORED) ?? "medium"))));

/** @param {number} number */
function resize(number) {
  size.value = number;
  localStorage.setItem(STORED, SIZES[number].name);
}

export const nextSize = () => resize((size.value + 1) % SIZES.length);

/** Buttons of the three sizes. */
export function Sizes() {
  return html`<span class="sizes" role="group" aria-label="Thumbnails">
    ${SIZES.map(({ name }, number) => html`<button key=${name} aria-label=${`${name[0].toUpperCase()}${name.slice(1)} thumbnails`} title=${tip("size")}
      aria-pressed=${number === size.value} onClick=${() => resize(number)}><span class=${`square ${name}`}></span></button>`)}
  </span>`;
}

/** Whether the grid is scrolled so fast that no picture can be looked at. @param {number} offset @param {number} view */
function useFast(offset, view) {
  const last = useRef(offset);
  const [isFast, setFast] = useState(false);
  const jump = Math.abs(offset - last.current) > view * FAST;
  useEffect(() => {
    const isMoving = offset !== last.current;
    last.current = offset;
    if (jump) setFast(true);
    if (!isMoving && !isFast) return undefined;
    const timer = setTimeout(() => setFast(false), REST);
    return () => clearTimeout(timer);
  }, [offset, isFast]);
  return isFast || jump;
}

/** Scroll a large grid as far as the wheel says: its scroll bar alone would pass by lines. @param {{current: HTMLElement | null}} box @param {number} scale of the scroll bar */
function useWheel(box, scale) {
  const now = useRef(scale);
  now.current = scale;
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    let rest = 0; // browsers scroll by whole pixels
    const turn = (/** @type {WheelEvent} */ event) => {
      if (now.current === 1 || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      const unit = [1, LINE, element.clientHeight][event.deltaMode];
      const wanted = event.deltaY * unit * now.current + rest;
      rest = wanted - Math.trunc(wanted);
      element.scrollTop += Math.trunc(wanted);
    };
    element.addEventListener("wheel", turn, { passive: false });
    return () => element.removeEventListener("wheel", turn);
  }, []);
}

export function Grid() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ width: 800, height: 600, top: 0 });
  const { name, width: least, height, picture } = SIZES[size.value];
  const count = Math.max(1, Math.floor((view.width - 12) / least));
  const width = Math.floor((view.width - 12) / count);
  const lines = Math.ceil(result.value.length / count);
  const content = lines * height;
  const space = Math.min(content, MAX_SCROLL);
  const offset = offsetOf(view.top, content, view.height, space);
  const isFast = useFast(offset, view.height);
  useWheel(box, scaleOf(content, view.height, space));
  columns.count = count;
  columns.page = Math.max(1, Math.floor(view.height / height));

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
    const line = Math.floor(cursor.value / count) * height;
    const scale = scaleOf(content, view.height, space);
    if (line < offset) element.scrollTop = line * scale;
    else if (line + height > offset + view.height) element.scrollTop = (line + height - view.height) * scale;
  }, [cursor.value, count, height, result.value]);

  const first = Math.max(0, Math.floor(offset / height) - 1) * count;
  const last = Math.min(result.value.length, Math.min(lines, Math.ceil((offset + view.height) / height) + 1) * count);
  /** @type {number[]} */
  const places = [];
  for (let place = first; place < last; place += 1) places.push(place);
  useEffect(() => want([...result.value.subarray(Math.floor(first / PART) * PART, Math.ceil(last / PART) * PART)], "grid"));

  return html`<div class=${`grid ${name}`} ref=${box} tabindex="0" role="listbox" aria-multiselectable="true"
      aria-label="Pictures" aria-activedescendant=${result.value.length ? `cell-${result.value[cursor.value]}` : undefined}>
    <div class="space" role="presentation" style=${{ height: `${space}px` }}>
      ${places.map((place) => {
        const at = { left: (place % count) * width, top: Math.floor(place / count) * height + view.top - offset, width, height };
        return cell(place, at, picture, isFast);
      })}
    </div>
  </div>`;
}
