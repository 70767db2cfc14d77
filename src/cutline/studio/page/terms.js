// @ts-check
/** What the panel of words knows: which captions are counted, how, and the terms that were found. */

import { batch, signal } from "./vendor/preact.js";
import { get, respond, send } from "./api.js";
import * as bulk from "./bulk.js";
import { scope, scopeOf, show, sizes } from "./panels.js";
import { plural } from "./running.js";
import { filterBy, left, mistake, query, settled } from "./store.js";
import { cloudOf, pngOf, svgOf } from "./word_cloud.js";

const PAUSE = 50; // ms
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

async function request() {
  await settled();
  const words = stopWords.value.split(/[\s,]+/).filter(Boolean);
  return {
    scope: scope.value === "filter" && query.value && !left.value.size && !mistake.value ? { query: query.value } : await scopeOf(), // a million numbers take longer
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
    const wanted = await request();
    const hasEnds = wanted.order === "score" && !wanted.reverse; // what is less frequent here is seen as well
    const found = await send("studio/words", hasEnds ? { ...wanted, limit: LIMIT / 2, last: LIMIT / 2 } : wanted);
    if (mine !== turn) return;
    const isLow = (/** @type {Term} */ one) => hasEnds && one.score < 0;
    batch(() => {
      terms.value = [...found.terms.filter((/** @type {Term} */ one) => !isLow(one)), ...found.terms.filter(isLow).reverse()];
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

/** A term in a tooltip. @param {Term} term */
export const about = (term) => `${term.term}: ${plural(term.occurrences, "time")}, in ${(100 * term.share).toFixed(1)}% of the captions`;

/** Save the terms as a table, all of them, or as a cloud of the first. @param {"table" | "svg" | "png"} form */
export async function download(form) {
  try {
    if (form === "table") offer(await (await respond("studio/words/table", { ...request(), limit: 100_000 })).blob(), "words.csv");
    else {
      const cloud = cloudOf(terms.value, 1024, 72, 15);
      offer(form === "png" ? await pngOf(cloud) : svgOf(cloud, about), `words.${form}`);
    }
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}
