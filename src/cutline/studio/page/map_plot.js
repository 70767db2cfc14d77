// @ts-check
/** The map's plot: the points, the names of clusters on them, the picture under the pointer, and its keys. */

import { html, signal, useComputed, useEffect, useLayoutEffect, useRef, useSignalEffect } from "./vendor/preact.js";
import { clustersOf } from "./filter_text.js";
import { register, run } from "./keys.js";
import * as state from "./map.js";
import { panel } from "./panels.js";
import { Picture } from "./picture.js";
import { cornersOf, Scatter } from "./scatter.js";
import { middles } from "./scatter_index.js";
import { FEW, palette } from "./scatter_paint.js";
import { cursor, query, result, rows, want } from "./store.js";

const STEP = 48; // px by an arrow
const FAR = 4; // times that with Shift
const COVERED = 0.15; // of the plot, by names
const GAP = 2; // px between a name and the points below or above it
const FINE = 12; // px of the crosshair

let plot = /** @type {Scatter | null} */ (null);
export const plotted = () => plot;
export const mode = signal(/** @type {import("./scatter.js").Mode} */ ("pan"));
const hovered = signal(-1);
const inGrid = signal(-1); // the row under the pointer in the grid
/** What is drawn round, in CSS pixels. */
const outline = signal(/** @type {readonly number[]} */ ([]));
/** Where the keys draw, and the corners that are set. */
const crosshair = signal(/** @type {{x: number, y: number, corners: number[]} | null} */ (null));
const isPart = signal(false);
const isDark = signal(matchMedia("(prefers-color-scheme: dark)").matches);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => (isDark.value = event.matches));

/** @param {import("./scatter.js").Mode} next */
export function choose(next) {
  mode.value = mode.value === next ? "pan" : next;
  [crosshair.value, outline.value] = [null, []];
}

export const zoom = (/** @type {number} */ factor) => plot?.zoom(factor);
export const reset = () => plot?.fit();

/** @param {{shiftKey: boolean, altKey: boolean}} event */
const joining = ({ shiftKey, altKey }) => (shiftKey ? "add" : altKey ? "take" : "new");

/** @param {number} across @param {number} down @param {boolean} isFar */
function step(across, down, isFar) {
  if (!plot) return;
  const { clientWidth: width, clientHeight: height } = plot.canvas;
  if (mode.value === "pan") return plot.pan(-across * STEP * (isFar ? FAR : 1), -down * STEP * (isFar ? FAR : 1));
  const { x, y, corners } = crosshair.value ?? { x: width / 2, y: height / 2, corners: [] };
  const far = FINE * (isFar ? FAR : 1);
  crosshair.value = { x: Math.max(0, Math.min(width, x + across * far)), y: Math.max(0, Math.min(height, y + down * far)), corners };
  hovered.value = plot.pointAt(crosshair.value.x, crosshair.value.y);
  sketch();
}

/** Show what the keys have drawn so far. */
function sketch() {
  const at = crosshair.value;
  if (!at) return;
  const path = [...at.corners, at.x, at.y];
  outline.value = mode.value === "box" && path.length === 4 ? cornersOf(path) : path;
}

/** Set a corner; the same one twice, or the second one of a box, ends the outline. @param {{shiftKey: boolean, altKey: boolean}} event */
function corner(event) {
  if (!plot) return;
  const { clientWidth: width, clientHeight: height } = plot.canvas;
  const { x, y, corners } = crosshair.value ?? { x: width / 2, y: height / 2, corners: [] };
  const isSame = corners.at(-2) === x && corners.at(-1) === y;
  const whole = isSame ? corners : [...corners, x, y];
  crosshair.value = { x, y, corners: whole };
  sketch();
  if (mode.value === "box" ? whole.length < 4 : !isSame || whole.length < 6) return;
  const inside = plot.inside(whole, mode.value);
  choose(mode.value);
  void state.area(inside, joining(event));
}

