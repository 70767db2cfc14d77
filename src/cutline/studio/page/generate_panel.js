// @ts-check
/** The panel of generation: captions by a model for a scope, estimated, watched and stopped. */

import { html, useEffect, useLayoutEffect } from "./vendor/preact.js";
import * as gen from "./generate.js";
import { accept, reject } from "./marks.js";
import { focusOn, guessScope, mainKey, Panel, scope, ScopeChoice, scopeOf, show, sizes } from "./panels.js";
import { Outcome, plural } from "./running.js";
import { go } from "./selection.js";
import { cursor, dataset, edition, search } from "./store.js";

/** Show the first proposal in the editor, in the panel's place, and the others in the grid. */
async function showAll() {
  await search("has:proposal");
  go(0);
  show("");
}

/** The failures of the generation that runs or ran last; a click finds their pictures. */
export function FailedKinds() {
  const kinds = gen.running.value?.figures.kinds ?? gen.last.value?.result?.kinds ?? {};
  const found = Object.entries(kinds);
  if (!found.length) return null;
  return html`<section aria-label="Failures"><h3>Failures</h3><ul class="kinds">
    ${found.map(([kind, count]) => html`<li key=${kind}><button title="find these pictures" onClick=${() => search(`failed:${kind}`)}>${kind}: ${number(/** @type {number} */ (count))}</button></li>`)}
  </ul></section>`;
}

/** What is to be decided about, with buttons for all of the scope. */
export function Waiting() {
  const count = dataset.value?.proposals ?? 0;
  if (!count) return null;
  const which = { selection: "those picked", filter: "those shown", all: "all", picture: "this one" }[scope.value];
  return html`<section class="waiting" aria-label="Proposals"><h3>${plural(count, "proposal")}</h3>
    <p class="buttons">
      <button title="each beside its picture, in the editor" onClick=${() => showAll()}>Show</button>
      <button onClick=${() => accept(scopeOf())}>Accept ${which}</button>
      <button onClick=${() => reject(scopeOf())}>Reject ${which}</button>
    </p></section>`;
}

/** Generations that were stopped, or whose studio ended. */
export function Unfinished() {
  if (gen.running.value || !gen.unfinished.value.length) return null;
  return html`<section aria-label="Unfinished"><ul class="list unfinished">
    ${gen.unfinished.value.map((one) => html`<li key=${one.id} class="line-of">
      <span>${one.choice.chain ?? one.choice.model}: stopped with ${plural(one.rows, "picture")} left; what was paid for is kept</span>
      <span class="buttons"><button onClick=${() => gen.resume(one.id)}>Continue</button> <button class="quiet" onClick=${() => gen.discard(one.id)}>Discard</button></span>
    </li>`)}
  </ul></section>`;
}

const KINDS = /** @type {const} */ ([
  ["here", "In cutline"],
  ["server", "Servers on this machine"],
  ["local", "Models on this machine"],
  ["hosted", "Services"],
]);
const POLICIES = /** @type {const} */ ([
  ["missing", "Only missing captions"],
  ["append", "Append to captions"],
  ["prepend", "Put before captions"],
  ["overwrite", "Replace captions"],
]);
const number = (/** @type {number} */ value) => value.toLocaleString("en");

export function GeneratePanel() {
  useLayoutEffect(() => { // before the next key
    guessScope();
    void gen.load();
    focusOn(".generate select");
  }, []);
  const row = scope.value === "picture" ? cursor.value : -1;
  useEffect(() => gen.count(), [scope.value, row, sizes.value, edition.value]);
  const start = () => gen.counts.value?.pictures && void gen.start();
  const problem = gen.problem.value || gen.miscount.value;
  return html`<${Panel} name="generate" title="Generate captions" main=${start}>
    <${Unfinished} />
    <div class="form">
      <${ScopeChoice} picture=${true} />
      <${Model} />
      ${!gen.form.value.chain && html`<${Prompt} />`}
      <${Parameters} />
      <${Policy} />
    </div>
    ${problem && html`<p class="notice" role="alert">${problem}</p>`}
    <${Start} />
    <${FailedKinds} />
    <${Waiting} />
    <${Outcome} />
  <//>`;
}

function Model() {
  const { model, chain, endpoint } = gen.form.value;
  const offer = gen.offer.value;
  const chosen = offer?.captioners.find((one) => one.model === model);
  const isOwn = Boolean(offer) && !chain && !chosen;
  const value = chain ? `chain ${chain}` : isOwn ? "own" : model;
  const choose = (/** @type {string} */ name) => {
    if (name.startsWith("chain ")) gen.choose({ chain: name.slice(6) });
    else if (name === "own") gen.choose({ chain: "", model: "" });
    else gen.choose({ chain: "", model: name, endpoint: "" });
  };
  return html`<label>Captioner
      <select value=${value} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
        ${KINDS.map(([kind, label]) => html`<optgroup label=${label}>
          ${offer?.captioners.filter((one) => one.kind === kind).map((one) => html`<option value=${one.model}>${one.model}${one.ready ? "" : " (not set up)"}</option>`)}
        </optgroup>`)}
        ${offer?.chains.length ? html`<optgroup label="Chains">${offer.chains.map((name) => html`<option value=${`chain ${name}`}>${name}</option>`)}</optgroup>` : null}
        <option value="own">Another model …</option>
      </select></label>
    ${isOwn && html`<label>Model <input type="text" value=${model} placeholder="provider:name" autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => gen.set({ model: event.target.value })} /></label>
      <label>Server <input type="text" value=${endpoint} placeholder="its own, or http://localhost:8000/v1" list="endpoints" autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {any} */ event) => gen.set({ endpoint: event.target.value })} />
        <datalist id="endpoints">${offer?.endpoints.map((one) => html`<option value=${one} />`)}</datalist></label>`}
    ${chosen && html`<p class="note">${chosen.needs ? `Not set up: ${chosen.needs}` : chosen.about}</p>`}`;
}

