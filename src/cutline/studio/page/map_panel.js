// @ts-check
/** The panel of the map: what is on it, its colours, and the clusters, each of which can be selected and renamed. */

import { html, signal, useComputed, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { send } from "./api.js";
import { Editor } from "./editor.js";
import { clustersOf } from "./filter_text.js";
import { tip } from "./keys.js";
import * as state from "./map.js";
import { Alike } from "./map_alike.js";
import { choose, mode, Plot, reset, zoom } from "./map_plot.js";
import { focusOn, Panel, show } from "./panels.js";
import { Picture } from "./picture.js";
import { JobProgress, plural } from "./running.js";
import { edition, filterBy, jobs, mistake, query, result, rows, want } from "./store.js";
import { stopWords } from "./terms.js";

const BY = /** @type {const} */ ([
  ["cluster", "cluster"],
  ["keyword", "keywords"],
  ["words", "number of words"],
  ["model", "model"],
  ["status", "status"],
  ["folder", "folder"],
  ["set", "caption set"],
]);
const MOST = 60; // clusters, by the slider
const NEEDS_WEIGHTS = /^(clip|sentence-bert|resnet)/;
const number = (/** @type {number} */ value) => value.toLocaleString("en");
const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const valueOf = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).value;
/** Keys that a slider has itself. */
const own = (/** @type {KeyboardEvent} */ event) => /^(Arrow|Home|End|Page)/.test(event.key) && event.stopPropagation();

export function MapPanel() {
  useEffect(() => void state.load(), []);
  const now = state.map.value;
  const isThere = now?.layout != null;
  useEffect(() => {
    document.querySelector(".work")?.classList.toggle("wide", state.isWide.value);
    return () => document.querySelector(".work")?.classList.remove("wide");
  }, [state.isWide.value]);
  useLayoutEffect(() => {
    if (now) focusOn(isThere ? ".plot" : ".map .source select");
  }, [isThere, Boolean(now)]);
  const beside = isThere && html`<span class="figures" role="status" title=${(now.failed ?? []).map((one) => one.join(": ")).join("\n")}>${figures(now)}</span>
    <button aria-pressed=${state.isWide.value} title="More room for the map" onClick=${() => (state.isWide.value = !state.isWide.value)}>Wide</button>`;
  return html`<${Panel} name="map" title="Map" beside=${beside}>
    ${now && html`<${Source} now=${now} />`}
    ${state.problem.value && html`<p class="notice" role="alert">${state.problem.value}</p>`}
    ${isThere && now.notice && html`<p class="note">${now.notice[0].toUpperCase()}${now.notice.slice(1)}.</p>`}
    <${Progress} />
    ${isThere && html`<${Tools} /><div class="parts"><${Plot} /><${Beside} /></div>`}
  <//>`;
}

/** How many are on the map. @param {import("./map.js").MapState} now */
function figures(now) {
  const failed = now.failed_count ? `, ${plural(now.failed_count, "picture")} cannot be read` : "";
  return `${plural(now.embedded, now.of === "images" ? "picture" : "caption")}${now.stale ? `, ${number(now.stale)} new or changed` : ""}${failed}`;
}

/** What is on the map, and the button that computes what is not. @param {{now: import("./map.js").MapState}} props */
function Source({ now }) {
  const [of, setOf] = useState(now.of ?? "captions");
  const [name, setName] = useState("");
  const [weights, setWeights] = useState("");
  const isChosen = useRef(false); // here, which stays when the map changes meanwhile
  const choose = (/** @type {() => void} */ then) => ((isChosen.current = true), then());
  useEffect(() => {
    if (!now.model || !now.of || isChosen.current) return;
    const kind = now.model.split(":")[0];
    setOf(now.of);
    setName(kind in now.models[now.of] ? kind : "");
    setWeights(now.model.slice(kind.length + 1));
  }, [now.of, now.model]);
  const models = now.models[of];
  const kind = name in models ? name : Object.keys(models)[0];
  const model = weights.trim() && NEEDS_WEIGHTS.test(kind) ? `${kind}:${weights.trim()}` : kind;
  const isOther = now.layout === null || of !== now.of || model !== now.model;
  return html`<div class="source line-of">
    <label>Of <select value=${of} onChange=${(/** @type {any} */ event) => choose(() => setOf(event.target.value))}>
      <option value="captions">captions</option><option value="images">pictures</option></select></label>
    <label>by <select value=${kind} title=${models[kind]} onChange=${(/** @type {Event} */ event) => choose(() => (setName(valueOf(event)), setWeights("")))}>
      ${Object.entries(models).map(([one, about]) => html`<option value=${one} title=${about}>${one}</option>`)}</select></label>
    ${NEEDS_WEIGHTS.test(kind) && html`<input type="text" aria-label="Weights" placeholder="OWNER/NAME or a folder" title=${models[kind]} value=${weights} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {Event} */ event) => choose(() => setWeights(valueOf(event)))} />`}
    ${(isOther || now.stale > 0 || of === "images") && html`<button class=${now.layout === null ? "main" : ""} disabled=${state.job.value !== null} onClick=${() => ((isChosen.current = false), state.compute(of, model))}>
      ${isOther ? "Compute" : now.stale ? `Compute ${number(now.stale)}` : "Look for changes"}</button>`}
  </div>
  ${now.layout === null && html`<p class="note">Each ${of === "images" ? "picture" : "caption"} becomes a point: what is alike lies together, and makes clusters.
    What is computed is kept, so that later only what has changed is computed.${of === "captions" && kind.startsWith("all-MiniLM") ? " This model knows English." : ""}</p>`}`;
}

