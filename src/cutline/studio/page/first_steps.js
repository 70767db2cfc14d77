// @ts-check
/** What the page shows while no folder is open, and then a tour of five keys. */

import { html, signal, useEffect } from "./vendor/preact.js";
import { ActionButton, Keys } from "./action_button.js";
import { get, send } from "./api.js";
import { openFolder } from "./folder_dialog.js";
import { actions, ran } from "./keys.js";
import { ended } from "./running.js";
import { dataset, jobs, keepPreference, notice, preferences } from "./store.js";

const place = signal("");
const job = signal(/** @type {number | null} */ (null));
const problem = signal("");
const advice = signal(/** @type {{options: string, gigabytes: number, install: string, memory: number, gpu: number} | null} */ (null));

/** Draw the sample pictures into the folder that is named, and open it. */
async function draw() {
  problem.value = "";
  try {
    const started = await send("studio/samples", { folder: place.value });
    job.value = started.job;
    const state = await ended(started.job);
    if (state.problem) throw new Error(state.problem);
    if (!(await openFolder(place.value))) throw new Error("the folder cannot be opened");
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
  job.value = null;
}

export function FirstSteps() {
  const { empty, listing, listed, failed } = dataset.value;
  useEffect(() => {
    get("studio/folders").then((found) => {
      const root = found.path || found.folders[0]?.path || "";
      place.value ||= empty ?? `${root.replace(/\/$/, "")}/cutline-samples`;
    }, (error) => (problem.value = error.message));
  }, []);
  if (listing) return html`<main class="steps"><h2 role="status">Listing the pictures of ${listing}…</h2>
    <p class="figures">${listed ? `${listed.toLocaleString("en")} so far` : ""}</p></main>`;
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
      <label>New folder <input type="text" value=${place.value} autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {any} */ event) => (place.value = event.target.value)} /></label>
      ${job.value === null
        ? html`<button disabled=${!place.value} onClick=${draw}>Make sample pictures</button>`
        : html`<progress aria-label="Progress" max=${jobs.value[job.value]?.total ?? 1} value=${jobs.value[job.value]?.done ?? 0} />`}
      ${problem.value && html`<p class="notice" role="alert">${problem.value}</p>`}</section>
    <${RealModel} folder=${place.value} />
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
  ["undo", "takes back the latest edit, whatever it was, tomorrow as well"],
]);
const step = signal(0);
const isAgain = signal(false);

ran.subscribe((id) => {
  if (step.value < STEPS.length && id === STEPS[step.value][0]) step.value += 1;
});

/** Begin the tour anew. */
export function startTour() {
  step.value = 0;
  isAgain.value = true;
}

function end() {
  isAgain.value = false;
  void keepPreference({ tips: true });
}

export function Tour() {
  if (!preferences.value || (preferences.value.tips && !isAgain.value)) return null;
  const [id, text] = STEPS[step.value] ?? ["help", "shows all keys, where each can be changed"];
  const keys = actions.get(id)?.keys ?? [];
  const isLast = step.value === STEPS.length;
  return html`<aside class="tour" aria-label="Tour of five keys">
    <span class="figures">${isLast ? "That is all." : `Key ${step.value + 1} of ${STEPS.length}`}</span>
    <span><${Keys} keys=${keys.slice(0, 1)} /> ${text}</span>
    <span class="space"></span>
    ${!isLast && html`<button class="quiet" onClick=${() => (step.value += 1)}>Next key</button>`}
    <button class="quiet" onClick=${end}>${isLast ? "End the tour" : "Skip the tour"}</button>
  </aside>`;
}
