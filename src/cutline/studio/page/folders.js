// @ts-check
/** Folders: the dialog that opens one, what the page shows while none is open, and then a tour of five keys. */

import { html, signal, useEffect, useLayoutEffect } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { save } from "./draft.js";
import { everywhere, hold } from "./held_keys.js";
import { ActionButton, actions, Keys, ran } from "./keys.js";
import { Dialog, dialog } from "./panels.js";
import { ended, JobProgress } from "./running.js";
import { dataset, isDown, keepPreference, notice, preferences } from "./store.js";

/**
 * @typedef {{name: string, path: string, pictures: number, is_more: boolean}} Folder
 * @typedef {{name: string, path: string, kind: string, size: number}} Output
 * @typedef {Folder & {parent: string | null, folders: Folder[], outputs: Output[], recent: {folder: string, sidecar_ext: string, one_a_line: boolean, problem: string}[]}} Listing
 */

const listing = signal(/** @type {Listing | null} */ (null));
const typed = signal("");
const chosen = signal(0);
const ending = signal(".txt");
const lines = signal(false);
const problem = signal("");
const isOpening = signal(false);

let turn = 0;

/** Show what is in a folder; the first one where it is empty. @param {string} path */
async function look(path) {
  const mine = (turn += 1);
  const before = typed.value;
  try {
    const found = await get(`studio/folders?path=${encodeURIComponent(path)}`);
    if (mine !== turn) return;
    const from = listing.value?.path;
    listing.value = found;
    if (typed.value === before) typed.value = found.path; // not what is typed meanwhile
    const back = found.folders.findIndex((/** @type {Folder} */ one) => one.path === from);
    chosen.value = back < 0 && !found.folders.length && found.pictures ? -1 : Math.max(0, back); // -1: the folder itself
    problem.value = "";
  } catch (error) {
    if (mine === turn) problem.value = /** @type {Error} */ (error).message;
  }
}

/** Open a folder of pictures; whether it is open now. @param {string} folder @param {any} [options] @returns {Promise<boolean>} */
export async function openFolder(folder, options = {}) {
  if (isOpening.value) return false;
  isOpening.value = true;
  problem.value = "";
  try {
    if (!(await save())) throw new Error("The caption that is shown is not saved: nothing was opened.");
    await send("studio/open", { folder, ...options });
    notice.value = "";
    return true;
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
    return false;
  } finally {
    isOpening.value = false;
  }
}

/** @param {string} folder @param {any} [options] */
async function choose(folder, options = { sidecar_ext: ending.value, one_a_line: lines.value }) {
  if ((await openFolder(folder, options)) && dialog.value === "folders") dialog.value = "";
}

/** Go into a folder, which the next key is about, or open a table or tar. @param {Folder | Output} one */
const enter = (one) => ("kind" in one ? choose(one.path, { sidecar_ext: ".txt", one_a_line: false }) : hold(look(one.path), everywhere));

/** @param {Output} one */
const about = ({ kind, size }) => `${kind}, ${size < 1e6 ? `${Math.ceil(size / 1e3).toLocaleString("en")} KB` : `${Math.round(size / 1e6).toLocaleString("en")} MB`}`;

const count = (/** @type {Folder} */ one) => `${one.pictures.toLocaleString("en")}${one.is_more ? "+" : ""} ${one.pictures === 1 ? "picture" : "pictures"}`;

/** @param {KeyboardEvent} event */
function press(event) {
  const now = listing.value;
  const folders = now ? [...now.folders, ...now.outputs] : [];
  const isTyped = typed.value !== (now?.path ?? "");
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
  if (event.key === "Enter" && event[/Mac/.test(navigator.platform) ? "metaKey" : "ctrlKey"]) void choose(typed.value);
  else if (event.altKey && event.key === "ArrowUp") now?.parent != null && void hold(look(now.parent), everywhere);
  else if (step) chosen.value = Math.max(0, Math.min(folders.length - 1, chosen.value + step));
  else if (event.key === "Enter" && isTyped) void hold(look(typed.value), everywhere);
  else if (event.key === "Enter" && folders[chosen.value]) void enter(folders[chosen.value]);
  else if (event.key === "Enter") void choose(typed.value);
  else return;
  event.preventDefault();
}

/** In the fields below, which choose nothing. @param {KeyboardEvent} event */
function pressBelow(event) {
  if (event.key !== "Enter" || !typed.value) return;
  event.preventDefault();
  void choose(typed.value);
}

