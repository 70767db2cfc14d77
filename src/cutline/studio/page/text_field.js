// @ts-check
/** The caption as text. Behind it lies the same text, of which what CLIP no longer reads is marked. */

import { html, useEffect, useLayoutEffect, useRef } from "./vendor/preact.js";
import { limit } from "./counts.js";
import { change, save } from "./draft.js";
import { keyOf, keyText } from "./keys.js";
import { undo } from "./running.js";
import { current, dataset, notice } from "./store.js";

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
  useEffect(() => {
    isTyped.current = false;
  }, [row]);
  useEffect(() => {
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
    else notice.value = `Nothing was typed here: ${keyText("Escape")}, then ${keyText("Ctrl+Z")} takes back the latest edit.`;
  };
  return html`<div class="text-field">
    ${isOver && html`<div class="mirror" ref=${mirror} aria-hidden="true">${text.slice(0, end)}<mark>${text.slice(end)}</mark>${"\n"}</div>`}
    <textarea class="field" ref=${field} spellcheck="true" readOnly=${readOnly} aria-label="Caption" value=${text} onScroll=${follow}
      onKeyDown=${press} onInput=${(/** @type {any} */ event) => type(event.target.value)} onBlur=${() => void save()}></textarea>
  </div>`;
}
