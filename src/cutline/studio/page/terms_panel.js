// @ts-check
/** The panel of words: a table or a cloud of terms, each of which filters, and opens the edit that replaces it. */

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { quoted } from "./filter_text.js";
import { guessScope, Panel, scope, ScopeChoice, sizes } from "./panels.js";
import { plural } from "./running.js";
import { filters } from "./search.js";
import { sets } from "./selection.js";
import { dataset, edition } from "./store.js";
import * as state from "./terms.js";
import { cloudOf } from "./word_cloud.js";

const KINDS = /** @type {const} */ ([
  [1, "Words"],
  [2, "Phrases of two words"],
  [3, "Phrases of three words"],
]);

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)}%`;
const count = (/** @type {number} */ value) => value.toLocaleString("en");

/** What the counted captions can be compared with: saved filters and sets. */
const others = () => [...Object.keys(filters.value).map((name) => `saved:${quoted(name)}`), ...Object.keys(sets.value).map((name) => `in:${quoted(name)}`)];

export function TermsPanel() {
  const [edits, setEdits] = useState(false);
  useLayoutEffect(guessScope, []);
  useEffect(
    () => state.refresh(),
    [scope.value, sizes.value, edition.value, dataset.value?.is_read, state.phrases.value, state.order.value, state.contains.value, state.stopWords.value, state.against.value, state.isReversed.value],
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
        <span class="joined"><input type="text" title="Languages, such as en de, and words" value=${state.stopWords.value} autocomplete="off" spellcheck=${false}
          onInput=${(/** @type {any} */ event) => (state.stopWords.value = event.target.value)} />
        <button class="quiet" type="button" aria-pressed=${edits} title="The words that are left out of a language" onClick=${() => setEdits(!edits)}>Edit…</button></span>
      </label>
      <label>Compare with
        <input type="text" list="compared" placeholder="all others" title="A query, such as saved:NAME, in:NAME or path:train/" value=${state.against.value} autocomplete="off" spellcheck=${false}
          onInput=${(/** @type {any} */ event) => (state.against.value = event.target.value)} />
        <datalist id="compared">${others().map((one) => html`<option value=${one} />`)}</datalist>
      </label>
      <${ScopeChoice} />
    </div>
    ${edits && html`<${StopWords} close=${() => setEdits(false)} />`}
    ${state.problem.value && html`<p class="notice" role="alert">${state.problem.value}</p>`}
    <p class="figures" role="status">${figures()}</p>
    ${state.isCloud.value ? html`<${Cloud} />` : html`<${Table} />`}
    <footer>
      <button aria-pressed=${state.isCloud.value} onClick=${() => (state.isCloud.value = !state.isCloud.value)}>Cloud</button>
      <button onClick=${() => state.download("table")}>Save as CSV</button>
      <button onClick=${() => state.download("svg")}>Save as SVG</button>
      <button onClick=${() => state.download("png")}>Save as PNG</button>
    </footer>
  <//>`;
}

function figures() {
  const [found, all] = [state.terms.value.length, state.total.value];
  if (!all) return "No words.";
  const shown = found < all ? `${count(found)} of ${plural(all, "term")}` : plural(all, "term");
  const rest = state.against.value.trim() ? `those of ${state.against.value.trim()}` : "all other captions";
  return state.isPart() ? `${shown}; compared with ${rest}. Score: above 2 more often here, below −2 less often.` : shown;
}

function Table() {
  const columns = [["term", "Term", "by the alphabet"], ["occurrences", "Times", "how often it occurs"], ["pictures", state.isPart() ? "Here" : "Captions", "how many captions have it"]];
  if (state.isPart()) columns.push(["score", "Score", "above 2: more often here than in the other captions; below -2: less often"]);
  const now = state.orderNow();
  const low = now === "score" && !state.isReversed.value ? state.terms.value.findIndex((one) => one.score < 0) : -1;
  return html`<div class=${state.isPart() ? "list terms part" : "list terms"} tabindex="0" role="region" aria-label="Terms"><table>
    <thead><tr>${columns.map(([name, label, about]) => html`<th title=${about} aria-sort=${now === name ? ((name === "term") !== state.isReversed.value ? "ascending" : "descending") : "none"}>
      <button class="quiet" onClick=${() => state.orderBy(name)}>${label}</button></th>${name === "pictures" && state.isPart() && html`<th title="how many of the others have it">Others</th>`}`)}<th><span class="sr">Change</span></th></tr></thead>
    <tbody>${state.terms.value.map((one, place) => html`${place === low && html`<tr class="divider" key=" "><th scope="rowgroup" colspan="6">Less often here</th></tr>`}<tr key=${one.term}>
      <th scope="row"><${Term} term=${one} /></th>
      <td>${count(one.occurrences)}</td>
      <td title=${plural(one.pictures, "caption")}>${percent(one.share)}</td>
      ${state.isPart() && html`<td>${percent(one.rest)}</td><td>${one.score > 0 ? "+" : ""}${one.score.toFixed(1)}</td>`}
      <td class="acts"><button class="quiet" title=${`Replace ${one.term}`} aria-label=${`Replace ${one.term}`} onClick=${() => state.replace(one.term)}>Replace…</button>
        <button class="quiet" title=${`Remove ${one.term}`} aria-label=${`Remove ${one.term}`} onClick=${() => state.replace(one.term, "")}>Remove…</button></td>
    </tr>`)}</tbody>
  </table></div>`;
}