/** Look at the next cluster. @param {number} by */
function turn(by) {
  const clusters = state.map.value?.clusters ?? [];
  if (!clusters.length) return;
  const at = clusters.findIndex((one) => one.number === state.focus.value);
  const next = clusters[at < 0 ? (by > 0 ? 0 : clusters.length - 1) : (at + by + clusters.length) % clusters.length];
  state.focus.value = next.number;
  document.getElementById(`cluster-${next.number}`)?.scrollIntoView({ block: "nearest" });
}

/** @param {{shiftKey: boolean, altKey: boolean}} event */
function enter(event) {
  if (mode.value !== "pan") return corner(event);
  const cluster = state.map.value?.clusters.find((one) => one.number === state.focus.value);
  if (cluster) state.isolate(cluster, event);
}

function escape() {
  if (plot?.cancel()) return;
  if (crosshair.value?.corners.length) [crosshair.value, outline.value] = [{ ...crosshair.value, corners: [] }, []];
  else if (mode.value !== "pan") choose(mode.value);
  else state.focus.value = null;
}

/** By a key, beside the map too, which has the next keys then. @param {import("./scatter.js").Mode} next */
function draw(next) {
  choose(next);
  box?.focus();
}

const isDrawing = () => mode.value !== "pan" || state.focus.value !== null || Boolean(plot?.drag);
const NO_KEY = { shiftKey: false, altKey: false };
const within = ".plot";
const ARROWS = /** @type {const} */ ([["left", "ArrowLeft", -1, 0], ["right", "ArrowRight", 1, 0], ["up", "ArrowUp", 0, -1], ["down", "ArrowDown", 0, 1]]);
for (const [name, key, x, y] of ARROWS) {
  register({ id: `map-${name}`, keys: [key], text: `map: ${name}, far with Shift; moves the crosshair while a lasso is drawn`, group: "Map", within, run: () => step(x, y, false) });
  register({ id: `map-far-${name}`, keys: [`Shift+${key}`], text: `map: far ${name}`, group: "Map", within, run: () => step(x, y, true) });
}
for (const action of [
  { id: "map-in", keys: ["+", "="], text: "map: nearer", run: () => zoom(1.5) },
  { id: "map-out", keys: ["-"], text: "map: farther", run: () => zoom(1 / 1.5) },
  { id: "map-reset", keys: ["0"], text: "map: all of it", run: reset },
  { id: "map-next", keys: ["]"], text: "map: look at the next cluster", within: ".map", run: () => turn(1) },
  { id: "map-previous", keys: ["["], text: "map: look at the cluster before", within: ".map", run: () => turn(-1) },
  { id: "map-lasso", keys: ["L"], text: "map: draw a lasso, by the pointer or by arrows and Enter", within: ".map", run: () => draw("lasso") },
  { id: "map-box", keys: ["B"], text: "map: draw a box", within: ".map", run: () => draw("box") },
  { id: "map-enter", keys: ["Enter"], text: "map: select the cluster; set a corner, twice: end the lasso", run: () => enter(NO_KEY) },
  { id: "map-add", keys: ["Shift+Enter"], text: "map: the same, added to what is selected", run: () => enter({ ...NO_KEY, shiftKey: true }) },
  { id: "map-take", keys: ["Alt+Enter"], text: "map: the same, taken from what is selected", run: () => enter({ ...NO_KEY, altKey: true }) },
  { id: "map-escape", keys: ["Escape"], text: "map: draw nothing, look at no cluster", when: isDrawing, run: escape },
]) register({ group: "Map", within, ...action });

/** Rows that are shown as selected: those of the cluster that is looked at, or what the query selects. */
function shown() {
  const [number, labels] = [state.focus.value, state.labels.value];
  return number === null ? state.selected.value : labels.map((label) => (label === number ? 1 : 0));
}

/** @type {import("./scatter.js").Listener} */
const LISTENER = {
  hover: (row) => (hovered.value = row),
  click: (row) => ((hovered.value = -1), row >= 0 ? state.visit(row) : (state.focus.value = null)),
  area: (inside, event) => void state.area(inside, joining(event)),
  outline: (corners) => (outline.value = [...corners]),
  moved: () => place(),
};

