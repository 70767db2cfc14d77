// @ts-check
/** A scatter plot on a canvas: view, glides, pointer, lasso and box. It knows points by their numbers and nothing else. */

import { PointIndex } from "./scatter_index.js";
import { canvasPainter, FEW, glPainter, IN, sampleOf, STALE } from "./scatter_paint.js";

const GLIDE = 400; // ms
const SLOW = 30; // ms of a frame
const REST = 160; // ms without a change of the view, after which all points are drawn
const REACH = 12; // px from a point at which it is meant
const MARGIN = 0.92; // of the view, which the points fill
const MOST = 5000; // times that the view is enlarged
const CLICK = 4; // px that a click may move

/**
 * @typedef {"pan" | "lasso" | "box"} Mode
 * @typedef {{hover: (row: number) => void, click: (row: number) => void, area: (inside: Uint8Array, event: {shiftKey: boolean, altKey: boolean}) => void,
 *   outline: (corners: readonly number[]) => void, moved: () => void}} Listener
 */

export class Scatter {
  /** @param {HTMLCanvasElement} canvas @param {Listener} listener @param {boolean} [isPlain] without WebGL2 even where it is there */
  constructor(canvas, listener, isPlain) {
    this.canvas = canvas;
    this.listener = listener;
    this.painter = (isPlain ? null : glPainter(canvas, () => this.redraw())) ?? canvasPainter(canvas);
    /** @type {Mode} */
    this.mode = "pan";
    this.points = { from: new Float32Array(), to: new Float32Array(), labels: new Uint8Array(), states: new Uint8Array(), palette: new Uint8Array(1024) };
    this.index = new PointIndex(this.points.to);
    this.sample = sampleOf(0);
    this.view = { x: 0, y: 0, zoom: 1 };
    /** Whether all is shown, also after points have moved or the canvas has another size. */
    this.isWhole = true;
    this.dims = false;
    this.frame = 0; // that is requested
    this.glide = { since: 0, part: 1, view: this.view };
    /** Whether points are left out while the view changes; the time that a whole frame takes; since when one is due. */
    this.pace = { isMoving: false, isSlow: false, whole: 0, due: 0, late: 0, rest: 0 };
    /** @type {{x: number, y: number, path: number[], mode: Mode, isClick: boolean} | null} */
    this.drag = null;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
    this.#listen();
    this.resize();
  }

  /** Take new points: those that were there before glide. @param {Float32Array<ArrayBuffer>} points x and y each, NaN: nowhere */
  setPoints(points) {
    const { from, to } = this.points;
    const isGlide = to.length === points.length && points.length > 0 && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const start = isGlide ? points.slice() : points;
    if (isGlide) {
      const { part } = this.glide;
      for (let at = 0; at < points.length; at += 1) {
        const now = from[at] + part * (to[at] - from[at]);
        if (now === now && points[at] === points[at]) start[at] = now;
      }
    }
    const count = points.length / 2;
    const states = this.points.states.length === count ? this.points.states : new Uint8Array(count).fill(IN);
    const labels = this.points.labels.length === count ? this.points.labels : new Uint8Array(count).fill(255);
    this.points = { ...this.points, from: start, to: points, states, labels };
    this.index = new PointIndex(points);
    if (this.sample.length !== Math.min(count, FEW)) this.sample = sampleOf(count);
    this.pace.isSlow = this.pace.whole > SLOW;
    this.glide = { since: isGlide ? performance.now() : 0, part: isGlide ? 0 : 1, view: this.view };
    if (!isGlide) this.view = this.whole();
    this.painter.load(this.points, ["from", "to", "labels", "states"]);
    this.redraw();
    this.listener.moved();
  }

  /** @param {Uint8Array<ArrayBuffer>} labels colours of the points @param {Uint8Array<ArrayBuffer>} palette 256 × RGBA */
  setColours(labels, palette) {
    if (labels.length !== this.points.states.length) return; // of other points, which come
    this.points = { ...this.points, labels, palette };
    this.painter.load(this.points, ["labels", "palette"]);
    this.#sketch();
  }