function Progress() {
  if (state.job.value === null) return null;
  return html`<div class="line-of progress"><span class="figures">${jobs.value[state.job.value]?.summary}</span>
    <${JobProgress} job=${state.job.value} /><button onClick=${state.stop}>Stop</button></div>`;
}

function Tools() {
  useEffect(() => {
    if (state.by.value === "set") void state.findOthers();
    void state.color();
  }, [state.by.value, state.other.value]);
  useEffect(() => {
    const timer = setTimeout(state.color, 250);
    return () => clearTimeout(timer);
  }, [state.keyword.value]);
  return html`<div class="tools" role="toolbar" aria-label="Map">
    <span class="group">
      <button aria-pressed=${mode.value === "lasso"} title=${`${tip("map-lasso")}. Shift adds, Alt takes away`} onClick=${() => choose("lasso")}>Lasso</button>
      <button aria-pressed=${mode.value === "box"} title=${`${tip("map-box")}. Shift adds, Alt takes away`} onClick=${() => choose("box")}>Box</button>
    </span>
    <span class="group">
      <button aria-label="Farther" title=${tip("map-out")} onClick=${() => zoom(1 / 1.5)}>−</button>
      <button title=${tip("map-reset")} onClick=${reset}>All</button>
      <button aria-label="Nearer" title=${tip("map-in")} onClick=${() => zoom(1.5)}>+</button>
    </span>
    <label>Colour <select value=${state.by.value} onChange=${(/** @type {Event} */ event) => (state.by.value = valueOf(event))}>
      ${BY.map(([name, text]) => html`<option value=${name}>${text}</option>`)}</select></label>
    ${state.by.value === "keyword" && html`<input type="text" aria-label="Keywords" placeholder="cat, dog*" value=${state.keyword.value} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {Event} */ event) => (state.keyword.value = valueOf(event))} />`}
    ${state.by.value === "set" && html`<select aria-label="Caption set" title="Where its captions say the same as those that are open" value=${state.other.value} onChange=${(/** @type {Event} */ event) => (state.other.value = valueOf(event))}>
      <option value="">${state.others.value.length ? "which set" : "there is none: an output, or texts with another ending"}</option>
      ${state.others.value.map((name) => html`<option key=${name} value=${name}>${name.split("/").pop()}</option>`)}</select>`}
    ${state.map.value?.layout === "pca" && html`<button disabled=${state.job.value !== null} title="Arrange the points by t-SNE: what is alike comes closer together" onClick=${state.arrange}>t-SNE</button>`}
  </div>`;
}

/** Below the plot or beside it: clusters and colours, or the editor. */
function Beside() {
  const isPicture = state.side.value === "picture";
  const outside = state.outside.value;
  return html`<div class="beside">
    <div class="tabs" role="group" aria-label="Beside the map">
      <button class="quiet" aria-pressed=${state.side.value === "clusters"} onClick=${() => (state.side.value = "clusters")}>${state.colors.value ? "Colours" : "Clusters"}</button>
      <button class="quiet" aria-pressed=${state.side.value === "alike"} onClick=${() => (state.side.value = "alike")}>Alike</button>
      <button class="quiet" aria-pressed=${isPicture} onClick=${() => (state.side.value = "picture")}>Picture</button>
      ${outside !== null && html`<span class="figures" role="status">${rows.value.get(outside)?.key ?? "It"} is not selected.
        <button class="quiet" onClick=${() => state.leaveFilter(outside)}>Leave the filter and open it</button></span>`}
    </div>
    ${isPicture ? html`<${Editor} />` : state.side.value === "alike" ? html`<${Alike} />` : state.colors.value ? html`<${Legend} />` : html`<${Clusters} />`}
  </div>`;
}

