// @ts-check
/** The panel of bulk edits: the edit, its scope, the preview of what changes, and the job that applies it. */

import { batch, computed, html, signal, useEffect, useLayoutEffect } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { Difference } from "./difference.js";
import { save } from "./draft.js";
import { guessScope, mainKey, Panel, prepareScope, scope, ScopeChoice, scopeOf, sizes } from "./panels.js";
import { Picture } from "./picture.js";
import { JobProgress, Outcome, plural, run, toUtf8 } from "./running.js";
import { go } from "./selection.js";
import { answered, edition, mistake, opening, picked, result } from "./store.js";

/**
 * `type`: "text"; "tags", several between commas; "check".
 * @typedef {{name: string, label: string, type: "text" | "tags" | "check", optional?: boolean}} FieldKind
 * @typedef {{kind: string, label: string, fields: FieldKind[]}} Kind
 */

/** @type {Kind[]} */
export const KINDS = [
  {
    kind: "replace",
    label: "Replace",
    fields: [
      { name: "old", label: "Find", type: "text" },
      { name: "new", label: "Replace with", type: "text", optional: true },
      { name: "word", label: "Whole words", type: "check" },
      { name: "ignore_case", label: "Ignore case", type: "check" },
      { name: "regex", label: "Regular expression", type: "check" },
    ],
  },
  { kind: "prefix", label: "Put a text before", fields: [{ name: "text", label: "Text", type: "text" }] },
  { kind: "suffix", label: "Put a text behind", fields: [{ name: "text", label: "Text", type: "text" }] },
  { kind: "trigger", label: "Add a trigger word", fields: [{ name: "text", label: "Trigger word", type: "text" }] },
  {
    kind: "add-tag",
    label: "Add a tag",
    fields: [
      { name: "tag", label: "Tag", type: "text" },
      { name: "first", label: "As the first tag", type: "check" },
    ],
  },
  { kind: "remove-tag", label: "Remove tags", fields: [{ name: "tags", label: "Tags, between commas", type: "tags" }] },
  {
    kind: "rename-tag",
    label: "Rename or merge tags",
    fields: [
      { name: "tags", label: "Tags, between commas", type: "tags" },
      { name: "new", label: "New name", type: "text" },
    ],
  },
  { kind: "sort-tags", label: "Sort tags by the alphabet", fields: [] },
  { kind: "dedupe-tags", label: "Remove repeated tags", fields: [] },
  { kind: "trim", label: "Trim blanks", fields: [] },
  { kind: "sentence-case", label: "Begin sentences with capitals", fields: [] },
  { kind: "remove-openers", label: "Remove openers such as “The image shows”", fields: [] },
];

/** The edit as the server takes it; null while something needed is empty. @param {string} name @param {Record<string, any>} values */
export function editOf(name, values) {
  const kind = /** @type {Kind} */ (KINDS.find((one) => one.kind === name));
  /** @type {Record<string, any>} */
  const edit = { kind: name };
  for (const field of kind.fields) {
    const value = values[field.name];
    if (field.type === "check") edit[field.name] = Boolean(value);
    else if (field.type === "tags") {
      edit[field.name] = String(value ?? "").split(",").map((tag) => tag.trim()).filter(Boolean);
    } else edit[field.name] = value ?? "";
    if (!field.optional && edit[field.name].length === 0) return null;
  }
  return edit;
}

const PAUSE = 200; // ms
const PART = 100; // changes in a request

/** @typedef {{row: number, key: string, before: string, after: string}} Change */

export const kind = signal("replace");
export const values = signal(/** @type {Record<string, any>} */ ({}));
export const preview = signal(/** @type {{preview: number, scope: number, changed: number, converted: Record<string, number>} | null} */ (null));
export const changes = signal(/** @type {Change[]} */ ([]));
export const unticked = signal(/** @type {Set<number>} */ (new Set()));
export const problem = signal("");
export const job = signal(/** @type {number | null} */ (null));
export const edit = computed(() => editOf(kind.value, values.value));
/** What the panel of bulk edits opens with. @param {string} name of the edit @param {Record<string, any>} fields @param {string} where */
export function prepare(name, fields, where) {
  batch(() => {
    kind.value = name;
    values.value = fields;
  });
  prepareScope(where);
  isPrepared = true;
}

let isPrepared = false;

/** Give the focus to the field that is typed in first: what replaces, where the rest is filled in. */
export function focusField() {
  const fields = [...document.querySelectorAll(".bulk .form input:not([type=radio], [type=checkbox])")].map((one) => /** @type {HTMLInputElement} */ (one));
  const field = (isPrepared && fields.find((one) => one.name === "new")) || fields[0];
  field?.focus();
  if (isPrepared) field?.select();
  isPrepared = false;
}

let turn = 0;
let timer = 0;

const ROWS = /** @type {Record<string, import("./vendor/preact.js").Signal<any>>} */ ({ selection: picked, filter: result });
/** What is to be previewed, and what the preview that is shown is of: while they differ, nothing is applied unseen. */
const wanted = computed(() => ({ edit: edit.value, scope: scope.value, rows: ROWS[scope.value]?.value, error: scope.value === "filter" && mistake.value }));
const previewed = signal(/** @type {typeof wanted.value | null} */ (null));
opening.subscribe(() => batch(() => ((preview.value = previewed.value = null), (changes.value = []))));
const isStale = () => previewed.value !== wanted.value;

/** Preview again soon. @param {boolean} [keepTicks] where only the captions have changed */
export function refresh(keepTicks = false) {
  clearTimeout(timer);
  turn += 1;
  if (!keepTicks) unticked.value = new Set();
  timer = setTimeout(look, PAUSE);
}

