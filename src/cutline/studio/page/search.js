// @ts-check
/** The search field: completion of fields and values, saved filters, and where a query is wrong. */

import { html, signal, useEffect, useState } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { register, tip, actions, keyText } from "./keys.js";
import { focusOn } from "./panels.js";
import { dataset, heard, mistake, notice, opening, query, search } from "./store.js";

const PAUSE = 80; // ms

/** @typedef {{text: string, about: string, start: number, end: number}} Completion */

/** Saved queries by name. */
export const filters = signal(/** @type {Record<string, string>} */ ({}));

/** @param {Record<string, string>} kept */
function take(kept) {
  for (const id of [...actions.keys()]) if (id.startsWith("filter:")) actions.delete(id);
  for (const [name, text] of Object.entries(kept)) {
    register({ id: `filter:${name}`, keys: [], text: `saved filter: ${name}`, group: "Filters", run: () => void search(text) });
  }
  filters.value = kept;
}
heard.set("filters", (event) => take(event.filters));
opening.subscribe(async () => take(dataset.peek()?.folder ? await get("studio/filters").catch(() => ({})) : {}));

/** @param {string} name @param {string | null} text */
async function keep(name, text) {
  try {
    const path = `studio/filters/${encodeURIComponent(name)}`;
    take(text === null ? await send(path, undefined, "DELETE") : await send(path, { query: text }, "PUT"));
    notice.value = "";
    return true;
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
    return false;
  }
}

/** Characters as the server counts them. @param {HTMLInputElement} field */
const caretOf = (field) => Array.from(field.value.slice(0, field.selectionStart ?? 0)).length;

export function Search() {
  const [found, setFound] = useState(/** @type {Completion[]} */ ([]));
  const [at, setAt] = useState(-1);
  const [typed, setTyped] = useState(/** @type {{text: string, caret: number} | null} */ (null));
  useEffect(() => {
    setAt(-1);
    if (!typed) {
      setFound([]);
      return undefined;
    }
    const aborting = new AbortController();
    const timer = setTimeout(async () => {
      const path = `studio/complete?q=${encodeURIComponent(typed.text)}&at=${typed.caret}`;
      const list = await get(path).catch(() => []);
      if (!aborting.signal.aborted) setFound(list);
    }, PAUSE);
    return () => {
      aborting.abort();
      clearTimeout(timer);
    };
  }, [typed]);
  const close = () => (setTyped(null), setFound([]));
  const choose = (/** @type {Completion} */ one) => {
    const letters = Array.from(query.value);
    const isWhole = !one.text.endsWith(":");
    const text = letters.slice(0, one.start).join("") + one.text + (isWhole ? " " : "");
    const rest = letters.slice(one.end).join("").trimStart();
    void search(text + rest);
    const caret = Array.from(text).length;
    setTyped(isWhole ? null : { text: text + rest, caret });
    setTimeout(() => {
      const field = /** @type {HTMLInputElement} */ (document.querySelector("input[type=search]"));
      field.focus();
      field.setSelectionRange(text.length, text.length);
    });
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    const step = isPlain && found.length ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : 0;
    if (step) setAt((at + step + found.length + (at < 0 && step < 0 ? 1 : 0)) % found.length);
    else if (isPlain && event.key === "ArrowDown") look(event);
    else if (isPlain && event.key === "Tab" && found.length) choose(found[Math.max(0, at)]);
    else if (isPlain && event.key === "Enter" && at >= 0) choose(found[at]);
    else if (isPlain && event.key === "Enter") {
      close();
      void search(query.value);
    } else {
      if (event.key === "Escape") close(); // and back to the grid, as from every field
      return;
    }
    event.preventDefault();
  };
  const look = (/** @type {any} */ event) => setTyped({ text: event.target.value, caret: caretOf(event.target) });
  const wrong = mistake.value;
  return html`<div class="search">
    <input type="search" role="combobox" placeholder=${`Find (${keyText(actions.get("find")?.keys[0] ?? "/")})`} title=${tip("find")} aria-label="Find" value=${query.value}
      aria-autocomplete="list" aria-expanded=${found.length > 0} aria-controls="completions" aria-activedescendant=${at >= 0 ? `completion-${at}` : undefined}
      aria-invalid=${Boolean(wrong)} aria-describedby=${wrong ? "mistake" : undefined} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => (search(event.target.value), look(event))} onKeyDown=${press} onBlur=${close} />
    <ul id="completions" class="suggestions" role="listbox" aria-label="Completions" hidden=${!found.length}>
      ${found.map((one, number) => html`<li key=${one.text} id=${`completion-${number}`} role="option" aria-selected=${number === at}
        onPointerDown=${(/** @type {Event} */ event) => (event.preventDefault(), choose(one))}><span>${one.text}</span><span class="figures">${one.about}</span></li>`)}
    </ul>
    ${wrong && !found.length && html`<${Mistake} wrong=${wrong} />`}
    <${SaveFilter} />
  </div>`;
}

/** @param {{wrong: {text: string, start: number, end: number}}} props */
function Mistake({ wrong }) {
  const letters = Array.from(query.value); // the server counts characters
  return html`<p class="mistake" id="mistake" role="alert">
    <code>${letters.slice(0, wrong.start).join("")}<mark>${letters.slice(wrong.start, wrong.end).join("") || " "}</mark>${letters.slice(wrong.end).join("")}</code>
    ${wrong.text}
  </p>`;
}

/** Keeps the filter by a name; a filter that is kept can be forgotten. */
function SaveFilter() {
  const [name, setName] = useState(/** @type {string | null} */ (null));
  if (!query.value.trim() || mistake.value) return null;
  const known = Object.entries(filters.value).find(([, text]) => text === query.value.trim())?.[0];
  if (known) return html`<button class="quiet" title=${`Forget the saved filter ${known}`} onClick=${() => keep(known, null)}>★ ${known}</button>`;
  if (name === null) return html`<button class="quiet" onClick=${() => (setName(""), setTimeout(() => focusOn(".save-filter input")))}>☆ Save filter</button>`;
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (name.trim() && (await keep(name.trim(), query.value.trim()))) setName(null);
  };
  return html`<form class="save-filter" onSubmit=${save}>
    <input type="text" aria-label="Name of the filter" placeholder="Name" value=${name} autocomplete="off" onInput=${(/** @type {any} */ event) => setName(event.target.value)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && (event.preventDefault(), setName(null), focusOn("input[type=search]"))} />
    <button>Save</button></form>`;
}
