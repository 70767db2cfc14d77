// @ts-check
/** The field that adds a tag, with the dataset's tags that have what is typed in them, the most frequent first. */

import { html, useEffect, useState } from "./vendor/preact.js";
import { get } from "./api.js";

const PAUSE = 100; // ms
const MOST = 8;

/** @typedef {{tag: string, count: number}} Suggestion */

/** The tag with what was typed in it marked. @param {string} tag @param {string} typed */
function marked(tag, typed) {
  const at = tag.toLowerCase().indexOf(typed.toLowerCase());
  if (at < 0) return tag;
  return html`${tag.slice(0, at)}<b>${tag.slice(at, at + typed.length)}</b>${tag.slice(at + typed.length)}`;
}

/** @param {{tags: string[], readOnly: boolean, add: (tag: string) => void, dropLast: () => void}} props */
export function TagField({ tags, readOnly, add, dropLast }) {
  const [typed, setTyped] = useState("");
  const [found, setFound] = useState(/** @type {Suggestion[]} */ ([]));
  const [at, setAt] = useState(-1);
  const text = typed.trim();
  useEffect(() => {
    setAt(-1);
    if (!text) {
      setFound([]);
      return undefined;
    }
    let isShown = true;
    const timer = setTimeout(async () => {
      const known = new Set(tags.map((tag) => tag.toLowerCase()));
      const suggestions = await get(`studio/tags?limit=${MOST + tags.length}&text=${encodeURIComponent(text)}`).catch(() => []);
      if (isShown) setFound(suggestions.filter((/** @type {Suggestion} */ one) => !known.has(one.tag.toLowerCase())).slice(0, MOST));
    }, PAUSE);
    return () => {
      isShown = false;
      clearTimeout(timer);
    };
  }, [text, tags.join("\n")]);
  const take = (/** @type {string} */ tag) => {
    add(tag);
    setTyped("");
    setFound([]);
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const step = plain && found.length ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : 0;
    if (step) setAt((at + step + found.length + (at < 0 && step < 0 ? 1 : 0)) % found.length);
    else if (event.key === "Tab" && !event.shiftKey && found.length) take(found[Math.max(0, at)].tag);
    else if (event.key === "Enter" && plain && text) take(at >= 0 ? found[at].tag : text);
    else if (event.key === "Escape" && found.length) setFound([]);
    else if (event.key === "Backspace" && !typed && tags.length) dropLast();
    else return;
    event.preventDefault();
  };
  return html`<div class="tag-field">
    <input type="text" class="field" role="combobox" aria-label="Add a tag" placeholder="Add a tag" autocomplete="off" aria-autocomplete="list"
      aria-expanded=${found.length > 0} aria-controls="suggestions" aria-activedescendant=${at >= 0 ? `suggestion-${at}` : undefined}
      value=${typed} readOnly=${readOnly} onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} onKeyDown=${press} onBlur=${() => setFound([])} />
    <ul id="suggestions" class="suggestions" role="listbox" aria-label="Tags of this dataset" hidden=${!found.length}>
      ${found.map((one, number) => html`<li key=${one.tag} id=${`suggestion-${number}`} role="option" aria-selected=${number === at}
        onPointerDown=${(/** @type {Event} */ event) => (event.preventDefault(), take(one.tag))}>
        <span>${marked(one.tag, text)}</span><span class="figures">${one.count.toLocaleString("en")}</span></li>`)}
    </ul>
  </div>`;
}