function Legend() {
  return html`<ul class="list legend" tabindex="0" aria-label="Colours">
    ${state.colors.value?.legend.map((one, place) => html`<li key=${one.text}>
      <button class="quiet name" title="Select these; with Shift they are added, with Alt left out" onClick=${(/** @type {MouseEvent} */ event) => state.isolateColor(place, event)}>
        <span class="swatch" style=${{ backgroundColor: one.color }}></span> ${one.text}</button>
      <span class="figures">${number(one.count)}</span></li>`)}
  </ul>`;
}

/** The number of clusters as a field; what is typed stays when the map changes meanwhile. */
function Count() {
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  const most = state.map.value?.most ?? MOST;
  return html`<input type="number" aria-label="Number of clusters" min="1" max=${most} value=${typed ?? state.count.value}
    onInput=${(/** @type {Event} */ event) => setTyped(valueOf(event))} onBlur=${() => setTyped(null)}
    onChange=${() => (setTyped(null), void state.recount(Math.max(1, Math.min(most, Math.round(Number(typed)) || 1))))} />`;
}

function Clusters() {
  const clusters = state.map.value?.clusters ?? [];
  const inside = state.selected.value && countOf(state.selected.value, state.labels.value);
  useEffect(() => want(clusters.flatMap((one) => [...one.middle, ...one.edge]), "map-clusters"), [state.map.value]);
  return html`<div class="counting line-of">
      <label>Clusters <input type="range" min="2" max=${MOST} value=${Math.min(MOST, state.count.value)} onKeyDown=${own} onInput=${(/** @type {Event} */ event) => state.recount(Number(valueOf(event)))} /></label>
      <${Count} />
      <button disabled=${state.isSuggesting.value} onClick=${state.suggest}>${state.isSuggesting.value ? "Computing…" : "Suggest"}</button>
    </div>
    ${clusters.length < (state.map.value?.count ?? 0) && html`<p class="note">${plural(clusters.length, "cluster")}: ${state.map.value?.model} cannot distinguish more ${state.map.value?.of === "images" ? "pictures" : "captions"}.</p>`}
    <${Curve} />
    <${Telling} />
    <ul class="list clusters" tabindex="0" aria-label="Clusters">${clusters.map((one) => html`<${ClusterItem} key=${one.number} cluster=${one} inside=${inside?.[one.number] ?? null} />`)}</ul>`;
}

/** How well each number of clusters fits; a click takes one. */
function Curve() {
  const found = state.suggestion.value;
  if (!found) return null;
  if (!found.curve.length || found.count === null) return html`<p class="note">There are too few points to suggest a number.</p>`;
  const best = found.count;
  const [wide, high] = [300, 96];
  const [left, right, above, below] = [36, 10, 10, 20]; // margins, of the numbers beside the axes
  const most = Math.max(...found.curve.map(([count]) => count), 2);
  const [low, top] = [Math.min(...found.curve.map(([, score]) => score)), Math.max(...found.curve.map(([, score]) => score))];
  const x = (/** @type {number} */ count) => left + ((count - 2) / Math.max(1, most - 2)) * (wide - left - right);
  const y = (/** @type {number} */ score) => high - below - ((score - low) / (top - low || 1)) * (high - above - below);
  return html`<div class="curve line-of">
    <svg viewBox=${`0 0 ${wide} ${high}`} width=${wide} height=${high} role="img" aria-label=${`How well numbers of clusters fit, best ${best}`}>
      <title>Silhouette: how much nearer captions or pictures are to their own cluster than to the next, by the number of clusters</title>
      <path class="axis" d=${`M${left},${above - 6}V${high - below + 5}H${wide - 2}`} />
      ${[...new Set([top, low])].map((score) => html`<text class="score" x=${left - 5} y=${y(score) + 4}>${score.toFixed(2)}</text>`)}
      ${[...new Set([2, best, most])].filter((count) => count === best || Math.abs(x(count) - x(best)) > 16).map((count) => html`<text x=${x(count)} y=${high - 3}>${count}</text>`)}
      <polyline points=${found.curve.map(([count, score]) => `${x(count)},${y(score)}`).join(" ")} />
      ${found.curve.map(([count, score]) => html`<circle cx=${x(count)} cy=${y(score)} r=${count === best ? 5 : 3.5} class=${count === best ? "best" : ""}
        onClick=${() => state.recount(count)}><title>${count} clusters: ${score.toFixed(3)}</title></circle>`)}
    </svg>
    <button onClick=${() => state.recount(best)}>Take ${best}</button>
    <button class="quiet" aria-label="Close the curve" onClick=${() => (state.suggestion.value = null)}>×</button>
  </div>`;
}

