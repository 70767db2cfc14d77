// @ts-check
/** The panel that sets the captions of two or three sources beside each other: the better one is picked by key. */

import { batch, computed, html, signal, useEffect } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { differences } from "./difference.js";
import { hold } from "./held_keys.js";
import { register } from "./keys.js";
import { focusOn, mainKey, Panel, panel } from "./panels.js";
import { Picture } from "./picture.js";
import { Outcome, run } from "./running.js";
import { cursor, edition, filterBy, notice, opening, result } from "./store.js";

const PART = 50; // pictures that are loaded at once

/** @typedef {{row: number, key: string, texts: (string | null)[], names: string[] | null, place: number | null}} Compared */

const sets = signal(/** @type {string[]} */ ([]));
const chosen = signal(/** @type {string[]} */ (["captions"]));
const other = signal("");
const blind = signal(false);
const problem = signal("");
/** The comparison that is open. @type {import("./vendor/preact.js").Signal<{comparison: number, sets: string[], rows: number, next: number, blind: boolean} | null>} */
const open = signal(/** @type {any} */ (null));
const found = signal(/** @type {Map<number, Compared>} */ (new Map())); // by place
const place = signal(0);
const tally = signal(/** @type {any} */ (null));
/** The words gained and lost from the first set to the second; null where they are not shown. */
const changes = signal(/** @type {any} */ (null));
opening.subscribe(() => (open.value = null)); // row numbers are those of another folder
/** Whether the grid would tell which text is the caption that is open. */
export const isBlind = computed(() => panel.value === "compare" && Boolean(open.value?.blind) && place.value < (open.value?.rows ?? 0));

/** The grid shows the picture that is compared. */
function follow() {
  const row = found.value.get(place.value)?.row;
  const at = row === undefined ? -1 : result.value.indexOf(row);
  if (at >= 0) cursor.value = at;
}

/** Open the comparison; the next keys are about its first picture. */
function start() {
  if (!isStarting) void hold(begin()).finally(() => (isStarting = false));
  isStarting = true;
}
let isStarting = false;