async function look() {
  const mine = (turn += 1);
  const now = wanted.value;
  if (!now.edit) {
    batch(() => {
      preview.value = null;
      changes.value = [];
      problem.value = "";
      previewed.value = now;
    });
    return;
  }
  try {
    await save();
    const within = await scopeOf();
    const where = scope.value === "filter" ? answered.value.trim() : "";
    const found = await send("studio/preview", { edit: now.edit, scope: within, where });
    const first = found.changed ? await get(`studio/preview/${found.preview}?count=${PART}`) : [];
    if (mine !== turn) return;
    batch(() => {
      preview.value = found;
      changes.value = first;
      problem.value = "";
      previewed.value = now;
    });
  } catch (error) {
    if (mine !== turn) return;
    batch(() => {
      preview.value = null;
      changes.value = [];
      problem.value = /** @type {Error} */ (error).message;
    });
  }
}

let isLoading = false;

/** Load the next changes of the preview. */
export async function more() {
  const shown = preview.value;
  const known = changes.value;
  if (isLoading || !shown || known.length >= shown.changed) return;
  isLoading = true;
  try {
    const next = await get(`studio/preview/${shown.preview}?start=${known.length}&count=${PART}`);
    if (changes.value === known) changes.value = [...known, ...next];
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  } finally {
    isLoading = false;
  }
}

/** @param {number} row */
export function tick(row) {
  const next = new Set(unticked.value);
  if (!next.delete(row)) next.add(row);
  unticked.value = next;
}

/** How many captions would change, without those that are unticked. */
const countOf = () => (preview.value?.changed ?? 0) - unticked.value.size;

/** From the click on until the preview is made again: what is shown then is not what would be applied. */
export const isApplying = signal(false);

/** Apply the preview without the rows that are unticked, which stay so. */
export async function apply() {
  if (!preview.value || isStale() || isApplying.value || countOf() < 1) return;
  isApplying.value = true;
  await run("studio/apply", { preview: preview.value.preview, without: [...unticked.value] }, (number) => {
    job.value = number;
  });
  job.value = null;
  clearTimeout(timer);
  await look();
  isApplying.value = false;
}

export const stop = () => job.value !== null && send(`studio/jobs/${job.value}`, undefined, "DELETE");

const number = (/** @type {number} */ value) => value.toLocaleString("en");

export function BulkPanel() {
  useLayoutEffect(() => {
    guessScope();
    refresh();
    focusField();
  }, []);
  useEffect(() => refresh(), [kind.value, values.value, scope.value]);
  useEffect(() => {
    if (scope.value !== "all") refresh();
  }, [sizes.value]);
  useEffect(() => {
    if (job.value === null) refresh(true);
  }, [edition.value]);
  const chosen = KINDS.find((one) => one.kind === kind.value);
  return html`<${Panel} name="bulk" title="Edit many captions" main=${() => void apply()}>
    <div class="form">
      <label>Edit
        <select value=${kind.value} onChange=${(/** @type {any} */ event) => (kind.value = event.target.value)}>
          ${KINDS.map(({ kind, label }) => html`<option value=${kind}>${label}</option>`)}
        </select>
      </label>
      ${chosen?.fields.map((one) => html`<${Field} key=${one.name} field=${one} />`)}
      <${ScopeChoice} />
    </div>
    ${problem.value && html`<p class="notice" role="alert">${problem.value}</p>`}
    <${Changes} />
    <${Apply} />
  <//>`;
}

/** @param {{field: FieldKind}} props */
function Field({ field }) {
  const value = values.value[field.name];
  const set = (/** @type {any} */ to) => (values.value = { ...values.value, [field.name]: to });
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
function show(row) {
  looked.value = looked.value === row ? null : row;
  const place = result.value.indexOf(row);
  if (place >= 0 && looked.value !== null && scope.value !== "picture") go(place);
}

function Changes() {
  const shown = preview.value;
  const lost = toUtf8("would be UTF-8 then", shown?.converted);
  const scroll = (/** @type {any} */ { currentTarget: box }) => {
    if (box.scrollTop + 2 * box.clientHeight > box.scrollHeight) more();
  };
  return html`<p class="figures" role="status">${shown && (shown.changed ? `${number(shown.changed)} of ${number(shown.scope)} change` : shown.scope ? `Nothing to change in ${plural(shown.scope, "caption")}.` : "")}</p>
    ${lost && html`<p class="notice">${lost}</p>`}
    <ul class="changes" tabindex="0" aria-label="Changes" onScroll=${scroll}>
      ${changes.value.map(
        (one) => html`<li key=${one.row} class=${unticked.value.has(one.row) ? "off" : ""}>
          <span class="line-of"><input type="checkbox" aria-label=${`Change ${one.key}`} checked=${!unticked.value.has(one.row)} onChange=${() => tick(one.row)} />
            <button class="quiet name" aria-expanded=${looked.value === one.row} title="see the picture" onClick=${() => show(one.row)}>${one.key}</button></span>
          <p onClick=${() => show(one.row)}><${Difference} before=${one.before} after=${one.after} short /></p>
          ${looked.value === one.row && html`<${Picture} src=${`studio/pictures/${one.row}`} alt=${one.key} />`}
        </li>`,
      )}
    </ul>`;
}

function Apply() {
  const count = countOf();
  return html`<footer>
    ${job.value !== null
      ? html`<${JobProgress} job=${job.value} />
          <button onClick=${stop}>Stop</button>`
      : html`<button class="main" disabled=${count < 1 || isStale() || isApplying.value} title=${mainKey()} onClick=${apply}>${count < 1 ? "Apply" : `Apply to ${number(count)}`}</button>`}
    <${Outcome} />
  </footer>`;
}
