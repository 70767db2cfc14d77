// @ts-check
/** Marks of pictures and captions that are proposed for them, and the way to the next one that needs work. */

import { html, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { find, send } from "./api.js";
import { Difference } from "./difference.js";
import { isTouched, save } from "./draft.js";
import { retry, running } from "./generate.js";
import { ActionButton } from "./keys.js";
import { focusOn } from "./panels.js";
import { DOUBLE_CLICK, inTurn, outcome, plural, run } from "./running.js";
import { go } from "./selection.js";
import { cursor, dataset, notice, opening, picked, putWritten, result, rows } from "./store.js";

/** What an action is about: what is picked, where the grid has the focus; else the cursor's picture. */
export function targets() {
  const inGrid = !document.activeElement?.closest(".editor, .side, .bar");
  if (inGrid && picked.value.size) return [...picked.value];
  const row = result.value[cursor.value];
  return row === undefined ? [] : [row];
}

/** Set a mark, or remove it where all have it. @param {"done" | "flagged"} mark */
export function toggleMark(mark) {
  const rows = targets();
  notice.value = "";
  if (rows.length) void inTurn(() => toggle(mark, rows));
}

/** @param {"done" | "flagged"} mark @param {number[]} rows */
async function toggle(mark, rows) {
  try {
    const having = new Set(await find(`status:${mark}`));
    const on = !rows.every((row) => having.has(row));
    await send("studio/marks", { rows, mark, on });
    if (rows.length > 1) notice.value = `${plural(rows.length, "picture")} ${on ? "marked as" : "no longer"} ${mark}.`;
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}

/** Mark a picture as done, once it is saved; whether that is so. @param {number} row @param {Promise<boolean>} saving */
export const markDone = (row, saving) => inTurn(async () => {
  if (!(await saving)) return false;
  await send("studio/marks", { rows: [row], mark: "done", on: true });
  return true;
});

/** Go to the next picture of the result that matches a query; after the last one comes the first. @param {string} text @param {string} none */
export async function goToNext(text, none) {
  notice.value = "";
  try {
    const matching = new Set(await find(text));
    const { length } = result.value;
    for (let step = 1; step <= length; step += 1) {
      const place = (cursor.value + step) % length;
      if (matching.has(result.value[place])) {
        go(place);
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

/** The rows whose proposal is being decided about. @type {Set<number>} */
const deciding = new Set();

/** @param {number} row */
const hasProposal = (row) => Boolean(rows.value.get(row)?.proposal) && !deciding.has(row);

/**
 * Decide about the proposal of a row. It is gone at once, as the next key is not about it, and comes back where that
 * did not work. @param {number} row @param {() => Promise<boolean>} work
 */
async function decide(row, work) {
  const [folder, known, text] = [opening.value, rows.value.get(row), typedFor(row)];
  if (!known) return false;
  const show = (/** @type {import("./store.js").Row["proposal"]} */ proposal) => putWritten([{ ...(rows.value.get(row) ?? known), proposal }]);
  deciding.add(row);
  keepTyped(row, null);
  show(null);
  const isDone = await inTurn(work);
  deciding.delete(row);
  if (isDone || folder !== opening.value) return isDone;
  show(known.proposal);
  keepTyped(row, text);
  return false;
}

/** Accept the proposal of a row as it is seen now; what was typed into the caption is saved first. @param {number} row @returns {Promise<boolean>} whether that worked */
function acceptOne(row) {
  const [text, seen, proposal] = [typedFor(row), shown, rows.value.get(row)?.proposal];
  const own = text !== null && text !== proposal?.caption ? { captions: { [row]: text } } : {};
  const looked = seen?.row === row ? { seen: { [row]: seen.caption } } : {};
  const saving = save();
  return decide(row, async () => {
    const state = (await saving) ? await run("studio/accept", { rows: [row], ...own, ...looked }) : null;
    return Boolean(state?.result?.written);
  });
}

/** Accept what was typed in place of the proposal of a row; whether that worked. @param {number} row */
export const acceptTyped = (row) => (hasProposal(row) ? acceptOne(row) : save());

/** @param {number} row @param {Promise<boolean>} deciding */
async function decided(row, deciding) {
  const place = cursor.value;
  if (result.value[place] === row) next(place);
  const at = cursor.value;
  if (!(await deciding) && cursor.value === at && result.value[place] === row && !isTouched()) go(place);
}

/** Accept what is seen now, or the proposals of what is picked: what was typed into a caption is saved first, and not replaced unseen. */
export function acceptSeen() {
  const numbers = targets();
  notice.value = "";
  if (numbers.length !== 1) {
    void accept(save().then((isSaved) => {
      if (!isSaved) throw new Error("The caption that was typed is not saved: nothing was accepted.");
      return { rows: numbers };
    }));
  } else if (hasProposal(numbers[0])) void decided(numbers[0], acceptOne(numbers[0]));
  else notice.value = NONE;
}

/** Accept the proposals of a scope. @param {any} scope a promise of it */
export const accept = (scope) => run("studio/accept", scope);

const NONE = "This picture has no proposal.";

/** Reject proposals. @param {any} [scope] a promise of it; the rows of `targets` for none */
export async function reject(scope) {
  const numbers = scope ? [] : targets();
  notice.value = "";
  const saving = save();
  const work = async () => {
    await saving;
    try {
      const done = await send("studio/reject", await (scope ?? { rows: numbers }));
      outcome.value = { text: `${plural(done.written, "proposal")} rejected.`, isBad: false, edit: done.id, conflicts: [] };
      return true;
    } catch (error) {
      outcome.value = { text: /** @type {Error} */ (error).message, isBad: true, edit: null, conflicts: [] };
      return false;
    }
  };
  const [row] = numbers;
  if (numbers.length !== 1) await inTurn(work);
  else if (hasProposal(row)) await decided(row, decide(row, work));
  else notice.value = NONE;
}

/** Go on to the next picture with a proposal. @param {number} place of the one before */
function next(place) {
  for (let at = place + 1; at < result.value.length; at += 1) {
    const row = result.value[at];
    if (!rows.value.has(row)) return;
    if (hasProposal(row)) return go(at);
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
  useLayoutEffect(() => void keepShown(row, caption ?? null));
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
    acceptSeen();
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
        ${text === null ? html`<${ActionButton} id="accept">Accept<//>` : html`<button class="main" onClick=${unlessDouble(acceptSeen)}>Accept changed</button>`}
        ${text === null ? html`<button onClick=${edit}>Change</button>` : html`<button class="quiet" onClick=${forget}>As proposed</button>`}
        <${ActionButton} id="reject">Reject<//>
      </span>
      <button class="quiet" disabled=${Boolean(running.value)} title="another caption by the captioner of the Generate panel" onClick=${() => retry(row)}>Try again</button>
    </div>
  </section>`;
}
