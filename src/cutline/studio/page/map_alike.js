// @ts-check
/** What is alike on the map, and what is not: more like one picture, outliers, near duplicates, a sample, and two sets of captions. */

import { html, signal, useEffect } from "./vendor/preact.js";
import { get, send, upload } from "./api.js";
import { fail, findOthers, follow, job, map, others, visit } from "./map.js";
import { Picture } from "./picture.js";
import { plural } from "./running.js";
import { current, filterBy, opening, rows, search, want } from "./store.js";

const SHOWN = 60; // pictures, groups, or pairs of captions
const LISTED = 20; // pictures at first
const SIDE = 64; // px

/**
 * What was found last: `groups` of rows, or `rows` with their `scores`; `name`: the set that they can become, without
 * the first of each group.
 * @typedef {{title: string, name: string, rows: number[], scores?: number[], groups?: number[][], texts?: (string | null)[], gained?: string[], lost?: string[]}} Found
 */
const found = signal(/** @type {Found | null} */ (null));
const text = signal("");
const least = signal("0.95");
const count = signal("100");
const most = signal(String(LISTED));
opening.subscribe(() => (found.value = null));
/** Whose points they are: what was found among others goes with them. */
let points = "";
map.subscribe((now) => {
  const next = `${now?.of} ${now?.model}`;
  if (now && next !== points) [points, found.value] = [next, null];
});

const whole = (/** @type {import("./vendor/preact.js").Signal<string>} */ typed) => Math.max(1, Math.round(Number(typed.value)) || 1);
const listed = () => Math.min(whole(most), 1000);
const number = (/** @type {number} */ value) => value.toLocaleString("en");

/** @param {() => Promise<Found | null>} look */
async function start(look) {
  try {
    found.value = await look();
    if (found.value) want((found.value.groups?.slice(0, SHOWN).flat() ?? found.value.rows).slice(0, 4 * SHOWN), "map-alike");
  } catch (error) {
    fail(error);
  }
}

const like = (/** @type {import("./store.js").Row} */ one) => start(async () => {
  const { rows, scores } = await send("studio/map/similar", { row: one.row, limit: listed() });
  return { title: `Like ${one.key}`, name: "alike", rows, scores };
});

const meaning = () => start(async () => {
  const { rows, scores } = await send("studio/map/search", { text: text.value, limit: listed() });
  return { title: `Nearest to “${text.value.trim()}”`, name: "meaning", rows, scores };
});

const fit = () => start(async () => {
  if (!(await follow((await send("studio/map/fit")).job))) return null;
  const { rows, scores } = await get(`studio/map/fit?limit=${listed()}`);
  return { title: "Captions that fit their pictures least", name: "fits least", rows, scores };
});

const outliers = () => start(async () => {
  const { rows, scores } = await send("studio/map/outliers", { limit: listed() });
  const title = rows.length ? "Farthest from the middle of their cluster, in usual distances" : "None is farther than usual from the middle of its cluster";
  return { title, name: "outliers", rows, scores };
});

const duplicates = () => start(async () => {
  if (!(await follow((await send("studio/map/duplicates", { least: Number(least.value) })).job))) return null;
  const { groups } = await get("studio/map/duplicates");
  const rest = groups.flatMap((/** @type {number[]} */ group) => group.slice(1));
  return { title: `${plural(groups.length, "group")} of near duplicates`, name: "near duplicates", rows: rest, groups };
});

const sample = () => start(async () => {
  const { rows } = await send("studio/map/sample", { count: whole(count) });
  return { title: `${plural(rows.length, "picture")}, as many of each cluster as can be`, name: "sample", rows };
});

const differences = (/** @type {string} */ name) => start(async () => {
  if (!(await follow((await send("studio/map/difference", { set: name })).job))) return null;
  const { rows, scores, texts, gained, lost } = await get("studio/map/difference");
  return { title: `Where ${name.split("/").pop()} says something else`, name: "differs most", rows, scores, texts, gained, lost };
});

/** Make what was found a set, and filter by it. @param {Found} what */
async function select(what) {
  try {
    await upload(`studio/sets/${encodeURIComponent(what.name)}`, Int32Array.from(what.rows));
    await search(`in:${/\s/.test(what.name) ? `"${what.name}"` : what.name}`);
  } catch (error) {
    fail(error);
  }
}

