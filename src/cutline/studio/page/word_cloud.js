// @ts-check
/** The cloud of words: where each stands, and what is saved of it. */

import { cloud } from "./vendor/d3-cloud.js";

const MOST = 150; // words
const FONT = "system-ui, sans-serif";
const ROOM = 1.6; // times the area of the words
const MORE = 1.2; // times that, where a word found no place
const TRIES = 8;
const GAP = 2; // px between words
const STYLE = ".cloud text{font-family:system-ui,sans-serif;text-anchor:middle;fill:#1d2b3a}.cloud text.more{fill:#0b6e4f}@media(prefers-color-scheme:dark){.cloud text{fill:#e6edf3}.cloud text.more{fill:#56d3a5}}";

/** @typedef {import("./terms.js").Term} Term */
/** @typedef {{term: Term, x: number, y: number, size: number}} Placed a word: its middle, and its base line */
/** @typedef {{words: Placed[], width: number, height: number}} Cloud */

const pen = () => /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d", { willReadFrequently: true }));

/** Numbers from 0 to 1, the same each time. */
function numbers() {
  let state = 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/**
 * The most frequent terms, each where it finds a place, the largest first; the area of a word is its number of occurrences.
 * @param {readonly Term[]} found @param {number} width in px, a multiple of 32 @param {number} largest size @param {number} smallest
 * @returns {Cloud}
 */
export function cloudOf(found, width, largest, smallest) {
  const most = [...found].filter((one) => one.occurrences).sort((a, b) => b.occurrences - a.occurrences).slice(0, MOST);
  const context = pen();
  const sized = most.map((term) => {
    const size = Math.max(smallest, largest * Math.sqrt(term.occurrences / most[0].occurrences));
    context.font = `${size}px ${FONT}`;
    const wide = context.measureText(term.term).width;
    const fits = Math.min(1, (width - 4 * GAP) / wide);
    return { term, text: term.term, size: size * fits, area: wide * size * fits ** 2 };
  });
  let height = Math.ceil((ROOM * sized.reduce((sum, one) => sum + one.area, 0)) / width + 1.5 * (sized[0]?.size ?? 0));
  /** @type {Placed[]} */
  let words = [];
  for (let turn = 0; turn < TRIES && words.length < sized.length; turn += 1, height = Math.ceil(height * MORE)) words = placed(sized, width, height);
  const top = Math.min(0, ...words.map((one) => one.y - one.size));
  const bottom = Math.max(0, ...words.map((one) => one.y + 0.35 * one.size));
  return { words: words.map((one) => ({ ...one, y: one.y - top })), width, height: Math.ceil(bottom - top) };
}

/** @param {readonly {term: Term, text: string, size: number}[]} sized @param {number} width @param {number} height @returns {Placed[]} */
function placed(sized, width, height) {
  /** @type {Placed[]} */
  let found = [];
  cloud().size([width, height]).words(sized.map((one) => ({ ...one }))).canvas(() => document.createElement("canvas"))
    .font(FONT).fontSize((/** @type {any} */ one) => one.size).rotate(0).padding(GAP).random(numbers()).timeInterval(Infinity)
    .on("end", (/** @type {any[]} */ words) => (found = words.map(({ term, size, x, y }) => ({ term, size, x: x + width / 2, y }))))
    .start();
  return found;
}

/** As a PNG picture, in the colours of the page. @param {Cloud} cloud @returns {Promise<Blob>} */
export async function pngOf({ words, width, height }) {
  const context = pen();
  const style = getComputedStyle(document.body);
  [context.canvas.width, context.canvas.height] = [2 * width, 2 * Math.max(1, height)];
  context.scale(2, 2);
  context.fillStyle = style.backgroundColor;
  context.fillRect(0, 0, width, height);
  context.textAlign = "center";
  for (const { term, x, y, size } of words) {
    context.font = `${size}px ${FONT}`;
    context.fillStyle = term.score > 2 ? style.getPropertyValue("--link") : style.color;
    context.fillText(term.term, x, y);
  }
  return new Promise((resolve, reject) => context.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png"));
}

/** As an SVG file, whose words are text. @param {Cloud} cloud @param {(term: Term) => string} about */
export function svgOf({ words, width, height }, about) {
  const made = (/** @type {string} */ name, /** @type {Record<string, any>} */ values, /** @type {string} */ text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };
  const svg = made("svg", { viewBox: `0 0 ${width} ${height}`, class: "cloud", role: "img", "aria-label": `Word cloud of ${words.length} terms` });
  svg.append(made("style", {}, STYLE));
  for (const { term, x, y, size } of words) {
    const text = made("text", { x: x.toFixed(1), y: y.toFixed(1), "font-size": size.toFixed(1), ...(term.score > 2 && { class: "more" }) });
    text.append(made("title", {}, about(term)), term.term);
    svg.append(text);
  }
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}
