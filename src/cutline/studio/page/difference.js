// @ts-check
/** Differences of texts by words, as they are shown, and what two changed texts are together. */

import { html } from "./vendor/preact.js";

/** @typedef {{kind: "same" | "removed" | "added", text: string}} Part */

const WORD = /\s+|[\p{L}\p{N}_'’]+|[^\s\p{L}\p{N}]/gu;
const MAX_CELLS = 4_000_000; // of the table of two texts; longer ones are compared within a window
const WINDOW = 60; // words
const EDGE = 160; // characters beside a change, of a text that is shown in short

/** @param {string} text @returns {string[]} */
export const wordsOf = (text) => text.match(WORD) ?? [];

/**
 * For each word of `a` the place of the same word in `b`, or -1: a longest common subsequence.
 * @param {string[]} a @param {string[]} b @returns {Int32Array}
 */
export function matches(a, b) {
  const found = new Int32Array(a.length).fill(-1);
  let first = 0;
  while (first < a.length && first < b.length && a[first] === b[first]) {
    found[first] = first;
    first += 1;
  }
  let last = 0;
  while (last < a.length - first && last < b.length - first && a[a.length - 1 - last] === b[b.length - 1 - last]) {
    found[a.length - 1 - last] = b.length - 1 - last;
    last += 1;
  }
  const rows = a.length - first - last;
  const columns = b.length - first - last;
  if (!rows || !columns) return found;
  if (rows * columns > MAX_CELLS) return matchNear(a, b, { found, first, last });
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i -= 1) {
    for (let j = columns - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        a[first + i] === b[first + j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (a[first + i] === b[first + j]) {
      found[first + i] = first + j;
      i += 1;
      j += 1;
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return found;
}

/** Whether two words and the next ones are the same. @param {string[]} a @param {string[]} b @param {number} i @param {number} j */
const agree = (a, b, i, j) => a[i] === b[j] && a[i + 1] === b[j + 1] && a[i + 2] === b[j + 2];

/**
 * The same where the table would be too large: behind each difference the nearest place at which both go on alike.
 * @param {string[]} a @param {string[]} b @param {{found: Int32Array, first: number, last: number}} known
 */
function matchNear(a, b, { found, first, last }) {
  for (let i = first, j = first; i < a.length - last && j < b.length - last; ) {
    let [skipped, more] = [0, 0];
    while (skipped + more < WINDOW && !(a[i + skipped] === b[j + more] && (skipped + more === 0 || agree(a, b, i + skipped, j + more)))) {
      if (more) [skipped, more] = [skipped + 1, more - 1];
      else [skipped, more] = [0, skipped + 1];
    }
    if (skipped + more < WINDOW) [i, j] = [i + skipped, j + more];
    if (skipped + more < WINDOW && i < a.length - last && j < b.length - last) found[i] = j;
    i += 1;
    j += 1;
  }
  return found;
}

/** What leads from one text to another. @param {string} before @param {string} after @returns {Part[]} */
export function differences(before, after) {
  const a = wordsOf(before);
  const b = wordsOf(after);
  const places = matches(a, b);
  for (let i = 1; i < a.length - 1; i += 1) {
    if (places[i - 1] < 0 && places[i + 1] < 0 && !a[i].trim()) places[i] = -1; // changed words in a row are one change
  }
  /** @type {Part[]} */
  const parts = [];
  let next = 0;
  const add = (/** @type {Part["kind"]} */ kind, /** @type {string} */ text) => {
    if (parts.at(-1)?.kind === kind) /** @type {Part} */ (parts.at(-1)).text += text;
    else if (text) parts.push({ kind, text });
  };
  for (let i = 0; i < a.length; ) {
    let removed = "";
    while (i < a.length && places[i] < 0) removed += a[i++];
    add("removed", removed);
    const end = i < a.length ? places[i] : b.length;
    add("added", b.slice(next, end).join(""));
    next = end;
    if (i < a.length) {
      add("same", a[i]);
      next += 1;
      i += 1;
    }
  }
  add("added", b.slice(next).join(""));
  return parts;
}

/**
 * One text with both changes; where both changed the same words, both are there, mine first.
 * @param {string} base @param {string} mine @param {string} theirs
 */
export function merge(base, mine, theirs) {
  const [words, a, b] = [wordsOf(base), wordsOf(mine), wordsOf(theirs)];
  const inMine = matches(words, a);
  const inTheirs = matches(words, b);
  let text = "";
  let [start, m, t] = [0, 0, 0];
  for (let i = 0; i <= words.length; i += 1) {
    const isEnd = i === words.length;
    if (!isEnd && (inMine[i] < 0 || inTheirs[i] < 0)) continue;
    const [nextMine, nextTheirs] = isEnd ? [a.length, b.length] : [inMine[i], inTheirs[i]];
    text += choose(words.slice(start, i).join(""), a.slice(m, nextMine).join(""), b.slice(t, nextTheirs).join(""));
    if (!isEnd) text += words[i];
    [start, m, t] = [i + 1, nextMine + 1, nextTheirs + 1];
  }
  return text;
}

/** @param {string} base @param {string} mine @param {string} theirs */
function choose(base, mine, theirs) {
  if (mine === base || mine === theirs) return theirs;
  if (theirs === base) return mine;
  return mine && theirs ? `${mine} ${theirs}` : mine + theirs;
}

/** A stretch without changes, in short. @param {string} text @param {boolean} isFirst @param {boolean} isLast */
function shortened(text, isFirst, isLast) {
  if (text.length < 3 * EDGE) return text;
  return `${isFirst ? "" : text.slice(0, EDGE)} … ${isLast ? "" : text.slice(-EDGE)}`;
}

/** `short`: long stretches without changes are left out. @param {{before: string | null, after: string | null, short?: boolean}} texts */
export function Difference({ before, after, short }) {
  const parts = differences(before ?? "", after ?? "");
  return html`<span class="difference">${parts.map(({ kind, text }, place) => {
    if (kind === "removed") return html`<del>${text}</del>`;
    if (kind === "added") return html`<ins>${text}</ins>`;
    return short ? shortened(text, place === 0, place === parts.length - 1) : text;
  })}</span>`;
}