export function Alike() {
  const one = current.value;
  useEffect(() => void findOthers(), [map.value?.version]);
  const knowsWords = map.value?.of === "captions" || map.value?.model?.startsWith("clip");
  const busy = job.value !== null;
  const type = (/** @type {import("./vendor/preact.js").Signal<string>} */ signal) => (/** @type {any} */ event) => (signal.value = event.target.value);
  return html`<div class="alike">
    <div class="tools">
      <button disabled=${!one || busy} onClick=${() => one && like(/** @type {any} */ (one))}>More like this</button>
      ${knowsWords && html`<form class="group" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), text.value.trim() && meaning())}>
        <input type="text" aria-label="Search by meaning" placeholder="people eating outside" value=${text.value} autocomplete="off" onInput=${type(text)} />
        <button disabled=${busy} title="What is nearest to these words in meaning">Search</button></form>`}
      ${knowsWords && map.value?.of === "images" && html`<button disabled=${busy} onClick=${fit}>Captions that fit least</button>`}
      <button disabled=${busy} title="The farthest from the middle of their cluster" onClick=${outliers}>Outliers</button>
      <label title="Of pictures alike, nearest to words, and farthest">At most <input type="number" aria-label="Pictures listed at most" min="1" max="1000" value=${most.value} onInput=${type(most)} /></label>
      <span class="group"><button disabled=${busy} onClick=${duplicates}>Near duplicates</button>
        <input type="number" aria-label="Least cosine of near duplicates" min="0.5" max="1" step="0.01" value=${least.value} onInput=${type(least)} /></span>
      <span class="group"><button disabled=${busy} title="Pictures of all clusters alike" onClick=${sample}>Sample of</button>
        <input type="number" aria-label="Pictures of the sample" min="1" value=${count.value} onInput=${type(count)} /></span>
      ${map.value?.of === "captions" && others.value.length > 0 && html`<label>Compare with <select value="" disabled=${busy} onChange=${(/** @type {any} */ event) => event.target.value && differences(event.target.value)}>
        <option value="">a set of captions</option>${others.value.map((name) => html`<option key=${name} value=${name}>${name.split("/").pop()}</option>`)}</select></label>`}
    </div>
    ${found.value && html`<${Result} what=${found.value} />`}
  </div>`;
}

/** @param {{what: Found}} props */
function Result({ what }) {
  const total = what.groups?.length ?? what.rows.length;
  const more = total > SHOWN ? `, the first ${SHOWN} shown` : "";
  return html`<p class="line-of"><span role="status">${what.title}${more}</span>
      ${what.rows.length > 0 && html`<button title=${`Filter by in:"${what.name}", which edits, export and marks can take`} onClick=${() => select(what)}>Select ${what.groups ? `all but the first of each, ${number(what.rows.length)}` : number(what.rows.length)}</button>`}</p>
    ${what.gained && html`<${Terms} title="Said more often there" terms=${what.gained} /><${Terms} title="Said more often here" terms=${what.lost ?? []} />`}
    <ul class=${what.texts ? "list pairs" : "list found"} tabindex="0" aria-label=${what.title}>
      ${what.groups
        ? what.groups.slice(0, SHOWN).map((group) => html`<li key=${group[0]} class="examples"><span>${group.slice(0, 12).map((row) => html`<${Shown} key=${row} row=${row} />`)}</span>${group.length > 12 && html`<span class="figures">and ${number(group.length - 12)}</span>`}</li>`)
        : what.rows.slice(0, SHOWN).map((row, place) => html`<li key=${row} class="examples"><span><${Shown} row=${row} />${what.texts && html`<span class="both"><q>${rows.value.get(row)?.caption ?? ""}</q><q>${what.texts[place]}</q></span>`}</span>
            ${what.scores && html`<span class="figures">${what.scores[place].toFixed(2)}</span>`}</li>`)}
    </ul>`;
}

/** @param {{row: number}} props */
function Shown({ row }) {
  const one = rows.value.get(row);
  return html`<button class="quiet" aria-label=${`Open ${one?.key ?? `row ${row}`}`} title=${one?.caption ?? ""} onClick=${() => visit(row)}>
    <${Picture} src=${`studio/thumbnails/${row}`} alt="" height=${SIDE} /></button>`;
}

/** @param {{title: string, terms: string[]}} props */
function Terms({ title, terms }) {
  if (!terms.length) return null;
  return html`<p class="facets"><span class="figures">${title}</span> ${terms.map((term) => html`<button key=${term} class="quiet" onClick=${(/** @type {MouseEvent} */ event) => filterBy(`"${term}"`, event)}>${term}</button>`)}</p>`;
}
