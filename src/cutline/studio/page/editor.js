// @ts-check
/** The editor of the current picture: its caption is saved when typing pauses, and before another one is shown. */

import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { send } from "./api.js";
import { Difference, merge } from "./difference.js";
import { change, draft, open, resolve, save } from "./draft.js";
import { partsOf, quoted, termsOf } from "./filter_text.js";
import { hold } from "./held_keys.js";
import { ActionButton, keyOf, keyText } from "./keys.js";
import { Suggestion } from "./marks.js";
import { focusOn, useWantedFocus } from "./panels.js";
import { Picture } from "./picture.js";
import { PictureView } from "./picture_view.js";
import { plural, undo } from "./running.js";
import { go } from "./selection.js";
import { current, cursor, dataset, filterBy, notice, query, result, rows, search, showsTags, want } from "./store.js";
import { Phrases, TagsView } from "./tags_view.js";

const PAUSE = 250; // ms
const MOST_TAGS = 500; // that are shown one by one
const READ = 77; // tokens that CLIP reads, with the two marks

/** Where the text ends that CLIP reads, and that text. */
export const limit = signal({ isOver: false, end: 0, head: "" });

/** @typedef {{tokens: number, is_exact: boolean, end: number}} Tokens */

/** @param {string} text @param {Tokens | null} found */
function mark(text, found) {
  const head = found ? Array.from(text).slice(0, found.end).join("") : ""; // the server counts characters
  limit.value = { isOver: found !== null && found.tokens > READ, end: head.length, head };
}

/** @param {{text: string}} props */
export function Counts({ text }) {
  const [tokens, setTokens] = useState(/** @type {Tokens | null} */ (null));
  useEffect(() => {
    let isShown = true;
    const show = (/** @type {Tokens | null} */ found) => {
      if (!isShown) return;
      setTokens(found);
      mark(text, found);
    };
    const timer = setTimeout(() => send("studio/tokens", { text, most: READ }).then(show, () => show(null)), PAUSE);
    return () => {
      isShown = false;
      clearTimeout(timer);
    };
  }, [text]);
  const words = text.match(/\S+/g)?.length ?? 0;
  const isOver = tokens !== null && tokens.tokens > READ;
  const read = text.trim() ? (tokens?.tokens ?? 0) : 0; // the two marks stand around nothing
  return html`<span class="counts">${plural(words, "word")} · ${plural(Array.from(text).length, "character")}
    ${tokens !== null && html` · <span class=${isOver ? "problem" : ""} title=${isOver ? `CLIP reads the first ${READ} only, up to the mark in the text` : `CLIP reads ${READ}; one each is for the start and the end`}>
      ${tokens.is_exact || !read ? "" : "about "}${read.toLocaleString("en")} of ${READ} tokens</span>
      <meter aria-label="CLIP tokens" min="0" max=${READ} value=${Math.min(READ, read)} high=${READ - 0.5} />`}
  </span>`;
}

/** @param {{row: number | undefined, text: string, readOnly: boolean}} props */
export function TextField({ row, text, readOnly }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const mirror = useRef(/** @type {HTMLElement | null} */ (null));
  const end = limit.value.end;
  const isOver = limit.value.isOver && limit.value.head === text.slice(0, end);
  const follow = () => {
    if (mirror.current && field.current) mirror.current.scrollTop = field.current.scrollTop;
  };
  useLayoutEffect(follow);
  const start = useRef(text); // before it was typed into
  const isTyped = useRef(false);
  useLayoutEffect(() => {
    isTyped.current = false;
  }, [row]);
  useLayoutEffect(() => {
    if (!isTyped.current) start.current = text;
  }, [row, text]);
  const type = (/** @type {string} */ value) => {
    isTyped.current = value !== start.current;
    change(value, row);
  };
  // The browser takes back what was typed here; once nothing is left of that, the studio what was saved of it before.
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (keyOf(event) !== "Ctrl+Z" || isTyped.current) return;
    event.preventDefault();
    event.stopPropagation();
    if (dataset.value?.undo === `edit ${current.value?.key}`) void undo();
    else notice.value = `Nothing was typed here: ${keyText("Escape")}, then ${keyText("Ctrl+Z")} undoes the latest edit.`;
  };
  return html`<div class="text-field">
    ${isOver && html`<div class="mirror" ref=${mirror} aria-hidden="true" dir="auto">${text.slice(0, end)}<mark>${text.slice(end)}</mark>${"\n"}</div>`}
    <textarea class="field" ref=${field} spellcheck="true" readOnly=${readOnly} aria-label="Caption" dir="auto" value=${text} onScroll=${follow}
      onKeyDown=${press} onInput=${(/** @type {any} */ event) => type(event.target.value)} onBlur=${() => void save()}></textarea>
  </div>`;
}

const SIDE = 3; // on each side

export function Neighbours() {
  /** @type {number[]} */
  const places = [];
  for (let step = -SIDE; step <= SIDE; step += 1) places.push(cursor.value + step);
  useEffect(() => want(places.map((place) => result.value[place]).filter((row) => row !== undefined), "neighbours"));
  return html`<nav class="neighbours" aria-label="Pictures before and after">
    ${places.map((place) => {
      const row = result.value[place];
      if (row === undefined) return html`<span key=${`none ${place}`}></span>`;
      const key = rows.value.get(row)?.key ?? "";
      const step = place - cursor.value;
      const name = step === 0 ? `This picture: ${key}` : `${step < 0 ? "Before" : "After"}: ${key}`;
      return html`<button key=${row} class="quiet" title=${key} aria-label=${name} aria-current=${step === 0 ? "true" : undefined} onClick=${() => go(place)}>
        <${Picture} src=${`studio/thumbnails/${row}`} alt="" />
      </button>`;
    })}
  </nav>`;
}

