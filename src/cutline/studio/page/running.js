// @ts-check
/** Jobs of the server: started, waited for, and reported in one line, with the button that takes an edit back. */

import { html, signal } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { jobs } from "./store.js";

const POLL = 3000; // ms, where no event comes
const FADES = 30_000; // ms until a line of success goes; what it offers stays in the history
/** Milliseconds in which a second click is not meant for the button that came under the pointer. */
export const DOUBLE_CLICK = 500;
const GONE = "The studio was started again meanwhile: look whether this was done.";
const NAMED = 5; // files in a line
const ACCEPT = "accept proposals"; // the summary of such jobs

/** What the latest edit did; `edit`: its number, to take it back. */
export const outcome = signal(/** @type {{text: string, isBad: boolean, edit: number | null, conflicts: string[]} | null} */ (null));

let fading = 0;
outcome.subscribe((now) => {
  clearTimeout(fading);
  if (now && !now.isBad) fading = setTimeout(() => (outcome.value = null), FADES);
});

/** What is done by keys, one after the other: each knows what the one before has done. @type {Promise<unknown>} */
let acts = Promise.resolve();
let acting = 0;

/** The edits that are under way. @type {Set<Promise<unknown>>} */
const edits = new Set();

/** Whether something is under way that is an edit or may become one. */
export const isActing = () => acting > 0 || edits.size > 0;

/** Do something once all that was begun before is done. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
export function inTurn(work) {
  acting += 1;
  const done = acts.then(work).finally(() => (acting -= 1));
  acts = done.catch(() => {});
  return done;
}

/** @param {number} count @param {string} noun */
export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** Wait for a job to end. @param {number} number @returns {Promise<any>} its state */
export function ended(number) {
  return new Promise((resolve) => {
    const timer = setInterval(async () => {
      const all = await get("studio/jobs").catch(() => null);
      if (!all || jobs.value[number]?.is_over) return; // an event was faster
      const found = all.find((/** @type {any} */ job) => job.job === number) ?? { job: number, is_over: true, problem: GONE };
      jobs.value = { ...jobs.value, [number]: found };
    }, POLL);
    const stop = jobs.subscribe((/** @type {Record<number, any>} */ all) => {
      if (!all[number]?.is_over) return;
      clearInterval(timer);
      queueMicrotask(() => stop());
      resolve(all[number]);
    });
  });
}

/** @param {string} why @param {number} count @param {string[]} files */
function named(why, count, files) {
  const more = count > NAMED ? ` and ${(count - NAMED).toLocaleString("en")} more` : "";
  return `${plural(count, "file")} ${why}: ${files.slice(0, NAMED).join(", ")}${more}.`;
}

/** @param {any} result of an export */
function exported(result) {
  const done = result.written ? `${plural(result.written, "picture")} exported to ${result.output}.` : `Nothing is written to ${result.output}.`;
  return result.missing ? `${done} Without a caption, left out: ${result.missing.toLocaleString("en")}.` : done;
}

/** Which files lose their encoding, as a sentence behind others; mostly empty. @param {string} how @param {Record<string, number>} [counts] by encoding */
export function toUtf8(how, counts = {}) {
  const files = Object.entries(counts).map(([encoding, count]) => `${plural(count, "file")} in ${encoding}`);
  return files.length ? ` ${files.join(", ")} ${how}, as that encoding lacks a character.` : "";
}

/** @param {string} summary of a job @param {any} result */
function changed(summary, result) {
  if (result.output) return exported(result);
  const done = summary === ACCEPT ? `${plural(result.written, "proposal")} accepted.` : `${summary}: ${plural(result.written, "picture")} changed.`;
  return done + toUtf8("are UTF-8 now", result.converted);
}

/** What a job did, in a line. @param {any} job */
export function report(job) {
  const { result, problem, summary } = job;
  if (!result) return { text: problem || summary, isBad: Boolean(problem), edit: null, conflicts: [] };
  const parts = [changed(summary, result)];
  if (result.stopped) parts.push(`Stopped: ${result.stopped.toLocaleString("en")} not ${result.output ? "reached" : "changed"}.`);
  if (result.conflict_count) parts.push(named("changed by something else since and left alone", result.conflict_count, result.conflicts));
  if (result.failed_count) {
    parts.push(named(result.output ? "not exported" : "not written", result.failed_count, result.failed.map((/** @type {string[]} */ one) => one.join(": "))));
  }
  return { text: parts.join(" "), isBad: Boolean(result.conflict_count || result.failed_count), edit: result.written ? result.id : null, conflicts: result.conflicts };
}

/**
 * Start a job and show what it did. `started` is called with its number.
 * @param {string} path @param {any} [body] or a promise of it @param {(job: number) => void} [started]
 */
export function run(path, body, started) {
  const done = start(path, body, started);
  if (path !== "studio/export") edits.add(done);
  return done.finally(() => edits.delete(done));
}

/** @param {string} path @param {any} [body] @param {(job: number) => void} [started] */
async function start(path, body, started) {
  try {
    const { job } = await send(path, await body);
    if (job === null) {
      outcome.value = { text: "There is nothing to undo or redo.", isBad: false, edit: null, conflicts: [] };
      return null;
    }
    started?.(job);
    const state = await ended(job);
    outcome.value = report(state);
    return state;
  } catch (error) {
    outcome.value = { text: /** @type {Error} */ (error).message, isBad: true, edit: null, conflicts: [] };
    return null;
  }
}

/** How far a job is: nothing is counted before its first event. @param {{job: number | null, bare?: boolean}} props without the figures */
export function JobProgress({ job, bare }) {
  const now = job === null ? undefined : jobs.value[job];
  if (!now?.total) return html`<progress aria-label="Progress" />`;
  return html`<progress aria-label="Progress" max=${now.total} value=${now.done} />
    ${!bare && html`<span class="figures">${now.done.toLocaleString("en")} of ${now.total.toLocaleString("en")}</span>`}`;
}

/** Do something in its turn, once the edits are done that are under way. @template T @param {() => Promise<T>} work */
export const afterEdits = (work) => inTurn(() => Promise.all(edits).then(work));

/** Take an edit back, or the latest. @param {number} [edit] */
export const undo = (edit) => run("studio/undo", edit === undefined ? {} : { edit });
export const redo = () => run("studio/redo");

export function Outcome() {
  const { text, isBad, edit } = outcome.value ?? { text: "", isBad: false, edit: null, conflicts: [] };
  const isUndo = text.startsWith("undo:"); // and of a redo, Undo
  if (!text) return html`<p class="outcome" aria-live="polite"></p>`;
  return html`<p class=${`outcome ${isBad ? "problem" : ""}`} aria-live="polite">
    <span>${text}</span>
    ${edit !== null && html`<button onClick=${() => afterEdits(() => undo(edit))}>${isUndo ? "Redo" : "Undo"}</button>`}
    <button class="quiet" aria-label="Dismiss" onClick=${() => (outcome.value = null)}>×</button>
  </p>`;
}
