// @ts-check
/** What the map knows: points, clusters, colours, and what of it is selected. */

import { batch, effect, signal } from "./vendor/preact.js";
import { bytes, find, get, send } from "./api.js";
import { clustersOf, joined, lassoOf, withClusters, withLasso } from "./filter_text.js";
import { hold } from "./held_keys.js";
import { panel } from "./panels.js";
import { ended } from "./running.js";
import { NONE } from "./scatter_paint.js";
import { go, keepSet, setName } from "./selection.js";
import { dataset, edition, filterBy, heard, left, notice, opening, query, result, search } from "./store.js";

const AT_ONCE = 20_000; // points that t-SNE arranges without having to be started
const PAUSE = 200; // ms
const JOB = /^(compute the map|lay the map out|find near duplicates|compare (the )?captions)/;

/**
 * @typedef {{number: number, name: string, color: string, size: number, share: number, missing_captions: number, terms: string[], middle: number[], edge: number[]}} Cluster
 * `stale`: rows to compute; `models`: about each, by what it embeds.
 * @typedef {{of: "captions" | "images" | null, model: string | null, layout: string | null, rows: number, embedded: number, stale: number, version: number, notice: string,
 *   clusters: Cluster[], count: number, most: number, failed: [string, string][], failed_count: number, models: Record<"captions" | "images", Record<string, string>>}} MapState
 */

export const map = signal(/** @type {MapState | null} */ (null));
export const problem = signal("");
export const points = signal(new Float32Array());
export const labels = signal(new Uint8Array());
export const stale = signal(new Int32Array());
/** The number of clusters that was chosen last. */
export const count = signal(20);
export const suggestion = signal(/** @type {{count: number | null, curve: [number, number][]} | null} */ (null));
export const isSuggesting = signal(false);
export const job = signal(/** @type {number | null} */ (null));
/** Of the points: a byte each, 0 dimmed; null: none is. */
export const selected = signal(/** @type {Uint8Array | null} */ (null));
/** The cluster that is looked at, by its number. */
export const focus = signal(/** @type {number | null} */ (null));
export const isWide = signal(false);
/** What is below the map, or beside it: clusters, what is alike, or the editor. */
export const side = signal("clusters");
/** A picture that was clicked and is not in the selection. */
export const outside = signal(/** @type {number | null} */ (null));

/** The largest first. @param {Cluster[]} clusters */
const bySize = (clusters) => [...clusters].sort((a, b) => b.size - a.size || a.number - b.number);
const failed = (/** @type {unknown} */ error) => void (problem.value = /** @type {Error} */ (error).message);
export const fail = failed;

const labelsOf = async () => new Uint8Array(await bytes("studio/map/labels"));

/** The job that is shown, which both who started it and a load of the map may follow. @type {{number: number, over: Promise<boolean>} | null} */
let followed = null;
let turn = 0;
let isUnloaded = false; // as the last load has failed
/** The load that was begun last. */
let loading = Promise.resolve();

/** Load the map as it is now; waits for those loads too that begin meanwhile, of which the last one counts. */
export async function load() {
  loading = loadOnce();
  for (let seen = null; seen !== loading; ) await (seen = loading);
}

async function loadOnce() {
  const mine = (turn += 1);
  const began = recounts;
  try {
    const [now, running] = /** @type {[MapState, any[]]} */ (await Promise.all([get("studio/map"), get("studio/jobs")]));
    const isThere = now.layout !== null;
    const [found, groups, old] = isThere
      ? await Promise.all([bytes("studio/map/points"), labelsOf(), now.stale ? bytes("studio/map/stale") : new ArrayBuffer(0)])
      : [new ArrayBuffer(0), new Uint8Array(), new ArrayBuffer(0)];
    if (mine !== turn) return;
    const before = map.value;
    if (began !== recounts) return void (loading = loadOnce()); // other clusters came meanwhile
    batch(() => {
      [map.value, labels.value, stale.value] = [{ ...now, clusters: bySize(now.clusters) }, groups, new Int32Array(old)];
      if (isUnloaded) [isUnloaded, problem.value] = [false, ""]; // what else was wrong is still to be read
      const next = new Float32Array(found);
      if (!same(next, points.value)) points.value = next;
      if (!isCounting && isThere) count.value = now.count;
    });
    const started = running.find((one) => !one.is_over && JOB.test(one.summary)); // also by another tab, or before a reload
    if (started) void follow(started.job);
    if (!before || before.version === now.version) return;
    if (before.of === now.of && before.model === now.model) await followClusters(before.clusters);
    else await leaveClusters();
  } catch (error) {
    if (mine !== turn) return;
    isUnloaded = true;
    failed(error);
  }
}

/** Filter again by the clusters that the filter names: they may be called otherwise now, or have other pictures. @param {Cluster[]} before */
async function followClusters(before) {
  const names = clustersOf(query.value);
  if (!names.length) return;
  const numbers = new Map(before.map((one) => [one.name, one.number]));
  const now = names.map((name) => map.value?.clusters.find((one) => one.number === numbers.get(name))?.name ?? name);
  await search(String(now) === String(names) ? query.value : withClusters(query.value, now), true);
}

