// @ts-check
/** The caption as text. Behind it lies the same text, of which what CLIP no longer reads is marked. */

import { html, useLayoutEffect, useRef } from "./vendor/preact.js";
import { limit } from "./counts.js";
import { change, save } from "./draft.js";

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
  return html`<div class="text-field">
    ${isOver && html`<div class="mirror" ref=${mirror} aria-hidden="true">${text.slice(0, end)}<mark>${text.slice(end)}</mark>${"\n"}</div>`}
    <textarea class="field" ref=${field} spellcheck="true" readOnly=${readOnly} aria-label="Caption" value=${text} onScroll=${follow}
      onInput=${(/** @type {any} */ event) => change(event.target.value, row)} onBlur=${() => void save()}></textarea>
  </div>`;
}