export function FolderDialog() {
  useLayoutEffect(() => { // before anything can be typed, whose answer it would replace
    problem.value = typed.value = "";
    listing.value = null;
    void look("");
  }, []);
  const now = listing.value;
  const shown = now ? [...now.folders, ...now.outputs] : [];
  const at = shown[chosen.value];
  useEffect(() => document.getElementById(`folder-${chosen.value}`)?.scrollIntoView({ block: "nearest" }), [chosen.value, now]);
  return html`<${Dialog} name="folders" title="Open a folder">
    <label class="line">Folder
      <input type="text" role="combobox" aria-expanded="true" aria-controls="folders" autocomplete="off" spellcheck=${false}
        aria-activedescendant=${at ? `folder-${chosen.value}` : undefined} aria-describedby="folder-keys" value=${typed.value}
        onInput=${(/** @type {any} */ event) => (typed.value = event.target.value)} onKeyDown=${press} /></label>
    <p class="note" id="folder-keys">↑ and ↓ choose, Enter goes into a folder, or opens a table or tar, Alt+↑ to the one above; ⌘ or Ctrl+Enter opens it.</p>
    ${problem.value && html`<p class="notice" role="alert">${problem.value}</p>`}
    <ul id="folders" class="commands" role="listbox" aria-label="Folders and outputs" tabindex="-1">
      ${shown.map((one, number) => html`<li key=${one.path} id=${`folder-${number}`} role="option" aria-selected=${number === chosen.value}
        onClick=${() => enter(one)}><span>${one.name}</span> <span class="count">${"kind" in one ? about(one) : count(one)}</span></li>`)}
    </ul>
    ${now && !shown.length && !problem.value && html`<p class="note">No folders, tables or tars in it.</p>`}
    <div class="form" onKeyDown=${pressBelow}>
      <label>Captions end in
        <input type="text" class="short" value=${ending.value} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => (ending.value = event.target.value)} /></label>
      <label class="tick"><input type="checkbox" checked=${lines.value} onChange=${(/** @type {any} */ event) => (lines.value = event.target.checked)} />
        Each line of a file is a caption of its own</label>
    </div>
    <footer class="line-of">
      ${now?.parent != null && html`<button onClick=${() => look(/** @type {string} */ (now.parent))}>To the folder above</button>`}
      <button class="main" disabled=${isOpening.value || !typed.value} onClick=${() => choose(typed.value)}>
        ${isOpening.value ? "Listing its pictures…" : `Open${now?.path && typed.value === now.path ? ` (${count(now)})` : ""}`}</button>
    </footer>
    ${now?.recent.length ? html`<h3>Recent</h3>
      <ul class="recent">${now.recent.map(({ folder, problem: reason, ...options }) => html`<li key=${folder}>
        <button class="quiet" disabled=${isOpening.value || reason !== ""} title=${reason} onClick=${() => choose(folder, options)}>${folder}</button>
        ${reason && html`<p class="note">${reason}</p>`}</li>`)}</ul>` : null}
  <//>`;
}

const target = signal("");
const job = signal(/** @type {number | null} */ (null));
const trouble = signal("");
const advice = signal(/** @type {{options: string, gigabytes: number, install: string, memory: number, gpu: number} | null} */ (null));

/** Draw the sample pictures into the folder that is named, and open it. */
async function draw() {
  trouble.value = "";
  try {
    const started = await send("studio/samples", { folder: target.value });
    job.value = started.job;
    const state = await ended(started.job);
    if (state.problem) throw new Error(state.problem);
    if (!(await openFolder(target.value))) throw new Error("the folder cannot be opened");
  } catch (error) {
    trouble.value = /** @type {Error} */ (error).message;
  }
  job.value = null;
}