/** @type {HTMLElement | null} */
let box = null;
/** Where names lie: before the points glided, and after. @type {{from: ReturnType<typeof middles>, to: ReturnType<typeof middles>}} */
let spots = { from: [], to: [] };

/** Names of clusters: those that are selected or looked at first, which no other hides, then the largest; with the halves of their sizes. @type {{element: HTMLElement, number: number, wide: number, high: number}[]} */
let names = [];

function measure() {
  const found = /** @type {NodeListOf<HTMLElement>} */ (box?.querySelectorAll(".names span") ?? []);
  names = [...found].map((element) => ({ element, number: Number(element.dataset.number), wide: element.offsetWidth / 2, high: element.offsetHeight / 2 }));
  const isOn = (/** @type {typeof names[0]} */ one) => Number(one.element.classList.contains("on"));
  names.sort((a, b) => isOn(b) - isOn(a));
}

/** Put names and rings where their points are. */
function place() {
  if (!plot || !box) return;
  const { part } = plot.glide;
  const { clientWidth: width, clientHeight: height } = plot.canvas;
  /** @type {number[][]} */
  const taken = [];
  let free = COVERED * width * height;
  for (const { element, number, wide, high } of names) {
    const to = spots.to[number];
    const from = spots.from[number] ?? to;
    if (!to || !from) {
      element.style.visibility = "hidden";
      continue;
    }
    const [x, y] = plot.toPixel(from.x + part * (to.x - from.x), from.y + part * (to.y - from.y));
    const far = GAP + plot.size / 2;
    const left = Math.max(0, Math.min(width - 2 * wide, x - wide)); // whole, where its place is in sight
    const isSeen = x >= 0 && y >= 0 && x <= width && y <= height;
    const tops = isSeen && (free > 0 || element.classList.contains("on")) ? [y - far - 2 * high, y + far].filter((top) => top >= 0 && top + 2 * high <= height) : []; // above its points, or below
    const top = tops.find((top) => !taken.some((one) => left < one[2] && one[0] < left + 2 * wide && top < one[3] && one[1] < top + 2 * high));
    element.style.visibility = top === undefined ? "hidden" : "visible";
    if (top === undefined) continue;
    element.style.transform = `translate(${left}px, ${top}px)`;
    free -= 4 * wide * high;
    taken.push([left, top, left + 2 * wide, top + 2 * high]);
  }
  ring();
}

/** Put the rings round the rows of the cursor, the grid and the pointer. */
function ring() {
  if (!plot || !box) return;
  const rings = /** @type {const} */ ([[".ring.cursor", result.value[cursor.value] ?? -1], [".ring.grid-row", inGrid.value], [".ring.hovered", hovered.value]]);
  for (const [selector, row] of rings) {
    const ring = /** @type {HTMLElement} */ (box.querySelector(selector));
    const at = row >= 0 && row < plot.points.labels.length ? plot.pixelOf(row) : null;
    ring.hidden = !at;
    if (at) ring.style.transform = `translate(${at[0]}px, ${at[1]}px)`;
  }
}

/** The row of the grid's cell under the pointer lights up on the map. */
function useGrid() {
  useEffect(() => {
    const grid = document.querySelector(".grid");
    const over = (/** @type {Event} */ event) => {
      const cell = /** @type {Element} */ (event.target).closest(".cell");
      inGrid.value = cell ? Number(cell.id.slice(5)) : -1;
    };
    const out = () => (inGrid.value = -1);
    grid?.addEventListener("pointerover", over);
    grid?.addEventListener("pointerleave", out);
    return () => (grid?.removeEventListener("pointerover", over), grid?.removeEventListener("pointerleave", out), out());
  }, []);
}

