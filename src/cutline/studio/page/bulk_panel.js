// @ts-check
/** The panel of bulk edits: seen before they happen, and undone after. */

import { html, signal, useEffect, useLayoutEffect } from "./vendor/preact.js";
import * as bulk from "./bulk.js";
import { Difference } from "./difference.js";
import { KINDS } from "./edit_kinds.js";
import { Outcome } from "./outcome.js";
import { Panel } from "./panels.js";
import { Picture } from "./picture.js";
import { ScopeChoice } from "./scope_choice.js";
import { go } from "./selection.js";
import { edition, jobs, result } from "./store.js";

const number = (/** @type {number} */ value) => value.toLocaleString("en");

export function BulkPanel() {
  useLayoutEffect(() => {
    bulk.guessScope();
    bulk.refresh();
    bulk.focusField();
  }, []);
  useEffect(() => bulk.refresh(), [bulk.kind.value, bulk.values.value, bulk.scope.value]);
  useEffect(() => {
    if (bulk.scope.value !== "all") bulk.refresh();
  }, [bulk.sizes.value]);
  useEffect(() => {
    if (bulk.job.value === null) bulk.refresh(true);
  }, [edition.value]);
  const chosen = KINDS.find((one) => one.kind === bulk.kind.value);
  return html`<${Panel} name="bulk" title="Edit many captions">
    <div class="form">
      <label>Edit
        <select value=${bulk.kind.value} onChange=${(/** @type {any} */ event) => (bulk.kind.value = event.target.value)}>
          ${KINDS.map(({ kind, label }) => html`<option value=${kind}>${label}</option>`)}
        </select>
      </label>
      ${chosen?.fields.map((one) => html`<${Field} key=${one.name} field=${one} />`)}
      <${ScopeChoice} />
    </div>
    ${bulk.problem.value && html`<p class="notice" role="alert">${bulk.problem.value}</p>`}
    <${Changes} />
    <${Apply} />
  <//>`;
}

/** @param {{field: import("./edit_kinds.js").Field}} props */
function Field({ field }) {
  const value = bulk.values.value[field.name];
  const set = (/** @type {any} */ to) => (bulk.values.value = { ...bulk.values.value, [field.name]: to });
  if (field.type === "check") {
    return html`<label class="tick">
      <input type="checkbox" checked=${Boolean(value)} onChange=${(/** @type {any} */ event) => set(event.target.checked)} /> ${field.label}
    </label>`;
  }
  return html`<label>${field.label}
    <input type="text" name=${field.name} value=${value ?? ""} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => set(event.target.value)} />
  </label>`;
}

/** The change whose picture is shown. */
const looked = signal(/** @type {number | null} */ (null));

/** Show the picture of a change, or not any more; the grid goes to it, so that it is there when the panel is closed. @param {number} row */
function look(row) {
  looked.value = looked.value === row ? null : row;
  const place = result.value.indexOf(row);
  if (place >= 0 && looked.value !== null && bulk.scope.value !== "picture") go(place);
}

function Changes() {
  const shown = bulk.preview.value;
  const scroll = (/** @type {any} */ { currentTarget: box }) => {
    if (box.scrollTop + 2 * box.clientHeight > box.scrollHeight) bulk.more();
  };
  return html`<p class="figures" role="status">${shown && `${number(shown.changed)} of ${number(shown.scope)} change`}</p>
    <ul class="changes" tabindex="0" aria-label="Changes" onScroll=${scroll}>
      ${bulk.changes.value.map(
        (one) => html`<li key=${one.row} class=${bulk.unticked.value.has(one.row) ? "off" : ""}>
          <span class="line-of"><input type="checkbox" aria-label=${`Change ${one.key}`} checked=${!bulk.unticked.value.has(one.row)} onChange=${() => bulk.tick(one.row)} />
            <button class="quiet name" aria-expanded=${looked.value === one.row} title="see the picture" onClick=${() => look(one.row)}>${one.key}</button></span>
          <p onClick=${() => look(one.row)}><${Difference} before=${one.before} after=${one.after} /></p>
          ${looked.value === one.row && html`<${Picture} src=${`studio/pictures/${one.row}`} alt=${one.key} />`}
        </li>`,
      )}
    </ul>`;
}

function Apply() {
  const job = bulk.job.value === null ? null : (jobs.value[bulk.job.value] ?? { done: 0, total: 1 });
  const count = (bulk.preview.value?.changed ?? 0) - bulk.unticked.value.size;
  return html`<footer>
    ${job
      ? html`<progress aria-label="Progress" max=${job.total} value=${job.done} /> <span class="figures">${number(job.done)} of ${number(job.total)}</span>
          <button onClick=${bulk.stop}>Stop</button>`
      : html`<button class="main" disabled=${count < 1 || bulk.isApplying.value} onClick=${bulk.apply}>Apply to ${number(Math.max(0, count))}</button>`}
    <${Outcome} />
  </footer>`;
}