  /** @param {ArrayLike<number> | null} selected a byte for each point, 0: dimmed; null: none is @param {Iterable<number>} stale points drawn as rings */
  setStates(selected, stale) {
    const states = new Uint8Array(this.points.states.length).fill(IN);
    this.dims = false;
    if (selected) for (let row = 0; row < states.length; row += 1) if (!selected[row]) [states[row], this.dims] = [0, true];
    for (const row of stale) if (row < states.length) states[row] |= STALE;
    this.points = { ...this.points, states };
    this.painter.load(this.points, ["states"]);
    this.#sketch();
  }

  /** CSS pixels of a unit. */
  get scale() {
    return (Math.min(this.canvas.clientWidth, this.canvas.clientHeight) / 2) * MARGIN * this.view.zoom;
  }

  /** CSS pixels across a point. */
  get size() {
    const size = Math.max(1.5, Math.min(9, 24 * this.index.there ** -0.2)) * Math.max(0.7, Math.min(4, this.view.zoom ** 0.35));
    return Math.min(size, 14);
  }

  /** @param {number} across @param {number} down CSS pixels from the canvas' corner @returns {[number, number]} */
  toPoint(across, down) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [this.view.x + (across - width / 2) / this.scale, this.view.y - (down - height / 2) / this.scale];
  }

  /** @param {number} x @param {number} y @returns {[number, number]} CSS pixels */
  toPixel(x, y) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [(x - this.view.x) * this.scale + width / 2, (this.view.y - y) * this.scale + height / 2];
  }

  /** Where a point is drawn now, in CSS pixels; null: nowhere. @param {number} row @returns {[number, number] | null} */
  pixelOf(row) {
    const { from, to } = this.points;
    const [x, y] = [2 * row, 2 * row + 1].map((at) => from[at] + this.glide.part * (to[at] - from[at]));
    return x === x && y === y ? this.toPixel(x, y) : null;
  }

  /** The point that is meant by a place; -1: none. @param {number} across @param {number} down */
  pointAt(across, down) {
    const [x, y] = this.toPoint(across, down);
    return this.index.nearest(x, y, REACH / this.scale);
  }

  /** @param {number} factor @param {number} [across] @param {number} [down] the place that stays, the middle by default */
  zoom(factor, across = this.canvas.clientWidth / 2, down = this.canvas.clientHeight / 2) {
    const [x, y] = this.toPoint(across, down);
    this.view.zoom = Math.max(0.5, Math.min(MOST, this.view.zoom * factor));
    const [nowX, nowY] = this.toPoint(across, down);
    this.view = { ...this.view, x: this.view.x + x - nowX, y: this.view.y + y - nowY };
    this.move();
  }

  /** @param {number} across @param {number} down CSS pixels */
  pan(across, down) {
    const within = (/** @type {number} */ value) => Math.max(-1.2, Math.min(1.2, value));
    this.view = { ...this.view, x: within(this.view.x - across / this.scale), y: within(this.view.y + down / this.scale) };
    this.move();
  }

  /** The view that shows all points. */
  whole() {
    const { left, right, bottom, top } = this.index;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const unit = Math.min(width, height) / 2;
    const zoom = Math.min(width / 2 / unit / Math.max((right - left) / 2, 1e-3), height / 2 / unit / Math.max((top - bottom) / 2, 1e-3));
    return { x: (left + right) / 2, y: (bottom + top) / 2, zoom: Math.max(0.5, Math.min(8, zoom)) };
  }

  /** Show all points. */
  fit() {
    this.view = this.whole();
    this.move();
    this.isWhole = true;
  }

  /** The view has changed, and perhaps will again at once. */
  move() {
    this.isWhole = false;
    this.#sketch();
    this.listener.moved();
  }

  /** Draw at once, only some of the points where all take long, which then follow. */
  #sketch() {
    const { pace } = this;
    if (!pace.isMoving) [pace.isMoving, pace.late, pace.isSlow] = [true, 0, pace.whole > SLOW];
    clearTimeout(pace.rest);
    pace.rest = setTimeout(() => ((pace.isMoving = false), this.redraw()), Math.max(REST, pace.whole));
    this.redraw();
  }

  redraw() {
    if (this.frame) return;
    this.pace.due = performance.now();
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { glide, pace, painter } = this;
    this.frame = 0;
    if (glide.part < 1) {
      const part = Math.max(0, Math.min(1, (performance.now() - glide.since) / GLIDE));
      glide.part = part < 1 ? part * part * (3 - 2 * part) : 1;
      if (this.isWhole) this.view = between(glide.view, this.whole(), glide.part);
      this.listener.moved();
    }
    const isMoving = pace.isMoving || glide.part < 1;
    pace.late = isMoving && performance.now() - pace.due > SLOW ? pace.late + 1 : 0;
    if (pace.late > 1) pace.isSlow = true; // one alone may be anything's
    const isPart = this.points.labels.length > (isMoving && pace.isSlow ? FEW : painter.limit);
    const ratio = devicePixelRatio || 1;
    const { view } = this;
    const drawn = { part: glide.part, scale: this.scale * ratio, x: view.x, y: view.y, size: this.size * ratio, dims: this.dims };
    painter.draw({ ...drawn, sample: isPart ? this.sample : null });
    if (!isPart && !isMoving) painter.drawn((time) => (pace.whole = time));
    if (glide.part < 1) this.redraw();
    else if (isMoving && !pace.isMoving) this.redraw(); // all points, at the end of a glide
  }

  resize() {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.max(1, Math.round(canvas.clientWidth * ratio)), Math.max(1, Math.round(canvas.clientHeight * ratio))];
    if (this.isWhole && this.glide.part === 1) this.view = this.whole();
    this.draw(); // at once: the canvas is empty now
    this.listener.moved();
  }

  /** What an outline encloses: a polygon, or a box of two corners. @param {readonly number[]} outline in CSS pixels @param {Mode} mode */
  inside(outline, mode) {
    const corners = [];
    for (let at = 0; at < outline.length; at += 2) corners.push(...this.toPoint(outline[at], outline[at + 1]));
    return mode === "box" ? this.index.box(corners[0], corners[1], corners[2], corners[3]) : this.index.lasso(Float64Array.from(corners));
  }

  #listen() {
    const { canvas, listener } = this;
    const place = (/** @type {MouseEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const [x, y] = place(event);
      canvas.setPointerCapture(event.pointerId);
      const mode = this.mode === "pan" && (event.shiftKey || event.altKey) ? "lasso" : this.mode;
      this.drag = { x, y, path: [x, y], mode, isClick: true };
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      const { drag } = this;
      if (!drag) return listener.hover(this.glide.part < 1 ? -1 : this.pointAt(x, y));
      if (drag.isClick && Math.hypot(x - drag.x, y - drag.y) < CLICK) return undefined;
      if (drag.isClick) listener.hover(-1);
      drag.isClick = false;
      if (drag.mode === "pan") this.pan(x - drag.x, y - drag.y);
      else if (drag.mode === "box") drag.path = [drag.path[0], drag.path[1], x, y];
      else if (Math.hypot(x - drag.x, y - drag.y) < 2) return undefined;
      else drag.path.push(x, y);
      [drag.x, drag.y] = [x, y];
      if (drag.mode !== "pan") listener.outline(drag.mode === "box" ? cornersOf(drag.path) : drag.path);
      return undefined;
    });
    canvas.addEventListener("pointerup", (event) => {
      const { drag } = this;
      this.drag = null;
      if (!drag) return;
      if (drag.isClick) listener.click(this.pointAt(drag.x, drag.y));
      else if (drag.mode !== "pan") {
        listener.outline([]);
        if (drag.path.length > (drag.mode === "box" ? 2 : 4)) listener.area(this.inside(drag.path, drag.mode), event);
      }
    });
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("pointerleave", () => listener.hover(-1));
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [x, y] = place(event);
      listener.hover(-1);
      this.zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * (event.deltaMode ? 16 : 1))) / (event.ctrlKey ? 80 : 240)), x, y);
    }, { passive: false });
  }

  /** Give up what is being drawn; whether there was something. */
  cancel() {
    const { drag } = this;
    this.drag = null;
    this.listener.outline([]);
    return Boolean(drag && !drag.isClick);
  }

  end() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.pace.rest);
    this.observer.disconnect();
    this.painter.end();
  }
}

/** @typedef {{x: number, y: number, zoom: number}} Place of the view: its middle, and how much it is enlarged */
/** @param {Place} one @param {Place} other @param {number} part @returns {Place} */
const between = (one, other, part) => ({
  x: one.x + part * (other.x - one.x),
  y: one.y + part * (other.y - one.y),
  zoom: one.zoom + part * (other.zoom - one.zoom),
});

/** The four corners of a box. @param {readonly number[]} two */
export const cornersOf = ([x1, y1, x2, y2]) => [x1, y1, x2, y1, x2, y2, x1, y2];
