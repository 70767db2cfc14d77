// @ts-check
/** The grid: cells at computed places, of which only the visible ones exist. */

import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { cell } from "./cell.js";
import { offsetOf, scaleOf } from "./grid_space.js";
import { tip } from "./keys.js";
import { cursor, result, want } from "./store.js";

/** Cells: their least width, their height, and that of the picture, in pixels. */
const SIZES = [
  { name: "small", width: 118, height: 140, picture: 84 },
  { name: "medium", width: 200, height: 236, picture: 150 },
  { name: "large", width: 330, height: 372, picture: 268 },
];
const STORED = "cutline size";
const MAX_SCROLL = 8_000_000; // px; browsers cap an element's height
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
