// @ts-check
/** Marks of pictures and captions that are proposed for them, and the way to the next one that needs work. */

import { html, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { find, send } from "./api.js";
import { Difference } from "./difference.js";
import { save } from "./draft.js";
import { retry, running } from "./generate.js";
import { ActionButton } from "./keys.js";
import { focusOn } from "./panels.js";
import { DOUBLE_CLICK, outcome, plural, run } from "./running.js";
import { go } from "./selection.js";
import { cursor, dataset, notice, picked, putWritten, result, rows } from "./store.js";

/** What an action is about: what is picked, where the grid has the focus; else the cursor's picture. */
export function targets() {
  const inGrid = !document.activeElement?.closest(".editor, .side, .bar");
  if (inGrid && picked.value.size) return [...picked.value];
  const row = result.value[cursor.value];
  return row === undefined ? [] : [row];
}

/** Each mark knows what the one before has set. @type {Promise<void>} */
let marking = Promise.resolve();

/** Set a mark, or remove it where all have it. @param {"done" | "flagged"} mark */
export function toggleMark(mark) {
  const rows = targets();
  if (rows.length) marking = marking.then(() => toggle(mark, rows));
  return marking;
}

/** @param {"done" | "flagged"} mark @param {number[]} rows */
async function toggle(mark, rows) {
  try {
    const having = new Set(await find(`status:${mark}`));
    const on = !rows.every((row) => having.has(row));
    await send("studio/marks", { rows, mark, on });
    notice.value = rows.length > 1 ? `${plural(rows.length, "picture")} ${on ? "marked as" : "no longer"} ${mark}.` : "";
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}

/** @param {number} row */
export const markDone = (row) => send("studio/marks", { rows: [row], mark: "done", on: true });

/** Go to the next picture of the result that matches a query; after the last one comes the first. @param {string} text @param {string} none */
export async function goToNext(text, none) {
  try {
    const matching = new Set(await find(text));
    const { length } = result.value;
    for (let step = 1; step <= length; step += 1) {
      const place = (cursor.value + step) % length;
      if (matching.has(result.value[place])) {
        go(place);
        notice.value = "";
        return;
      }
    }
    notice.value = none;
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}

/** What is typed in place of the proposals of pictures, also of those that are not shown any more. @type {Map<string, string>} */
const typed = new Map();

/** Rows are those of a folder. @param {number} row */
const nameOf = (row) => `${dataset.value?.folder}\n${rows.value.get(row)?.key}`;

/** @param {number} row */
export const typedFor = (row) => typed.get(nameOf(row)) ?? null;

/** @param {number} row @param {string | null} text */
export const keepTyped = (row, text) => void (text === null ? typed.delete(nameOf(row)) : typed.set(nameOf(row), text));

/** The caption that is shown beside the proposal of a row. @type {{row: number, caption: string | null} | null} */
let shown = null;

/** @param {number} row @param {string | null} caption */
export const keepShown = (row, caption) => (shown = { row, caption });

/** Accept what is seen now: what was typed into a caption is saved first, and not replaced unseen. */
export async function acceptSeen() {
  const seen = shown;
  if (await save()) await accept(undefined, seen);
}

/** Accept proposals. @param {any} [scope] a promise of it; the rows of `targets` for none @param {typeof shown} [seen] */
export async function accept(scope, seen) {
  const numbers = scope ? null : targets();
  const row = numbers?.length === 1 ? numbers[0] : null;
  const known = row === null ? undefined : rows.value.get(row);
  if (row !== null && !known?.proposal) {
    notice.value = "This picture has no proposal.";
    return;
  }
  notice.value = "";
  const text = row === null ? null : typedFor(row);
  const own = row !== null && text !== null && text !== known?.proposal?.caption ? { captions: { [row]: text } } : {};
  const looked = seen && seen.row === row ? { seen: { [seen.row]: seen.caption } } : {};
  const state = await run("studio/accept", scope ?? { rows: numbers, ...own, ...looked });
  if (state?.result?.written && row !== null) next(row);
}

/** Reject proposals. @param {any} [scope] a promise of it; the rows of `targets` for none */
export async function reject(scope) {
  const numbers = scope ? null : targets();
  if (numbers?.length === 1 && !rows.value.get(numbers[0])?.proposal) {
    notice.value = "This picture has no proposal.";
    return;
  }
  notice.value = "";
  try {
    const done = await send("studio/reject", await (scope ?? { rows: numbers }));
    outcome.value = { text: `${plural(done.written, "proposal")} rejected.`, isBad: false, edit: done.id, conflicts: [] };
    if (numbers?.length === 1) next(numbers[0]);
  } catch (error) {
    outcome.value = { text: /** @type {Error} */ (error).message, isBad: true, edit: null, conflicts: [] };
  }
}

/** Go on to the next picture with a proposal, if the cursor is still on the row, whose own is decided about. @param {number} row */
function next(row) {
  keepTyped(row, null);
  const decided = rows.value.get(row);
  if (decided) putWritten([{ ...decided, proposal: null }]); // the next key is not about it
  const { length } = result.value;
  if (result.value[cursor.value] !== row) return;
  for (let place = cursor.value + 1; place < length; place += 1) {
    const known = rows.value.get(result.value[place]);
    if (!known || known.proposal) {
      if (known) go(place);
      return;
    }
  }
}

/** @param {{row: {row: number, caption?: string | null, proposal?: import("./store.js").Row["proposal"]}}} props */
export function Suggestion({ row: { row, caption, proposal } }) {
  const [text, setText] = useState(typedFor(row));
  const made = useRef(proposal?.caption);
  useLayoutEffect(() => {
    const before = made.current;
    made.current = proposal?.caption;
    if (before === proposal?.caption || (text !== null && text !== before)) return; // what is typed stays when another one is made
    setText(null);
    keepTyped(row, null);
  }, [proposal?.caption]);
  useLayoutEffect(() => keepShown(row, caption ?? null));
  const began = useRef(-DOUBLE_CLICK); // when the field was opened, until something is typed into it
  useLayoutEffect(() => {
    if (began.current >= 0) focusOn(".suggestion textarea"); // before the next key, which is meant for it
  }, [text === null]);
  if (!proposal) return null;
  const isChanged = (caption ?? null) !== (proposal.before ?? null);
  const type = (/** @type {string} */ value) => {
    setText(value);
    keepTyped(row, value);
    began.current = -DOUBLE_CLICK;
  };
  const edit = (/** @type {MouseEvent} */ event) => {
    type(proposal.caption);
    began.current = event.timeStamp;
  };
  // The second click of a double click was meant for the button that stood here before.
  const unlessDouble = (/** @type {() => void} */ then) => (/** @type {MouseEvent} */ event) => {
    if (!event.detail || event.timeStamp - began.current >= DOUBLE_CLICK) then(); // 0 of a key
  };
  const forget = unlessDouble(() => {
    setText(null);
    keepTyped(row, null);
  });
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    void acceptSeen();
  };
  return html`<section class="suggestion" aria-label="Proposal">
    <p class="line-of"><b>Proposal</b> <span class="figures" title=${proposal.prompt_id}>${proposal.model}${proposal.prompt_id && ` · ${proposal.prompt_id.split("@")[0]}`}</span></p>
    ${isChanged && html`<p class="problem" role="alert">The caption was changed since: it was made for “${proposal.before ?? "no caption"}”.</p>`}
    ${text === null
      ? html`<p class="text"><${Difference} before=${caption ?? ""} after=${proposal.caption} /></p>`
      : html`<textarea rows="4" aria-label="Proposal" value=${text} onKeyDown=${press}
          onInput=${(/** @type {any} */ event) => type(event.target.value)}></textarea>`}
    <div class="line-of">
      <span class="buttons">
        ${text === null ? html`<${ActionButton} id="accept">Accept<//>` : html`<button class="main" onClick=${unlessDouble(() => void acceptSeen())}>Accept changed</button>`}
        ${text === null ? html`<button onClick=${edit}>Change</button>` : html`<button class="quiet" onClick=${forget}>As proposed</button>`}
        <${ActionButton} id="reject">Reject<//>
      </span>
      <button class="quiet" disabled=${Boolean(running.value)} title="another caption by the captioner of the Generate panel" onClick=${() => retry(row)}>Try again</button>
    </div>
  </section>`;
}
