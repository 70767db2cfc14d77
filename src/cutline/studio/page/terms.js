// @ts-check
/** What the panel of words knows: which captions are counted, how, and the terms that were found. */

import { batch, signal } from "./vendor/preact.js";
import { get, respond, send } from "./api.js";
import * as bulk from "./bulk.js";
import { scope, scopeOf, show, sizes } from "./panels.js";
import { filterBy } from "./store.js";

const PAUSE = 150; // ms
const LIMIT = 300;

/** @typedef {{term: string, occurrences: number, pictures: number, share: number, rest: number, score: number}} Term */

export const terms = signal(/** @type {Term[]} */ ([]));
export const total = signal(0);
export const problem = signal("");
export const phrases = signal(1);
/** The column by which the table is ordered; "" for what fits the scope. */
export const order = signal("");
export const contains = signal("");
export const stopWords = signal("en");
export const isCloud = signal(false);
/** The languages that have stop words. */
export const languages = signal(/** @type {string[]} */ ([]));
/** A query whose captions are what the others are compared with; "": all the rest. */
export const against = signal("");
/** Whether the order begins at its other end. */
export const isReversed = signal(false);

/** Whether the counted captions are a part, which is compared with others. */
export const isPart = () => Boolean(against.value.trim()) || (scope.value !== "all" && sizes.value[/** @type {"all"} */ (scope.value)] < sizes.value.all);

/** Order by a column; once more: from its other end. @param {string} name */
export function orderBy(name) {
  batch(() => {
    isReversed.value = orderNow() === name && !isReversed.value;
    order.value = name;
  });
}
export const orderNow = () => order.value || (isPart() ? "score" : "occurrences");

const IN_CLOUD = 150;
const FONT = "system-ui, sans-serif";

/** @typedef {{term: Term, x: number, y: number, size: number}} Placed a word of the cloud; `y`: its base line */

const pen = () => /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/** The most frequent terms in lines, the largest first; the area of a word is its number of occurrences. @param {readonly Term[]} found @param {number} width in px @param {number} largest size @param {number} smallest */
export function cloudOf(found, width, largest, smallest) {
  const most = [...found].filter((one) => one.occurrences).sort((a, b) => b.occurrences - a.occurrences).slice(0, IN_CLOUD);
  const context = pen();
  const sized = most.map((term) => {
    const size = Math.max(smallest, largest * Math.sqrt(term.occurrences / most[0].occurrences));
    context.font = `${size}px ${FONT}`;
    return { term, size, width: context.measureText(term.term).width + 0.4 * size };
  });
  /** @type {Placed[]} */
  const words = [];
  let bottom = 0;
  for (let at = 0, end = 0; at < sized.length; at = end) {
    let used = 0;
    for (end = at; end < sized.length && (end === at || used + sized[end].width <= width); end += 1) used += sized[end].width;
    bottom += 1.2 * sized[at].size;
    let left = (width - used) / 2;
    for (const { term, size, width: own } of sized.slice(at, end)) {
      words.push({ term, size, x: left + 0.2 * size, y: bottom });
      left += own;
    }
  }
  return { words, width, height: bottom + 20 };
}

/** A cloud as a PNG picture, in the colours of the page. @param {ReturnType<typeof cloudOf>} cloud @returns {Promise<Blob>} */
async function drawn({ words, width, height }) {
  const context = pen();
  const style = getComputedStyle(document.body);
  [context.canvas.width, context.canvas.height] = [2 * width, 2 * Math.ceil(height)];
  context.scale(2, 2);
  context.fillStyle = style.backgroundColor;
  context.fillRect(0, 0, width, height);
  for (const { term, x, y, size } of words) {
    context.font = `${size}px ${FONT}`;
    context.fillStyle = term.score > 2 ? style.getPropertyValue("--link") : style.color;
    context.fillText(term.term, x, y);
  }
  return new Promise((resolve, reject) => context.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png"));
}

/** The stop words of a language, as the dataset has them. @param {string} language @param {string[] | null} [words] to keep; null: the list of cutline again */
export async function stopWordsOf(language, words) {
  const path = `studio/words/stop-words/${language}`;
  return words === undefined ? get(path) : send(path, { words }, "PUT");
}

let turn = 0;
let timer = 0;

/** Count again soon. */
export function refresh() {
  clearTimeout(timer);
  timer = setTimeout(count, PAUSE);
}

function request() {
  const words = stopWords.value.split(/[\s,]+/).filter(Boolean);
  return {
    scope: scopeOf(),
    against: against.value.trim() || null,
    reverse: isReversed.value,
    phrases: phrases.value,
    order: orderNow(),
    contains: contains.value,
    stop_words: words,
    limit: LIMIT,
  };
}

async function count() {
  const mine = (turn += 1);
  try {
    const wanted = request();
    const hasEnds = wanted.order === "score" && !wanted.reverse; // what is less frequent here is seen as well
    const parts = hasEnds ? [{ ...wanted, limit: LIMIT / 2 }, { ...wanted, limit: LIMIT / 2, reverse: true }] : [wanted];
    const [found, low] = await Promise.all(parts.map((part) => send("studio/words", part)));
    if (mine !== turn) return;
    batch(() => {
      const known = new Set(found.terms.map((/** @type {Term} */ one) => one.term));
      terms.value = low ? [...found.terms.filter((/** @type {Term} */ one) => one.score >= 0 || found.total <= LIMIT / 2), ...low.terms.filter((/** @type {Term} */ one) => one.score < 0 && !known.has(one.term))] : found.terms;
      total.value = found.total;
      languages.value = found.languages;
      problem.value = "";
    });
  } catch (error) {
    if (mine === turn) problem.value = /** @type {Error} */ (error).message;
  }
}

/** Filter by a term as a phrase, or leave its captions out. @param {string} term @param {{altKey: boolean}} event */
export const filter = (term, event) => filterBy(`"${term}"`, event);

/** Open the bulk edit that replaces a term, which shows what changes. @param {string} term @param {string} [by] */
export function replace(term, by) {
  bulk.prepare("replace", { old: term, new: by ?? term, word: true, ignore_case: true }, scope.value);
  show("bulk");
}

/** @param {Blob} content @param {string} name of the file */
function offer(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Save the terms as a table, all of them, or as a cloud of the first. @param {"table" | "cloud" | "png"} form */
export async function download(form) {
  try {
    if (form === "png") offer(await drawn(cloudOf(terms.value, 1000, 72, 15)), "words.png");
    else {
      const response = await respond(`studio/words/${form}`, { ...request(), limit: form === "table" ? 100_000 : IN_CLOUD });
      offer(await response.blob(), form === "table" ? "words.csv" : "words.svg");
    }
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}