export function Plot() {
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useLayoutEffect(() => {
    box = frame.current;
    const made = new Scatter(/** @type {HTMLCanvasElement} */ (canvas.current), LISTENER);
    plot = made;
    return () => (made.end(), ([plot, box] = [null, null]), choose("pan"), (hovered.value = -1));
  }, []);
  useSignalEffect(() => {
    if (plot && state.points.value !== plot.points.to) plot.setPoints(state.points.value);
    isPart.value = Boolean(plot && plot.painter.limit < state.points.value.length / 2);
  });
  useSignalEffect(() => {
    const found = state.colors.value;
    const given = found ? found.legend.map(({ color }, number) => ({ number, color })) : (state.map.value?.clusters ?? []);
    void state.points.value;
    plot?.setColours(found?.numbers ?? state.labels.value, palette(given, isDark.value));
  });
  useSignalEffect(() => {
    void state.points.value;
    plot?.setStates(shown(), state.stale.value);
  });
  useSignalEffect(() => {
    if (plot) plot.mode = mode.value;
  });
  const clusters = state.map.value?.clusters ?? [];
  useLayoutEffect(() => {
    const most = clusters.reduce((sum, one) => Math.max(sum, one.number + 1), 0);
    spots = { from: spots.to, to: middles(state.points.value, state.labels.value, most) };
  }, [state.points.value, state.labels.value, state.map.value]);
  useLayoutEffect(() => (measure(), place()), [state.points.value, state.labels.value, state.map.value, state.focus.value, query.value]);
  useSignalEffect(ring);
  useGrid();
  const selected = clustersOf(query.value);
  const focused = clusters.find((one) => one.number === state.focus.value);
  return html`<div class=${`plot ${mode.value}`} ref=${frame} tabindex="0" role="application" aria-roledescription="map"
      aria-label=${`Map of ${state.points.value.length / 2} points: arrows move it, plus and minus zoom, brackets go through clusters, Enter selects`}>
    <canvas ref=${canvas}></canvas>
    <div class="names" aria-hidden="true">
      ${clusters.map((one) => html`<span key=${one.number} data-number=${one.number} class=${one.number === state.focus.value || selected.includes(one.name) ? "on" : ""}>${one.name}</span>`)}
    </div>
    <span class="ring cursor" hidden></span><span class="ring grid-row" hidden></span><span class="ring hovered" hidden></span>
    <${Outline} />
    <${Tip} />
    <p class="sr" role="status">${focused ? `${focused.name}, ${focused.size}` : crosshair.value ? `${crosshair.value.corners.length / 2} corners` : ""}</p>
    ${isPart.value && html`<p class="few">This browser has no WebGL2: ${FEW.toLocaleString("en")} of ${(state.points.value.length / 2).toLocaleString("en")} points are drawn. All can be found and selected.</p>`}
  </div>`;
}

/** What is drawn round, and where the keys draw. */
function Outline() {
  const at = crosshair.value;
  return html`<svg class="outline" aria-hidden="true"><polygon points=${outline.value.join(" ")} />
    ${at && html`<path d=${`M${at.x - 9} ${at.y}h18M${at.x} ${at.y - 9}v18`} />`}</svg>`;
}

/** The picture and caption of the point under the pointer. */
function Tip() {
  const row = hovered.value;
  const known = useComputed(() => rows.value.get(hovered.value)).value;
  useEffect(() => {
    if (row >= 0) want([row], "map");
  }, [row, known]);
  const at = row >= 0 ? plot?.pixelOf(row) : null;
  if (!plot || !at) return null;
  const { clientWidth: width, clientHeight: height } = plot.canvas;
  const style = {
    [at[0] < width / 2 ? "left" : "right"]: `${Math.max(4, (at[0] < width / 2 ? at[0] : width - at[0]) + 14)}px`,
    [at[1] < height / 2 ? "top" : "bottom"]: `${Math.max(4, (at[1] < height / 2 ? at[1] : height - at[1]) + 14)}px`,
  };
  const cluster = state.labelOf(row);
  return html`<div class="tip" style=${style}>
    <${Picture} key=${row} src=${`studio/thumbnails/${row}`} alt="" height=${110} color=${known?.color} />
    <p>${known ? (known.caption || "no caption") : ""}</p>
    <p class="figures">${known?.key}${cluster ? ` · ${cluster.name}` : ""}</p>
  </div>`;
}

register({ id: "map-focus", keys: ["Shift+M"], text: "map: open it, or give it the keys", group: "Map", run: () => (panel.value === "map" ? box?.focus() : run("map")) });
