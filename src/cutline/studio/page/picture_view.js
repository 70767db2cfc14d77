// @ts-check
/** The current picture: as large as fits, or zoomed by wheel and keys and moved by dragging. */

import { html, signal, useEffect, useRef } from "./vendor/preact.js";
import { ActionButton, register } from "./keys.js";
import { Picture } from "./picture.js";

const STEP = 1.25;
const MOST = 8; // times the picture's own size
const PART = 0.2; // of the view, moved by a key

/** `scale`: pixels on the screen for one of the picture, 0 for what fits; `x`, `y`: its centre, from the view's. */
const FIT = { scale: 0, x: 0, y: 0 };
export const zoom = signal(FIT);

/** The view on the page. @type {HTMLElement | null} */
let box = null;

/** Sizes of the picture and the view, and the scale at which one fits the other; null while there is no picture. */
function measure() {
  const picture = box?.querySelector("img");
  if (!box || !picture?.naturalWidth) return null;
  const [width, height] = [picture.naturalWidth, picture.naturalHeight];
  const own = 1 / window.devicePixelRatio;
  const fit = Math.min(box.clientWidth / width, box.clientHeight / height, own);
  return { width, height, own, fit, view: { width: box.clientWidth, height: box.clientHeight } };
}

/** @param {number} value @param {number} most */
const within = (value, most) => Math.max(-most, Math.min(most, value));

/** Put the picture's centre somewhere, but never its edges within the view. @param {number} scale @param {number} x @param {number} y */
function place(scale, x, y) {
  const sizes = measure();
  if (!sizes) return;
  const edge = (/** @type {number} */ size, /** @type {number} */ view) => Math.max(0, (size * scale - view) / 2);
  zoom.value = { scale, x: within(x, edge(sizes.width, sizes.view.width)), y: within(y, edge(sizes.height, sizes.view.height)) };
}

/** Zoom to a scale; the point `at`, from the view's centre, stays where it is. @param {number} scale @param {{x: number, y: number}} at */
function zoomTo(scale, at) {
  const sizes = measure();
  if (!sizes) return;
  const next = Math.min(scale, sizes.own * MOST);
  if (next <= sizes.fit * 1.01) {
    zoom.value = FIT;
    return;
  }
  const before = zoom.value.scale || sizes.fit;
  place(next, at.x - (at.x - zoom.value.x) * (next / before), at.y - (at.y - zoom.value.y) * (next / before));
}

const CENTRE = { x: 0, y: 0 };

/** @param {number} factor @param {{x: number, y: number}} [at] */
function zoomBy(factor, at = CENTRE) {
  zoomTo((zoom.value.scale || (measure()?.fit ?? 1)) * factor, at);
}

/** Between what fits and the picture's own size; a picture smaller than the view is shown larger. @param {{x: number, y: number}} [at] */
function toggle(at = CENTRE) {
  const sizes = measure();
  if (!sizes) return;
  if (zoom.value.scale) zoom.value = FIT;
  else zoomTo(sizes.fit < sizes.own * 0.99 ? sizes.own : sizes.own * 2, at);
}

/** @param {number} x @param {number} y */
function pan(x, y) {
  const sizes = measure();
  if (sizes && zoom.value.scale) place(zoom.value.scale, zoom.value.x - x * sizes.view.width * PART, zoom.value.y - y * sizes.view.height * PART);
}

for (const action of [
  { id: "zoom", keys: ["Z"], text: "the whole picture, or its own size", run: () => toggle() },
  { id: "zoom-in", keys: ["+", "="], text: "zoom in", run: () => zoomBy(STEP) },
  { id: "zoom-out", keys: ["-"], text: "zoom out", run: () => zoomBy(1 / STEP) },
  { id: "pan-left", keys: ["Alt+ArrowLeft"], text: "move in the picture to the left", run: () => pan(-1, 0) },
  { id: "pan-right", keys: ["Alt+ArrowRight"], text: "move in the picture to the right", run: () => pan(1, 0) },
  { id: "pan-up", keys: ["Alt+ArrowUp"], text: "move in the picture up", run: () => pan(0, -1) },
  { id: "pan-down", keys: ["Alt+ArrowDown"], text: "move in the picture down", run: () => pan(0, 1) },
]) register({ group: "Picture", ...action });

/** Where the pointer is, from the view's centre. @param {MouseEvent} event */
function pointOf(event) {
  const { left, top, width, height } = /** @type {HTMLElement} */ (box).getBoundingClientRect();
  return { x: event.clientX - left - width / 2, y: event.clientY - top - height / 2 };
}

/** @param {WheelEvent} event */
function wheel(event) {
  event.preventDefault();
  zoomBy(STEP ** Math.sign(-event.deltaY), pointOf(event));
}

/** @param {PointerEvent} event */
function drag(event) {
  if (event.button !== 0 || !zoom.value.scale || !box) return;
  event.preventDefault();
  const [start, { scale, x, y }, view] = [pointOf(event), zoom.value, box];
  const move = (/** @type {PointerEvent} */ moved) => {
    const to = pointOf(moved);
    place(scale, x + to.x - start.x, y + to.y - start.y);
  };
  view.setPointerCapture(event.pointerId);
  view.addEventListener("pointermove", move);
  view.addEventListener("lostpointercapture", () => view.removeEventListener("pointermove", move), { once: true });
}

/** @param {{row: number, alt: string}} props */
export function PictureView({ row, alt }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    box = element.current;
    zoom.value = FIT;
  }, [row]);
  const { scale, x, y } = zoom.value;
  const sizes = scale ? measure() : null;
  const style = sizes ? { width: `${sizes.width * scale}px`, transform: `translate(calc(-50% + ${x}px), calc(-50% + ${y}px))` } : undefined;
  return html`<div class="stage">
    <div class=${scale ? "view zoomed" : "view"} ref=${element} onWheel=${wheel} onPointerDown=${drag}
        onDblClick=${(/** @type {MouseEvent} */ event) => toggle(pointOf(event))}>
      <${Picture} src=${`studio/pictures/${row}`} alt=${alt} style=${style} why />
    </div>
    <div class="zoom">
      ${sizes && html`<span class="figures">${Math.round((scale / sizes.own) * 100)}%</span>`}
      <${ActionButton} id="zoom-out" label="Zoom out">−<//>
      <${ActionButton} id="zoom">${scale ? "Fit" : "1:1"}<//>
      <${ActionButton} id="zoom-in" label="Zoom in">+<//>
    </div>
  </div>`;
}