async function begin() {
  problem.value = "";
  const names = [...chosen.value, ...(other.value.trim() ? [other.value.trim()] : [])];
  try {
    const now = await send("studio/compare", { sets: names, blind: blind.value });
    batch(() => ([open.value, found.value, tally.value, changes.value, place.value] = [now, new Map(), null, null, now.next]));
    await load(now.next);
    follow();
    focusOn(".compare .texts");
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}

/** @param {number} at */
async function load(at) {
  const now = open.value;
  if (!now || found.value.has(at) || at >= now.rows) return;
  const rows = await get(`studio/compare/${now.comparison}?start=${at}&count=${PART}`);
  if (now !== open.value) return;
  const next = new Map(found.value);
  rows.forEach((/** @type {Compared} */ one, /** @type {number} */ number) => next.set(at + number, one));
  found.value = next;
}

/** @param {number} at */
async function go(at) {
  const now = open.value;
  if (!now) return;
  place.value = Math.max(0, Math.min(now.rows, at));
  try {
    if (place.value === now.rows) await count(now.comparison);
    else if (!found.value.has(place.value)) await hold(load(place.value)); // the next key is about it
    follow();
    const after = found.value.get(place.value + 1);
    if (after) new Image().src = `studio/pictures/${after.row}`;
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}

/** Picks are kept in their order: one may replace the one before. @type {Promise<unknown>} */
let keeping = Promise.resolve();

/** Count the picks, once all are kept. @param {number} comparison */
async function count(comparison) {
  await keeping;
  const found = await get(`studio/compare/${comparison}/tally`);
  if (open.value?.comparison === comparison) tally.value = found;
}

let picks = 0; // made here

/** Show what was picked in another tab, or taken back. */
async function catchUp() {
  const [now, at, made] = [open.value, place.value, picks];
  await keeping;
  if (!now || made !== picks) return; // what was picked since has an event of its own
  try {
    /** @type {Compared[]} */
    const rows = at < now.rows ? await get(`studio/compare/${now.comparison}?start=${at}&count=${PART}`) : [];
    if (at === now.rows) await count(now.comparison);
    if (now === open.value && made === picks) found.value = new Map(rows.map((one, number) => [at + number, one]));
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}

/** Pick a text, 0 for none, and go on at once. @param {number} which */
function pick(which) {
  const [now, shown, at] = [open.value, found.value.get(place.value), place.value];
  if (panel.value !== "compare" || !now || !shown || which > shown.texts.length || (which && shown.texts[which - 1] === null)) return;
  picks += 1;
  found.value = new Map(found.value).set(at, { ...shown, place: which });
  keeping = keeping.then(() => send(`studio/compare/${now.comparison}/picks/${shown.row}`, { place: which }, "PUT")).catch((error) => {
    if (now !== open.value) return;
    notice.value = `Not kept: ${error.message}`;
    found.value = new Map(found.value).set(at, shown);
    void go(at);
  });
  if (at + 1 < now.rows) void go(at + 1);
  else void hold(keeping.then(() => void (found.value.get(at)?.place === which && go(at + 1))));
}

for (const which of [1, 2, 3, 0]) {
  register({ id: `best-${which}`, keys: [String(which)], text: which ? `compare: text ${which} is the best` : "compare: none is good", group: "Compare", run: () => pick(which) });
}
register({ id: "compare-back", keys: ["Backspace"], text: "compare: the picture before", group: "Compare", grid: true, run: () => panel.value === "compare" && void go(place.value - 1) });

/** @param {string} outcome */
const use = (outcome) => open.value && run(`studio/compare/${open.value.comparison}/use`, { outcome }, () => {});

export function ComparePanel() {
  useEffect(() => void catchUp(), [edition.value]);
  useEffect(() => {
    get("studio/compare").then((names) => (sets.value = names), (error) => (problem.value = error.message));
    if (!open.value) focusOn(".compare input");
  }, []);
  return html`<${Panel} name="compare" title="Compare" main=${() => !open.value && isChosen() && start()}>
    ${problem.value && html`<p class="notice" role="alert">${problem.value}</p>`}
    ${!open.value ? html`<${Choice} />` : changes.value ? html`<${Words} />` : place.value >= open.value.rows ? html`<${Result} />` : html`<${Texts} />`}
    <footer><${Outcome} /></footer>
  <//>`;
}

async function countWords() {
  try {
    changes.value = await get(`studio/compare/${open.value?.comparison}/words`);
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}

/** Which words the second set has more often than the first, and less often. */
function Words() {
  const { before, after, gained, lost } = changes.value;
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)}%`;
  const list = (/** @type {string} */ title, /** @type {any[]} */ terms, /** @type {boolean} */ isLost) => html`<table aria-label=${title}>
    <caption>${title}</caption><thead><tr><th>Term</th><th title=${before}>Before</th><th title=${after}>After</th></tr></thead>
    <tbody>${terms.map((one) => html`<tr key=${one.term}><th scope="row"><button class="quiet term" title="Click: filter, Alt-click: leave out" onClick=${(/** @type {MouseEvent} */ event) => filterBy(`"${one.term}"`, event)}>${one.term}</button></th>
      <td>${percent(isLost ? one.share : one.rest)}</td><td>${percent(isLost ? one.rest : one.share)}</td></tr>`)}</tbody></table>`;
  return html`<p class="line-of"><span class="count">From ${before} to ${after}</span> <button onClick=${() => (changes.value = null)}>Back</button></p>
    <div class="list terms gained" tabindex="0" role="region" aria-label="Words gained and lost">${list("Gained", gained, false)}${list("Lost", lost, true)}</div>`;
}

const countOf = () => chosen.value.length + (other.value.trim() ? 1 : 0);
const isChosen = () => countOf() > 1 && countOf() < 4;

function Choice() {
  const toggle = (/** @type {string} */ name) => {
    chosen.value = chosen.value.includes(name) ? chosen.value.filter((one) => one !== name) : [...chosen.value, name];
  };
  return html`<div class="form">
    <fieldset class="sets"><legend>Two or three sets of captions</legend>
      ${sets.value.length < 2 && html`<p class="note">Outputs of runs in the folder or beside it, and texts with another ending such as .caption, are listed here.</p>`}
      ${sets.value.map((name) => html`<label class="tick" key=${name}><input type="checkbox" checked=${chosen.value.includes(name)} onChange=${() => toggle(name)} />
        <span title=${name}>${name === "captions" ? "the captions that are open" : name.split("/").pop()}</span></label>`)}
    </fieldset>
    <label>Another output of a run
      <input type="text" value=${other.value} placeholder="its path" autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {any} */ event) => (other.value = event.target.value)} /></label>
    <label class="tick"><input type="checkbox" checked=${blind.value} onChange=${(/** @type {any} */ event) => (blind.value = event.target.checked)} /> Blind: hide which is which until the end</label>
    <button class="main" disabled=${!isChosen()} title=${mainKey()} onClick=${start}>Compare</button>
  </div>`;
}

function Texts() {
  const shown = found.value.get(place.value);
  if (!shown || !open.value) return html`<p class="note">Loading…</p>`;
  return html`<p class="line-of"><span class="count">${(place.value + 1).toLocaleString("en")} of ${open.value.rows.toLocaleString("en")} · <bdi>${shown.key}</bdi></span>
      <span>${!open.value.blind && html`<button title="Words gained and lost" onClick=${countWords}>Words</button> `}<button disabled=${!place.value} onClick=${() => go(place.value - 1)}>Back</button> <button onClick=${() => go(open.value?.rows ?? 0)}>Who wins</button></span></p>
    <div class="stage"><${Picture} src=${`studio/pictures/${shown.row}`} alt=${shown.key} /></div>
    <ol class="texts" tabindex="-1" aria-label="Captions">
      ${shown.texts.map((text, number) => html`<li key=${number}>
        <button aria-pressed=${shown.place === number + 1} disabled=${text === null} onClick=${() => pick(number + 1)}>${number + 1}</button>
        <p>${shown.names && html`<span class="name">${shown.names[number]}</span>`}<${Marked} texts=${shown.texts} number=${number} /></p></li>`)}
      <li><button aria-pressed=${shown.place === 0} onClick=${() => pick(0)}>0</button><p>None is good</p></li>
    </ol>`;
}

/** One text, with the words marked that the first one lacks; of the first those that the second lacks. @param {{texts: (string | null)[], number: number}} props */
function Marked({ texts, number }) {
  if (texts[number] === null) return html`<span class="note">no caption</span>`;
  const [before, after, own] = number ? [texts[0], texts[number], "added"] : [texts[0], texts[1], "removed"];
  return differences(before ?? "", after ?? "").filter(({ kind }) => kind === "same" || kind === own)
    .map(({ kind, text }) => (kind === own ? html`<mark>${text}</mark>` : text));
}

function Result() {
  const now = tally.value;
  const at = open.value?.comparison;
  if (!now) return html`<p class="note">Counting…</p>`;
  const percent = (/** @type {number} */ share) => `${Math.round(100 * share)} %`;
  return html`<h3 role="status">${now.verdict}</h3>
    <table><thead><tr><th>Set</th><th>Picked</th><th>Share</th><th>95 % interval</th></tr></thead>
      <tbody>${now.standings.map((/** @type {any} */ one) => html`<tr key=${one.name}><th scope="row">${one.name}</th><td>${one.picked}</td><td>${percent(one.share)}</td><td>${percent(one.low)} to ${percent(one.high)}</td></tr>`)}</tbody></table>
    <p class="figures">${now.picked} of ${now.rows} compared, ${now.none} with none good.</p>
    <p class="form"><button class="main" onClick=${() => use("caption")}>Use what was picked</button> <button onClick=${() => use("proposal")}>Propose it</button>
      <a href=${`studio/compare/${at}/tally?format=csv`} download>CSV</a> <a href=${`studio/compare/${at}/tally`} download="comparison.json">JSON</a></p>
    <p class="form"><button onClick=${() => go(0)}>Look again</button> <button onClick=${() => (open.value = null)}>Other sets</button></p>`;
}