/** Clusters of another map have nothing to do with those that the filter names: keep the pictures that it has, as a set. */
async function leaveClusters() {
  suggestion.value = null;
  if (!clustersOf(query.value).length) return;
  const name = setName("cluster");
  const kept = result.value.filter((row) => !left.value.has(row));
  if (!(await keepSet(name, Int32Array.from(kept)))) return;
  await search(`in:${name}`);
  notice.value = `This map has other clusters: the filter keeps its ${kept.length.toLocaleString("en")} pictures as the set ${name}.`;
}

/** @param {Float32Array} one @param {Float32Array} other */
function same(one, other) {
  if (one.length !== other.length) return false;
  const [a, b] = [new Int32Array(one.buffer), new Int32Array(other.buffer)];
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

heard.set("map", ({ version }) => panel.value === "map" && !isCounting && version !== map.value?.version && void load());
opening.subscribe(() => {
  turn += 1;
  followed = null; // a restarted studio numbers from 1
  batch(() => {
    [map.value, points.value, labels.value] = [null, new Float32Array(), new Uint8Array()];
    [suggestion.value, focus.value, outside.value, problem.value] = [null, null, null, ""];
  });
});

/** Show a job until it has ended; whether it went well. @param {number | null} number */
export async function follow(number) {
  if (number === null) return true;
  if (followed?.number !== number) followed = { number, over: showJob(number) };
  return followed.over;
}

/** @param {number} number */
async function showJob(number) {
  job.value = number;
  const state = await ended(number);
  if (job.value !== number) return false;
  job.value = null;
  await load();
  if (state.problem) problem.value = state.problem;
  return !state.problem;
}

/** Compute what is missing, the plane and the clusters; then the points move to where t-SNE has them. @param {string} of @param {string} model */
export async function compute(of, model) {
  if (job.value !== null) return;
  problem.value = "";
  try {
    const started = await send("studio/map", { of, model });
    if (started.job === null) await load();
    else if (!(await follow(started.job))) return;
    if (map.value?.layout === "pca" && map.value.embedded <= AT_ONCE) await arrange();
  } catch (error) {
    failed(error);
  }
}

/** Move the points to where t-SNE has them. */
export async function arrange() {
  problem.value = "";
  try {
    await follow((await send("studio/map/layout", { kind: "t-sne" })).job);
  } catch (error) {
    failed(error);
  }
}

export const stop = () => job.value !== null && send(`studio/jobs/${job.value}`, undefined, "DELETE").catch(failed);

let isCounting = false;
let recounts = 0; // that have ended
/** @type {number | null} */
let wanted = null;

/** Find so many clusters; of several requests the newest counts. @param {number} number */
export async function recount(number) {
  wanted = number;
  count.value = number;
  if (isCounting) return;
  isCounting = true;
  const before = map.value?.clusters ?? [];
  try {
    while (wanted !== null) {
      const next = wanted;
      wanted = null;
      const found = await send("studio/map/clusters", { count: next });
      const groups = await labelsOf();
      if (!map.value) break;
      recounts += 1;
      batch(() => {
        map.value = { .../** @type {MapState} */ (map.value), clusters: bySize(found.clusters), version: found.version, count: found.count };
        [labels.value, focus.value, problem.value] = [groups, null, ""];
        if (wanted === null) count.value = found.count; // there may be fewer points
      });
    }
    await followClusters(before);
  } catch (error) {
    failed(error);
  } finally {
    isCounting = false;
  }
}

/** @param {number} number @param {string} name */
export async function rename(number, name) {
  const before = map.value?.clusters.find((one) => one.number === number)?.name;
  if (!map.value || name === before) return true;
  try {
    await send(`studio/map/clusters/${number}`, { name }, "PUT");
    await load();
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

/** Compute which number of clusters fits, with its curve. */
export async function suggest() {
  isSuggesting.value = true;
  try {
    suggestion.value = await get("studio/map/suggestion");
  } catch (error) {
    failed(error);
  } finally {
    isSuggesting.value = false;
  }
}

/** Select a cluster and no other; it alone once more: not any more. With Shift it is added, with Alt left out. @param {Cluster} cluster @param {{shiftKey: boolean, altKey: boolean}} event */
export function isolate({ name }, { shiftKey, altKey }) {
  const names = clustersOf(query.value);
  const isOn = names.includes(name);
  focus.value = null;
  if (altKey) return void search(withClusters(`${query.value} -${withClusters("", [name])}`.trim(), names.filter((one) => one !== name)));
  if (shiftKey) return void search(withClusters(query.value, isOn ? names.filter((one) => one !== name) : [...names, name]));
  return void search(withClusters(query.value, isOn && names.length === 1 ? [] : [name]));
}

/** @param {ArrayLike<number>} rows @param {number} length */
function maskOf(rows, length) {
  const mask = new Uint8Array(length);
  for (let at = 0; at < rows.length; at += 1) mask[rows[at]] = 1;
  return mask;
}

/** Keep a set of pictures by the next free name. @param {Uint8Array} mask */
async function keep(mask) {
  let at = 0;
  const all = new Int32Array(mask.length);
  for (let row = 0; row < mask.length; row += 1) if (mask[row]) all[at++] = row;
  const rows = all.slice(0, at);
  const name = setName("lasso");
  return (await keepSet(name, rows)) ? name : "";
}

/** What was drawn round is joined with what was before. @type {Promise<void>} */
let drawing = Promise.resolve();

/** Select what was drawn round. @param {Uint8Array} inside a byte for each point @param {import("./filter_text.js").Joining} how */
export async function area(inside, how) {
  if (!inside.includes(1)) return void (problem.value = "No point is inside.");
  const now = selected.value;
  if (how === "new") selected.value = inside; // at once; what the query finds follows
  else if (now || how === "take") selected.value = joined(inside, now ?? new Uint8Array(inside.length).fill(1), false, how);
  return hold((drawing = drawing.then(() => keepArea(inside, how))));
}

/** @param {Uint8Array} inside @param {import("./filter_text.js").Joining} how */
async function keepArea(inside, how) {
  const text = query.value;
  const before = how === "new" ? null : lassoOf(text);
  try {
    const rows = before && maskOf(await find(`in:${before.name}`), inside.length);
    const name = await keep(joined(inside, rows, before?.isOut ?? false, how));
    if (name) await search(withLasso(text, name, how));
    else select();
    problem.value = "";
  } catch (error) {
    failed(error);
    select();
  }
}

/** Whether a mask has these rows and no others. @param {Uint8Array} mask @param {ArrayLike<number>} rows */
function hasOnly(mask, rows) {
  let count = 0;
  for (let row = 0; row < mask.length; row += 1) count += mask[row];
  if (count !== rows.length) return false;
  for (let at = 0; at < rows.length; at += 1) if (!mask[rows[at]]) return false;
  return true;
}

/** Dim what the query does not select. */
function select() {
  const total = dataset.value?.rows ?? 0;
  const now = selected.peek();
  if (now && now.length === total && query.peek().trim() && hasOnly(now, result.value)) return; // of 1,000,000 points it takes 0.1 s
  selected.value = query.peek().trim() && result.value.length < total ? maskOf(result.value, total) : null;
}

/** Open a point's picture in the editor beside the map. @param {number} row */
export function visit(row) {
  const place = result.value.indexOf(row);
  outside.value = place < 0 ? row : null;
  if (place < 0) return;
  go(place);
  side.value = "picture";
}

/** Leave the filter, which does not select a picture, and open it. @param {number} row */
export async function leaveFilter(row) {
  await search("");
  visit(row);
}

let looking = 0;
effect(() => {
  void result.value; // and not the query, which is ahead of it: what is drawn round stays as it is until it was found
  if (panel.value === "map") select();
});
effect(() => {
  void edition.value; // captions have changed: their points are not where they should be
  clearTimeout(looking);
  if (panel.value === "map" && edition.value) looking = setTimeout(load, PAUSE);
});
export const labelOf = (/** @type {number} */ row) => map.value?.clusters.find((one) => one.number === (labels.value[row] ?? NONE)) ?? null;

/** @typedef {{text: string, count: number, color: string, term?: string}} Entry */

/** The number of the colour of each point; those of the clusters, where none were chosen. */
export const colors = signal(/** @type {{numbers: Uint8Array<ArrayBuffer>, legend: Entry[]} | null} */ (null));
export const by = signal("cluster");
export const keyword = signal("");
/** Another set of captions, with which those of the dataset are compared, and all that there are. */
export const other = signal("");
export const others = signal(/** @type {string[]} */ ([]));

opening.subscribe(() => {
  batch(() => ([colors.value, by.value, other.value, others.value] = [null, "cluster", "", []]));
});
effect(() => {
  if (map.value && by.peek() !== "cluster") void color(); // points, captions or marks have changed
});

/** Look which sets of captions there are beside the dataset's own. */
export const findOthers = () => get("studio/compare").then((names) => (others.value = names.filter((/** @type {string} */ name) => name !== "captions")), () => {});

/** Colour the points by what `by` says. */
export async function color() {
  const [kind, words, set] = [by.value, keyword.value.trim(), other.value];
  if (kind === "cluster" || (kind === "keyword" && !words) || (kind === "set" && !set)) {
    colors.value = null;
    return;
  }
  try {
    const found = await send("studio/map/colors", { by: kind, ...(kind === "keyword" && { keyword: words }), ...(kind === "set" && { set }) });
    const numbers = new Uint8Array(await bytes(found.colors.replace(/^\//, "")));
    if (kind !== by.value || words !== keyword.value.trim() || set !== other.value) return;
    batch(() => ([colors.value, problem.value] = [{ numbers, legend: found.legend }, ""]));
  } catch (error) {
    fail(error);
  }
}

/** Select the points of a colour. @param {number} number @param {{altKey: boolean, shiftKey: boolean}} event */
export async function isolateColor(number, event) {
  const found = colors.value;
  const term = found?.legend[number]?.term;
  if (term) await filterBy(term, event);
  else if (found) await area(found.numbers.map((one) => (one === number ? 1 : 0)), event.altKey ? "take" : event.shiftKey ? "add" : "new");
}
