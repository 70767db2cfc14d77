// @ts-check
/** The words that the captions of what is selected on the map have more often than all others. */

import { html, signal, useEffect } from "./vendor/preact.js";
import { send } from "./api.js";
import { show } from "./panels.js";
import { edition, filterBy, mistake, query, result } from "./store.js";
import { stopWords } from "./terms.js";

const SHOWN = 8;
const SURE = 2; // of the score: hardly by accident

const telling = signal(/** @type {import("./terms.js").Term[]} */ ([]));
let turn = 0;

async function count() {
  const mine = (turn += 1);
  const text = mistake.peek() ? "" : query.peek().trim();
  const body = { scope: { query: text }, order: "score", limit: SHOWN, least: 2, stop_words: stopWords.peek().split(/[\s,]+/).filter(Boolean) };
  const found = text ? await send("studio/words", body).catch(() => ({ terms: [] })) : { terms: [] };
  if (mine === turn) telling.value = found.terms.filter((/** @type {import("./terms.js").Term} */ one) => one.score > SURE);
}

export function Telling() {
  useEffect(() => void count(), [result.value, edition.value]);
  if (!telling.value.length) return null;
  return html`<p class="facets telling" role="group" aria-label="Words more often in what is selected"><span class="figures">More often here</span>
    ${telling.value.map(({ term, share, rest }) => html`<button key=${term} class="quiet term" title=${`In ${(100 * share).toFixed(0)} % of these captions, ${(100 * rest).toFixed(0)} % of the others. Click: filter, Alt-click: leave out`}
      onClick=${(/** @type {MouseEvent} */ event) => filterBy(`"${term}"`, event)}>${term}</button>`)}
    <button class="quiet" onClick=${() => show("words")}>All words…</button></p>`;
}