function Prompt() {
  const { prompt, text } = gen.form.value;
  const prompts = gen.prompts.value;
  const about = prompts.find((one) => one.name === prompt)?.about ?? (prompt ? "" : "the captioner's own prompt");
  return html`<label>Prompt
      <select value=${prompt} onChange=${(/** @type {any} */ event) => gen.set({ prompt: event.target.value })}>
        <option value="">Default</option>
        ${prompts.map(({ name }) => html`<option value=${name}>${name}</option>`)}
        <option value="own">A text of your own …</option>
      </select></label>
    ${prompt === "own"
      ? html`<label class="wide">Text of the prompt
          <textarea rows="3" value=${text} placeholder="Describe the picture. So far it says: {text}"
            onInput=${(/** @type {any} */ event) => gen.set({ text: event.target.value })}></textarea></label>
          <p class="note"><code>{text}</code> is the caption that is there, <code>{file_name}</code> and <code>{folder}</code> where the picture is.</p>`
      : about && html`<p class="note">${about}</p>`}`;
}

function Parameters() {
  return html`<label>Parameters
    <input type="text" value=${gen.form.value.parameters} placeholder="max_tokens=512, temperature=0.30" autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => gen.set({ parameters: event.target.value })} /></label>
    <label>Trigger word
    <input type="text" value=${gen.form.value.trigger} placeholder="begins every caption" autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => gen.set({ trigger: event.target.value })} /></label>`;
}

function Policy() {
  const { policy, write, replaces } = gen.form.value;
  const persons = gen.counts.value?.by_person ?? 0;
  return html`<label>Captions that are there
      <select value=${policy} onChange=${(/** @type {any} */ event) => gen.set({ policy: event.target.value, replaces: false })}>
        ${POLICIES.map(([name, label]) => html`<option value=${name}>${label}</option>`)}
      </select></label>
    ${policy === "overwrite" && html`<label class="tick"><input type="checkbox" checked=${replaces}
      onChange=${(/** @type {any} */ event) => gen.set({ replaces: event.target.checked })} /> Also what a person wrote${persons ? ` (${number(persons)})` : ""}</label>`}
    <label class="tick"><input type="checkbox" checked=${write} onChange=${(/** @type {any} */ event) => gen.set({ write: event.target.checked })} />
      Write at once, without proposals to accept</label>`;
}

function Counts() {
  const found = gen.counts.value;
  if (!found) return null;
  const out = [
    found.captioned && `${number(found.captioned)} have a caption or proposal`,
    found.by_person && `${number(found.by_person)} were written by a person`,
    found.locked && `${number(found.locked)} have texts that cannot be edited`,
  ].filter(Boolean);
  return html`<p class="figures" role="status">${plural(found.pictures, "picture")} to caption${out.length > 0 && `; left out: ${out.join(", ")}`}.
    ${found.probes !== undefined && ` About ${gen.duration(found.seconds)}, ${gen.spent(found)}, measured on ${plural(found.probes, "picture")}${found.failed ? `, of which ${number(found.failed)} failed` : ""}.`}</p>`;
}

function Start() {
  const job = gen.running.value;
  if (job) return html`<${Progress} job=${job} />`;
  const size = gen.counts.value?.pictures ?? 0;
  return html`<${Counts} /><footer>
    <button class="main" disabled=${size < 1 || gen.isStarting.value} title=${mainKey()} onClick=${gen.start}>${gen.form.value.write ? "Caption" : "Propose captions for"} ${number(size)}</button>
    <button disabled=${size < 1 || gen.isMeasuring.value} title="captions up to 8 pictures to measure time, tokens and cost" onClick=${() => gen.estimate(true)}>
      ${gen.isMeasuring.value ? "Measuring …" : "Estimate"}</button>
    ${gen.last.value && html`<span role="status">${gen.told(gen.last.value)}</span>`}
  </footer>`;
}

/** @param {{job: any}} props */
function Progress({ job }) {
  const { captions, failures, rate, eta, waiting_for: waiting } = job.figures;
  const pace = rate > 0 ? `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} a second${eta ? `, ${gen.duration(eta)} left` : ""}` : "";
  return html`<footer>
    <progress aria-label="Progress" max=${job.total} value=${job.done} />
    <button onClick=${gen.stop}>Stop</button>
    <p class="figures" role="status">${job.summary}: ${number(captions)} of ${number(job.total)}${failures ? `, ${number(failures)} failed` : ""}.${" "}
      ${[pace, gen.spent(job.figures), waiting].filter(Boolean).join("; ")}</p>
  </footer>`;
}