export function FirstSteps() {
  const { empty, listing, listed, failed } = dataset.value;
  useEffect(() => {
    get("studio/folders").then((found) => {
      const root = found.path || found.folders[0]?.path || "";
      target.value ||= empty ?? `${root.replace(/\/$/, "")}/cutline-samples`;
    }, (error) => (trouble.value = error.message));
  }, []);
  if (listing) return html`<main class="steps"><h2 role="status">Listing the pictures of ${listing}…</h2>
    <p class="figures">${listed ? `${listed.toLocaleString("en")} so far` : ""}</p></main>`;
  if (failed && isDown.value) return html`<main class="steps"><p class="notice" role="alert">${failed}</p>
    <p>The studio has ended. Start it again once this is mended.</p></main>`;
  return html`<main class="steps">
    ${failed && html`<p class="notice" role="alert">${failed}</p>`}
    <h2>${empty ? `There are no pictures in ${empty}` : "See and edit the captions of your pictures"}</h2>
    <section aria-labelledby="open-title"><h3 id="open-title">Open your pictures</h3>
      <p>A folder of pictures, with those in it. Captions are text files beside the pictures; pictures without one are shown too.
        Looking changes nothing, and every edit can be undone.</p>
      <p class="line-of">
        <${ActionButton} id="open" main>Choose a folder<//>
        ${empty && html`<button onClick=${() => openFolder(empty).then((isOpen) => isOpen || (notice.value = `There are still no pictures in ${empty}.`))}>Look there again</button>`}
      </p></section>
    <section aria-labelledby="samples-title"><h3 id="samples-title">Or try it with sample pictures</h3>
      <p>Thirteen pictures, drawn by cutline itself, most of them with a caption. Nothing is downloaded.</p>
      <label>New folder <input type="text" value=${target.value} autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {any} */ event) => (target.value = event.target.value)} /></label>
      ${job.value === null
        ? html`<button disabled=${!target.value} onClick=${draw}>Make sample pictures</button>`
        : html`<${JobProgress} job=${job.value} bare />`}
      ${trouble.value && html`<p class="notice" role="alert">${trouble.value}</p>`}</section>
    <${RealModel} folder=${target.value} />
  </main>`;
}

const size = (/** @type {number} */ value) => value.toLocaleString("en", { maximumSignificantDigits: 2 });

/** The model that fits this machine, and the commands that use it. @param {{folder?: string}} props */
export function RealModel({ folder }) {
  useEffect(() => {
    get("studio/model").then((found) => (advice.value = found), () => {});
  }, []);
  const found = advice.value;
  if (!found) return null;
  const { options, gigabytes, install, memory, gpu } = found;
  const machine = gpu ? `a GPU with ${size(gpu)} GB` : memory ? `${size(memory)} GB of memory and no GPU` : "no GPU";
  const words = /^[\w./-]+$/.test(folder ?? "") ? folder : `'${(folder ?? "photos").replaceAll("'", "'\\''")}'`;
  return html`<section aria-labelledby="model-title"><h3 id="model-title">Get a real model</h3>
    <p>This machine has ${machine}. A model that fits writes the captions that are missing${gigabytes ? ` (it downloads ${size(gigabytes)} GB once)` : " (its use is paid for)"}:</p>
    <pre tabindex="0" aria-label="Commands">${install && `${install}\n`}cutline caption ${words} --output-format sidecar --existing skip ${options}</pre></section>`;
}

/** The tour is a line below the grid, in which each key that is pressed leads to the next; shown until it has been seen. */
const STEPS = /** @type {const} */ ([
  ["right", "moves to the next picture"],
  ["edit", "begins to edit its caption; it is saved as you type"],
  ["finish", "saves it, marks the picture as done, and goes on to the next"],
  ["bulk", "edits many captions at once; every change is shown before it happens"],
  ["undo", "undoes the latest edit, whatever it was, tomorrow as well"],
]);
const step = signal(0);
const isAgain = signal(false);
const isClosed = signal(false); // here, where that cannot be kept too
const isShown = () => preferences.value !== null && (isAgain.value || !(preferences.value.tips || isClosed.value));

/** Go on to the next key; who has seen all has seen the tour, also where the page is left without a click. */
function advance() {
  step.value += 1;
  if (step.value < STEPS.length) return;
  isAgain.value = true;
  void keepPreference({ tips: true });
}

ran.subscribe((id) => {
  if (isShown() && step.value < STEPS.length && id === STEPS[step.value][0]) advance();
});

/** Restart the tour. */
export function startTour() {
  step.value = 0;
  isAgain.value = true;
}

function end() {
  isAgain.value = false;
  isClosed.value = true;
  void keepPreference({ tips: true });
}

export function Tour() {
  if (!isShown()) return null;
  const [id, text] = STEPS[step.value] ?? ["help", "shows all keys, where each can be changed"];
  const keys = actions.get(id)?.keys ?? [];
  const isLast = step.value === STEPS.length;
  return html`<aside class="tour" aria-label="Tour of five keys">
    <span class="figures">${isLast ? "That is all." : `Key ${step.value + 1} of ${STEPS.length}`}</span>
    <span><${Keys} keys=${keys.slice(0, 1)} /> ${text}</span>
    <span class="space"></span>
    ${!isLast && html`<button class="quiet" onClick=${advance}>Next key</button>`}
    <button class="quiet" onClick=${end}>${isLast ? "End the tour" : "Skip the tour"}</button>
  </aside>`;
}