/** @param {{draft: import("./draft.js").Draft}} props */
export function Conflict({ draft }) {
  const theirs = draft.theirs ?? "";
  const [merged, setMerged] = useState(/** @type {string | null} */ (null));
  const take = (/** @type {string} */ text) => {
    resolve(text);
    focusOn(".editor .field");
  };
  return html`<section class="conflict" aria-label="Two texts">
    <p role="alert">Another program or tab has changed this caption meanwhile.</p>
    <dl>
      <dt>Mine</dt><dd>${draft.text}</dd>
      <dt>Theirs</dt><dd>${theirs || html`<em>no caption</em>`}</dd>
      <dt>From theirs to mine</dt><dd><${Difference} before=${theirs} after=${draft.text} /></dd>
    </dl>
    ${merged !== null &&
    html`<label>Merged <textarea rows="3" value=${merged} onInput=${(/** @type {any} */ event) => setMerged(event.target.value)}></textarea></label>`}
    <div class="line-of">
      <button onClick=${() => take(draft.text)}>Keep mine</button>
      <button onClick=${() => take(theirs)}>Take theirs</button>
      ${merged === null
        ? html`<button onClick=${() => setMerged(merge(draft.before ?? "", draft.text, theirs))}>Merge</button>`
        : html`<button class="main" onClick=${() => take(merged)}>Save merged</button>`}
    </div>
  </section>`;
}

/** @param {{marks: string[], proposal: boolean, path: string}} props */
export function Facets({ marks, proposal, path }) {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const terms = [
    ...marks.map((mark) => ({ text: mark, term: `status:${mark}` })),
    ...(proposal ? [{ text: "proposal", term: "has:proposal" }] : []),
    ...(folder ? [{ text: folder, term: `path:${quoted(folder)}` }] : []),
    ...termsOf(draft.value?.text ?? ""),
  ];
  const parts = partsOf(query.value);
  return html`<div class="facets" role="group" aria-label="Find by what this picture has">
    <span class="figures" title="Alt and a click: those that have it not">Find</span>
    ${terms.map((one) => html`<button key=${one.term} class="quiet" aria-pressed=${parts.includes(one.term)} title=${`find ${one.term}; with Alt: -${one.term}`}
      onClick=${(/** @type {MouseEvent} */ event) => filterBy(one.term, event)}>${one.text}</button>`)}
  </div>`;
}

export function Editor() {
  const now = current.value;
  const row = now?.row;
  const isLoaded = Boolean(now && "caption" in now);
  useEffect(() => {
    if (row !== undefined) want([row], "editor");
  }, [row, rows.value]);
  // Before the next key: else it would be lost, as no text is shown.
  useLayoutEffect(() => () => void save(), [row]);
  useLayoutEffect(() => {
    if (row !== undefined && isLoaded) open(row, now?.key ?? "", now?.caption ?? null);
  }, [row, isLoaded, now?.caption]);
  useLayoutEffect(() => {
    if (row === undefined || isLoaded) return undefined;
    let end = () => {};
    void hold(new Promise((then) => (end = () => then(null))), (target) => target.matches(".editor .field"));
    return () => end();
  }, [row, isLoaded]);
  useWantedFocus();
  if (!now) return html`<section class="editor"><p class="note">No picture matches.</p>
    ${query.value && html`<p><button onClick=${() => search("").then(() => focusOn(".grid"))}>Show all pictures</button></p>`}</section>`;
  const shown = draft.value?.row === row ? draft.value : null;
  const isLong = showsTags.value && (shown?.text ?? "").split(",", MOST_TAGS + 1).length > MOST_TAGS;
  return html`<section class="editor" aria-label="Caption">
    <${PictureView} row=${row} alt=${now.key ?? ""} />
    <${Neighbours} />
    ${now.proposal && html`<${Suggestion} key=${row} row=${now} />`}
    ${now.failure && html`<p class="notice">No caption by ${now.failure.model}: ${now.failure.kind}, ${now.failure.message}</p>`}
    ${shown && "theirs" in shown && html`<${Conflict} key=${row} draft=${shown} />`}
    ${isLong && html`<p class="note">These are more than ${MOST_TAGS} tags: they are shown as text.</p>`}
    ${showsTags.value && !isLong && !now.problem
      ? html`<${TagsView} key=${row} row=${shown?.row} text=${shown?.text ?? ""} />`
      : html`<${TextField} row=${shown?.row} text=${shown?.text ?? ""} readOnly=${!shown || Boolean(now.problem)} />`}
    <${Phrases} />
    ${(now.problem || now.note) && html`<p class="notice">${now.problem || now.note}</p>`}
    <${Facets} marks=${now.marks ?? []} proposal=${Boolean(now.proposal)} path=${now.key ?? ""} />
    <div class="status">
      <span class="line-of"><span class="path" title=${now.key}>${now.key}</span>
        <span class="buttons">
          <${ActionButton} id="done" pressed=${Boolean(now.marks?.includes("done"))}>Done<//>
          <${ActionButton} id="flag" pressed=${Boolean(now.marks?.includes("flagged"))}>Flag<//>
          <${ActionButton} id="tags" pressed=${showsTags.value}>Tags<//></span></span>
      <${Counts} key=${`${row} counts`} text=${shown?.text ?? ""} />
      <span role="status" class=${shown?.status.kind}>${shown?.status.text}</span>
    </div>
  </section>`;
}
