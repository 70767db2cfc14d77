// @ts-check
/** What the panel of words knows: which captions are counted, how, and the terms that were found. */

import { batch, signal } from "./vendor/preact.js";
import { respond, send } from "./api.js";
import * as bulk from "./bulk.js";
import { filterBy } from "./facets.js";
import { show } from "./panels.js";

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

/** Whether the counted captions are a part, which is compared with the rest. */
export const isPart = () => bulk.scope.value !== "all" && bulk.sizes.value[/** @type {"all"} */ (bulk.scope.value)] < bulk.sizes.value.all;
export const orderNow = () => order.value || (isPart() ? "score" : "occurrences");

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
    scope: bulk.scopeOf(),
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
    const found = await send("studio/words", request());
    if (mine !== turn) return;
    batch(() => {
      terms.value = found.terms;
      total.value = found.total;
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
  bulk.prepare("replace", { old: term, new: by ?? term, word: true, ignore_case: true }, bulk.scope.value);
  show("bulk");
  setTimeout(() => /** @type {HTMLInputElement | null} */ (document.querySelector(".bulk .form input[name=new]"))?.select(), 50);
}

/** Save the terms as a table, all of them, or as a cloud of the first. @param {"table" | "cloud"} form */
export async function download(form) {
  try {
    const response = await respond(`studio/words/${form}`, { ...request(), limit: form === "table" ? 100_000 : 150 });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = form === "table" ? "words.csv" : "words.svg";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}
