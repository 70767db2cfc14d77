// @ts-check
/** The editor of the current picture: its caption is saved when typing pauses, and before another one is shown. */

import { html, useEffect } from "./vendor/preact.js";
import { change, draft, open, save } from "./draft.js";
import { current, rows, want } from "./store.js";

export function Editor() {
  const now = current.value;
  const row = now?.row;
  const isLoaded = Boolean(now && "caption" in now);
  useEffect(() => {
    if (row !== undefined) want([row]);
  }, [row, rows.value]);
  useEffect(() => {
    if (row !== undefined && isLoaded) open(row, now?.caption ?? null);
  }, [row, isLoaded, now?.caption]);
  useEffect(() => () => void save(), [row]);
  if (!now) return html`<section class="editor"><p class="note">No picture matches.</p></section>`;
  const shown = draft.value?.row === row ? draft.value : null;
  return html`<section class="editor" aria-label="Caption">
    <div class="view"><img src=${`studio/pictures/${row}`} alt=${now.key ?? ""} /></div>
    <textarea spellcheck="true" readOnly=${!shown} aria-label="Caption" value=${shown?.text ?? ""}
      onInput=${(/** @type {any} */ event) => change(event.target.value)} onBlur=${save}></textarea>
    <div class="status">
      <span>${now.key}</span>
      <span role="status" class=${shown?.status.kind}>${shown?.status.text}</span>
    </div>
  </section>`;
}