/** What a click on a term does. @param {import("./terms.js").Term} term */
const about = (term) => `${state.about(term)}. Click: filter, Alt-click: leave out`;

/** A term that filters; with Alt its captions are left out. @param {{term: import("./terms.js").Term}} parts */
const Term = ({ term }) => html`<button class=${term.score > 2 ? "quiet term more" : "quiet term"} title=${about(term)}
  onClick=${(/** @type {MouseEvent} */ event) => state.filter(term.term, event)}>${term.term}</button>`;

/** The cloud as text, which can be selected, clicked and read aloud. */
function Cloud() {
  const { words, width, height } = useMemo(() => cloudOf(state.terms.value, 480, 50, 12.5), [state.terms.value]);
  const act = (/** @type {import("./terms.js").Term} */ term, /** @type {any} */ event) => {
    if (event.type === "keydown" && !/^(Enter| )$/.test(event.key)) return;
    if (event.type === "click" && getSelection()?.toString()) return; // of its letters
    event.preventDefault();
    state.filter(term.term, event);
  };
  return html`<div class="list cloud" tabindex="0" role="region" aria-label="Word cloud"><svg viewBox=${`0 0 ${width} ${height}`}>
    ${words.map(({ term, x, y, size }) => html`<text key=${term.term} class=${term.score > 2 ? "more" : undefined} x=${x} y=${y} font-size=${size} tabindex="0" role="button" aria-label=${term.term}
      onClick=${(/** @type {any} */ event) => act(term, event)} onKeyDown=${(/** @type {any} */ event) => act(term, event)}><title>${about(term)}</title>${term.term}</text>`)}
  </svg></div>`;
}

/** The words that are left out in a language, to be changed for this dataset. @param {{close: () => void}} props */
function StopWords({ close }) {
  const known = state.languages.value;
  const [language, setLanguage] = useState(state.stopWords.value.split(/[\s,]+/).find((name) => known.includes(name)) ?? "en");
  const [text, setText] = useState(/** @type {string | null} */ (null)); // until they are loaded
  const latest = useRef({ language, text });
  latest.current = { language, text };
  const [isOwn, setIsOwn] = useState(false);
  const load = async (/** @type {string[] | null | undefined} */ words) => {
    const before = text;
    try {
      const found = await state.stopWordsOf(language, words);
      if (latest.current.language !== language) return;
      if (latest.current.text === before) setText(found.words.join(" ")); // not what is typed meanwhile
      setIsOwn(found.is_own);
      if (words !== undefined) state.refresh();
    } catch (error) {
      state.problem.value = /** @type {Error} */ (error).message;
    }
  };
  useEffect(() => void load(undefined), [language]);
  const submit = (/** @type {Event} */ event) => (event.preventDefault(), void load((text ?? "").split(/\s+/).filter(Boolean)));
  return html`<form class="stop-words" onSubmit=${submit}>
    <div class="line-of"><label class="tick">Stop words of <select value=${language} onChange=${(/** @type {any} */ event) => (setLanguage(event.target.value), setText(null))}>${known.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
      <span class="joined">${isOwn && html`<button type="button" class="quiet" onClick=${() => load(null)}>Reset</button>`}<button type="button" class="quiet" onClick=${close}>Close</button><button>Save</button></span></div>
    <textarea aria-label="Stop words" rows="5" spellcheck=${false} readOnly=${text === null} value=${text ?? ""} onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea>
  </form>`;
}
