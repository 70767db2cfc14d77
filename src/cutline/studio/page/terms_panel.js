// @ts-check
/** The panel of words: a table or a cloud of terms, each of which filters, and opens the edit that replaces it. */

import { html, useEffect } from "./vendor/preact.js";
import * as bulk from "./bulk.js";
import { Panel } from "./panels.js";
import { plural } from "./running.js";
import { ScopeChoice } from "./scope_choice.js";
import { dataset, edition } from "./store.js";
import * as state from "./terms.js";

const KINDS = /** @type {const} */ ([
  [1, "Words"],
  [2, "Phrases of two words"],
  [3, "Phrases of three words"],
]);
const SMALLEST = 0.8; // rem
const LARGEST = 3;

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
const count = (/** @type {number} */ value) => value.toLocaleString("en");

export function TermsPanel() {
  useEffect(bulk.guessScope, []);
  useEffect(
    () => state.refresh(),
    [bulk.scope.value, bulk.sizes.value, edition.value, dataset.value?.is_read, state.phrases.value, state.order.value, state.contains.value, state.stopWords.value],
  );
  return html`<${Panel} name="words" title="Words">
    <div class="form">
      <label>Count
        <select value=${state.phrases.value} onChange=${(/** @type {any} */ event) => (state.phrases.value = Number(event.target.value))}>
          ${KINDS.map(([words, label]) => html`<option value=${words}>${label}</option>`)}
        </select>
      </label>
      <label>Search
        <input type="text" value=${state.contains.value} autocomplete="off" onInput=${(/** @type {any} */ event) => (state.contains.value = event.target.value)} />
      </label>
      <label>Leave out
        <input type="text" title="Languages, such as en de, and words" value=${state.stopWords.value} autocomplete="off" spellcheck=${false}
          onInput=${(/** @type {any} */ event) => (state.stopWords.value = event.target.value)} />
      </label>
      <${ScopeChoice} />
    </div>
    ${state.problem.value && html`<p class="notice" role="alert">${state.problem.value}</p>`}
    <p class="figures" role="status">${figures()}</p>
    ${state.isCloud.value ? html`<${Cloud} />` : html`<${Table} />`}
    <footer>
      <button aria-pressed=${state.isCloud.value} onClick=${() => (state.isCloud.value = !state.isCloud.value)}>Cloud</button>
      <button onClick=${() => state.download("table")}>Save as CSV</button>
      <button onClick=${() => state.download("cloud")}>Save as SVG</button>
    </footer>
  <//>`;
}

function figures() {
  const [found, all] = [state.terms.value.length, state.total.value];
  if (!all) return "No words.";
  const shown = found < all ? `${count(found)} of ${plural(all, "term")}` : plural(all, "term");
  return state.isPart() ? `${shown}; compared with all other captions` : shown;
}

function Table() {
  const columns = [["term", "Term", "by the alphabet"], ["occurrences", "Times", "how often it occurs"], ["pictures", "Captions", "how many captions have it"]];
  if (state.isPart()) columns.push(["score", "Score", "above 2: more often here than in the other captions"]);
  const now = state.orderNow();
  return html`<div class="list terms" tabindex="0" role="region" aria-label="Terms"><table>
    <thead><tr>${columns.map(([name, label, about]) => html`<th title=${about} aria-sort=${now === name ? (name === "term" ? "ascending" : "descending") : "none"}>
      <button class="quiet" onClick=${() => (state.order.value = name)}>${label}</button></th>`)}<th><span class="sr">Change</span></th></tr></thead>
    <tbody>${state.terms.value.map((one) => html`<tr key=${one.term}>
      <th scope="row"><${Term} term=${one} /></th>
      <td>${count(one.occurrences)}</td>
      <td title=${plural(one.pictures, "caption")}>${percent(one.share)}</td>
      ${state.isPart() && html`<td title=${`${percent(one.rest)} of the others`}>${one.score > 0 ? "+" : ""}${one.score.toFixed(1)}</td>`}
      <td class="acts"><button class="quiet" aria-label=${`Replace ${one.term}`} onClick=${() => state.replace(one.term)}>Replace…</button>
        <button class="quiet" aria-label=${`Remove ${one.term}`} onClick=${() => state.replace(one.term, "")}>Remove…</button></td>
    </tr>`)}</tbody>
  </table></div>`;
}

/** A term that filters; with Alt its captions are left out. @param {{term: import("./terms.js").Term, size?: number}} parts */
function Term({ term, size }) {
  const style = size ? { fontSize: `${size.toFixed(2)}rem` } : undefined;
  const about = `${plural(term.occurrences, "time")}, in ${percent(term.share)} of the captions. Click: filter, Alt-click: leave out`;
  return html`<button class=${term.score > 2 ? "quiet term more" : "quiet term"} style=${style} title=${about}
    onClick=${(/** @type {MouseEvent} */ event) => state.filter(term.term, event)}>${term.term}</button>`;
}

/** The area of a word is its number of occurrences. */
function Cloud() {
  const terms = state.terms.value.slice(0, 150).sort((a, b) => b.occurrences - a.occurrences);
  const most = terms[0]?.occurrences ?? 1;
  return html`<div class="list cloud" tabindex="0" role="region" aria-label="Word cloud">
    ${terms.map((one) => html`<${Term} key=${one.term} term=${one} size=${Math.max(SMALLEST, LARGEST * Math.sqrt(one.occurrences / most))} />`)}
  </div>`;
}
