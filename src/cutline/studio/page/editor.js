// @ts-check
/** The editor of the current picture: its caption is saved when typing pauses, and before another one is shown. */

import { html, useEffect } from "./vendor/preact.js";
import { ActionButton } from "./action_button.js";
import { Conflict } from "./conflict.js";
import { Counts } from "./counts.js";
import { draft, open, save } from "./draft.js";
import { Facets } from "./facets.js";
import { Neighbours } from "./neighbours.js";
import { Phrases } from "./phrases.js";
import { PictureView } from "./picture_view.js";
import { current, rows, want } from "./store.js";
import { Suggestion } from "./suggestion.js";
import { showsTags, TagsView } from "./tags_view.js";
import { TextField } from "./text_field.js";

export function Editor() {
  const now = current.value;
  const row = now?.row;
  const isLoaded = Boolean(now && "caption" in now);
  useEffect(() => {
    if (row !== undefined) want([row], "editor");
  }, [row, rows.value]);
  useEffect(() => {
    if (row !== undefined && isLoaded) open(row, now?.key ?? "", now?.caption ?? null);
  }, [row, isLoaded, now?.caption]);
  useEffect(() => () => void save(), [row]);
  if (!now) return html`<section class="editor"><p class="note">No picture matches.</p></section>`;
  const shown = draft.value?.row === row ? draft.value : null;
  return html`<section class="editor" aria-label="Caption">
    <${PictureView} row=${row} alt=${now.key ?? ""} />
    <${Neighbours} />
    ${now.proposal && html`<${Suggestion} key=${row} row=${now} />`}
    ${now.failure && html`<p class="notice">No caption by ${now.failure.model}: ${now.failure.kind}, ${now.failure.message}</p>`}
    ${shown && "theirs" in shown && html`<${Conflict} key=${row} draft=${shown} />`}
    ${showsTags.value && !now.problem
      ? html`<${TagsView} key=${row} row=${shown?.row} />`
      : html`<${TextField} row=${shown?.row} text=${shown?.text ?? ""} readOnly=${!shown || Boolean(now.problem)} />`}
    <${Phrases} />
    ${(now.problem || now.note) && html`<p class="notice">${now.problem || now.note}</p>`}
    <${Facets} marks=${now.marks ?? []} proposal=${Boolean(now.proposal)} path=${now.key ?? ""} />
    <div class="status">
      <span>${now.key}</span>
      <${ActionButton} id="tags" pressed=${showsTags.value}>Tags<//>
      <${Counts} text=${shown?.text ?? ""} />
      <span role="status" class=${shown?.status.kind}>${shown?.status.text}</span>
    </div>
  </section>`;
}