/** How many points of each cluster are selected. @param {Uint8Array} selected @param {Uint8Array} labels */
function countOf(selected, labels) {
  const counts = new Uint32Array(256);
  for (let row = 0; row < labels.length; row += 1) counts[labels[row]] += selected[row];
  return counts;
}

/** `inside`: how many of it are selected, null where all are. @param {{cluster: import("./map.js").Cluster, inside: number | null}} props */
function ClusterItem({ cluster, inside }) {
  const [name, setName] = useState(/** @type {string | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isByKey = useRef(false); // that the renaming ends
  useLayoutEffect(() => {
    field.current?.focus(); // before the next key, which is meant for it
    field.current?.select();
    if (name === null && isByKey.current) focusOn(".plot"); // where its keys are
    isByKey.current = false;
  }, [name === null]);
  const isOn = clustersOf(query.value).includes(cluster.name);
  const save = async () => {
    if (name !== null && (await state.rename(cluster.number, name.trim()))) setName(null);
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    if (event.key === "Enter") void save();
    else setName(null);
    isByKey.current = true;
  };
  const missing = cluster.missing_captions ? `, ${percent(cluster.missing_captions)} without a caption` : "";
  return html`<li id=${`cluster-${cluster.number}`} class=${isOn || cluster.number === state.focus.value ? "on" : ""}>
    <div class="line-of">
      ${name === null
        ? html`<button class="quiet name" aria-pressed=${isOn} title="Select this cluster; with Shift it is added, with Alt left out"
            onMouseEnter=${() => (state.focus.value = cluster.number)} onMouseLeave=${() => (state.focus.value = null)}
            onClick=${(/** @type {MouseEvent} */ event) => state.isolate(cluster, event)}>
            <span class="swatch" style=${{ backgroundColor: cluster.color }}></span> ${cluster.name}</button>
          <button class="quiet" aria-label=${`Rename ${cluster.name}`} title="Rename" onClick=${() => setName(cluster.name)}>✎</button>`
        : html`<input type="text" class="rename" ref=${field} aria-label="Name of the cluster" value=${name} onInput=${(/** @type {Event} */ event) => setName(valueOf(event))} onKeyDown=${press} onBlur=${save} />`}
      <span class="figures">${inside === null ? "" : `${number(inside)} of `}${number(cluster.size)} · ${percent(cluster.share)}${missing}</span>
    </div>
    <div class="examples">
      ${[["middle", cluster.middle, "from its middle"], ["edge", cluster.edge, "from its edge"]].map(([kind, some, text]) => html`<span class=${kind} title=${text}>
        ${/** @type {number[]} */ (some).map((row) => html`<${Example} key=${row} row=${row} text=${text} />`)}</span>`)}
    </div>
  </li>`;
}

/** A picture of a cluster; it is drawn again where its own row has changed, not with every row. @param {{row: number, text: string}} props */
function Example({ row, text }) {
  const known = useComputed(() => rows.value.get(row)).value;
  return html`<button class="quiet" aria-label=${`Open ${known?.key ?? `row ${row}`}, ${text}`} title=${known?.caption ?? ""}
    onClick=${() => state.visit(row)}><${Picture} src=${`studio/thumbnails/${row}`} alt="" height=${44} /></button>`;
}

const TELLING = 8; // words
const SURE = 2; // of the score: hardly by accident

/** The words that the captions of what is selected have more often than all others. */
const telling = signal(/** @type {import("./terms.js").Term[]} */ ([]));
let turn = 0; // of counting them

async function count() {
  const mine = (turn += 1);
  const text = mistake.peek() ? "" : query.peek().trim();
  const body = { scope: { query: text }, order: "score", limit: TELLING, least: 2, stop_words: stopWords.peek().split(/[\s,]+/).filter(Boolean) };
  const found = text ? await send("studio/words", body).catch(() => ({ terms: [] })) : { terms: [] };
  if (mine === turn) telling.value = found.terms.filter((/** @type {import("./terms.js").Term} */ one) => one.score > SURE);
}

function Telling() {
  useEffect(() => void count(), [result.value, edition.value]);
  if (!telling.value.length) return null;
  return html`<p class="facets telling" role="group" aria-label="Words more often in what is selected"><span class="figures">More often here</span>
    ${telling.value.map(({ term, share, rest }) => html`<button key=${term} class="quiet term" title=${`In ${(100 * share).toFixed(0)} % of these captions, ${(100 * rest).toFixed(0)} % of the others. Click: filter, Alt-click: leave out`}
      onClick=${(/** @type {MouseEvent} */ event) => filterBy(`"${term}"`, event)}>${term}</button>`)}
    <button class="quiet" onClick=${() => show("words")}>All words…</button></p>`;
}
