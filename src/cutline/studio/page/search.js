// @ts-check
/** The search field: completion of fields and values, and where a query is wrong. */

import { html, useEffect, useState } from "./vendor/preact.js";
import { get } from "./api.js";
import { tip, actions, keyText } from "./keys.js";
import { mistake, query, search } from "./store.js";

const PAUSE = 80; // ms

/** @typedef {{text: string, about: string, start: number, end: number}} Completion */

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
