// @ts-check
/** The panel of exports: format, scope, progress, and the download. */

import { html, signal, useLayoutEffect } from "./vendor/preact.js";
import { send } from "./api.js";
import { save } from "./draft.js";
import { focusOn, guessScope, mainKey, Panel, scope, ScopeChoice, scopeOf, sizes } from "./panels.js";
import { JobProgress, Outcome, outcome, run } from "./running.js";

const FORMATS = /** @type {const} */ ([
  ["webdata-zip", "webdata.zip: pictures and one JSON of pairs"],
  ["zip", "Archive: pictures, each with its text"],
  ["webdataset", "WebDataset: a folder of tars"],
  ["imagefolder", "Imagefolder: copies and metadata.jsonl"],
  ["folder", "Folder: pictures, each with its text"],
  ["texts", "Texts: .txt files alone"],
  ["kohya", "JSON for sd-scripts (kohya)"],
  ["jsonl", "Table: JSONL"],
  ["json", "Table: JSON"],
  ["csv", "Table: CSV"],
  ["tsv", "Table: TSV"],
  ["parquet", "Table: Parquet"],
]);
const format = signal("webdata-zip");
const output = signal("");
const empty = signal(false);
const overwrite = signal(false);
const OVERWRITE = "Replace an earlier export"; // what commands call --overwrite
/** Endings of the formats that are files. @type {Record<string, string>} */
const ENDINGS = { "webdata-zip": ".zip", zip: ".zip", kohya: ".json", jsonl: ".jsonl", json: ".json", csv: ".csv", tsv: ".tsv", parquet: ".parquet" };

/** Choose a format; the ending of a name that was given follows. @param {string} name */
function choose(name) {
  format.value = name;
  if (output.value) output.value = output.value.replace(/\.(?:zip|jsonl?|csv|tsv|parquet)$/i, "") + (ENDINGS[name] ?? "");
}

/** The name that was given, with the ending of the format where it has none; null for one that is not taken. */
function named() {
  const name = output.value.trim();
  return name && !/\.[a-z]\w*$/i.test(name) ? name + (ENDINGS[format.value] ?? "") : name || null;
}
const job = signal(/** @type {number | null} */ (null));
/** The latest export that can be downloaded. */
const made = signal(/** @type {number | null} */ (null));

async function request() {
  const name = /** @type {"all"} */ (scope.value);
  const fields = { format: format.value, output: named(), empty: empty.value, overwrite: overwrite.value };
  const saving = save();
  const within = await scopeOf();
  if (!sizes.value[name]) throw new Error("There is no picture to export: choose another scope.");
  if (!(await saving)) throw new Error("The caption that was typed is not saved: nothing was exported.");
  return { ...fields, scope: within };
}

let isStarting = false;

async function start() {
  if (isStarting) return;
  isStarting = true;
  made.value = null;
  const state = await run("studio/export", request(), (number) => (job.value = number));
  const now = outcome.value;
  if (now?.isBad) outcome.value = { ...now, text: now.text.replace("--overwrite", `“${OVERWRITE}”`) };
  if (state?.result?.is_file && state.result.written) made.value = state.job;
  job.value = null;
  isStarting = false;
}

/** Whether the scope has pictures. */
const isPossible = () => Boolean(sizes.value[/** @type {"all"} */ (scope.value)]);

const stop = () => job.value !== null && send(`studio/jobs/${job.value}`, undefined, "DELETE");

export function ExportPanel() {
  useLayoutEffect(() => {
    guessScope();
    focusOn(".export select");
  }, []);
  return html`<${Panel} name="export" title="Export" main=${() => void start()}>
    <div class="form">
      <label>Format
        <select value=${format.value} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
          ${FORMATS.map(([name, label]) => html`<option value=${name}>${label}</option>`)}
        </select>
      </label>
      <label>Name
        <input type="text" value=${output.value} placeholder="a new name" title="beside the folder, or a path; without one, a name that is not taken" autocomplete="off" spellcheck=${false}
          onInput=${(/** @type {any} */ event) => (output.value = event.target.value)} />
      </label>
      <label class="tick">
        <input type="checkbox" checked=${empty.value} onChange=${(/** @type {any} */ event) => (empty.value = event.target.checked)} /> Also pictures without a caption
      </label>
      <label class="tick">
        <input type="checkbox" checked=${overwrite.value} onChange=${(/** @type {any} */ event) => (overwrite.value = event.target.checked)} /> ${OVERWRITE}
      </label>
      <${ScopeChoice} />
    </div>
    <${Progress} />
  <//>`;
}

function Progress() {
  return html`<footer>
    ${job.value !== null
      ? html`<${JobProgress} job=${job.value} />
          <button onClick=${stop}>Stop</button>`
      : html`<button class="main" disabled=${!isPossible()} title=${mainKey()} onClick=${start}>Export</button>`}
    ${made.value !== null && html`<a href=${`studio/export/${made.value}`} download>Download</a>`}
    <${Outcome} />
  </footer>`;
}
