// @ts-check
/** The studio's page: a bar, the grid, and the editor or a panel beside it. */

import { html, render } from "./vendor/preact.js";
import "./actions.js";
import { BulkPanel } from "./bulk.js";
import { ComparePanel, isBlind } from "./compare_panel.js";
import { KeyForm, start } from "./connection.js";
import { Dialogs } from "./dialogs.js";
import { unsaved } from "./draft.js";
import { Editor } from "./editor.js";
import { ExportPanel } from "./export_panel.js";
import { FirstSteps, Tour } from "./folders.js";
import { GeneratePanel } from "./generate_panel.js";
import { Grid, Sizes } from "./grid.js";
import { HistoryPanel } from "./history_panel.js";
import { listen as listenFirst } from "./held_keys.js";
import { ActionButton, listen, rebind } from "./keys.js";
import { LintPanel } from "./lint_panel.js";
import { MapPanel } from "./map_panel.js";
import { panel } from "./panels.js";
import { Outcome } from "./running.js";
import { Chips, Search } from "./search.js";
import { go, steps } from "./selection.js";
import { dataset, isDown, joined, left, locked, notice, preferences, query, result, rows, search } from "./store.js";
import { TermsPanel } from "./terms_panel.js";

/** Panels that show what the latest edit did; else the bar does. */
const SHOW_OUTCOME = new Set(["bulk", "history", "export", "compare", "generate"]);

function Unsaved() {
  const row = unsaved.value[0];
  if (row === undefined) return null;
  const show = async () => {
    if (!result.value.includes(row)) await search("");
    go(result.value.indexOf(row));
  };
  return html`<button class="problem" onClick=${show}>Not saved: ${rows.value.get(row)?.key ?? `row ${row}`}</button>`;
}

const Down = () => isDown.value && !dataset.value?.failed && html`<span role="alert" class="problem">The studio does not respond: is it still running? What you type is kept here until it does.</span>`;

function FindAgain() {
  const [gone, more] = [left.value.size, joined.value].map((count) => count && count.toLocaleString("en"));
  if (!gone && !more) return null;
  const match = (/** @type {string | number} */ count) => (count === "1" ? "matches" : "match");
  const parts = [gone && `${gone} no longer ${match(gone)}`, more && `${more} more ${match(more)}`];
  return html`<button title="the pictures stay as they are until the filter runs again" onClick=${() => search(query.value)}>${parts.filter(Boolean).join(", ")}: find again</button>`;
}

export function Bar() {
  const now = dataset.value ?? {};
  if (!now.folder) return html`<header class="bar"><h1 class="folder">cutline studio</h1><${Down} /><span role="alert" class="count">${notice.value}</span><span class="space"></span>
    <${ActionButton} id="help">?<//></header>`;
  return html`<header class="bar">
    <h1 class="folder" title=${now.folder ?? ""}>${now.folder.split("/").pop() }</h1>
    <${ActionButton} id="open">Open<//>
    <${Sizes} />
    <span class="space"></span>
    <${ActionButton} id="generate" pressed=${panel.value === "generate"}>Generate<//>
    <${ActionButton} id="bulk" pressed=${panel.value === "bulk"}>Edit many<//>
    <${ActionButton} id="undo" disabled=${!now.undo && !steps.value.undo} title=${now.undo ?? ""}>Undo<//>
    <${ActionButton} id="redo" disabled=${!now.redo && !steps.value.redo} title=${now.redo ?? ""}>Redo<//>
    <${ActionButton} id="history" pressed=${panel.value === "history"}>History<//>
    <${ActionButton} id="words" pressed=${panel.value === "words"}>Words<//>
    <${ActionButton} id="map" pressed=${panel.value === "map"}>Map<//>
    <${ActionButton} id="lint" pressed=${panel.value === "lint"}>Lint<//>
    <${ActionButton} id="compare" pressed=${panel.value === "compare"}>Compare<//>
    <${ActionButton} id="export" pressed=${panel.value === "export"}>Export<//>
    <${ActionButton} id="commands" label="Commands">…<//>
    <${ActionButton} id="help">?<//>
    <div class="filter-line">
      <${Search} />
      <span class="count">${result.value.length.toLocaleString("en")} of ${(now.rows ?? 0).toLocaleString("en")}</span>
      <${FindAgain} />
      <${Chips} />
      <${Unsaved} />
      ${now.with_several > 0 && html`<span class="count" title="The table has a list of captions for them: the first of each is shown, edited and exported">${now.with_several.toLocaleString("en")} with several captions, the first is used</span>`}
      ${now.superseded?.length > 0 && html`<span class="count" title=${now.superseded.join(", ")}>${now.superseded.length} edited before the table was replaced</span>`}
      ${now.listing && html`<span role="status" class="count">Listing the pictures of ${now.listing.split("/").pop()}…${now.listed ? ` ${now.listed.toLocaleString("en")} so far` : ""}</span>`}
      <${Down} />
      <span role="alert" class="count">${notice.value}</span>
      ${!SHOW_OUTCOME.has(panel.value) && html`<${Outcome} />`}
    </div>
  </header>`;
}

/** @type {Record<string, () => any>} */
const PANELS = { bulk: BulkPanel, history: HistoryPanel, export: ExportPanel, generate: GeneratePanel, words: TermsPanel, map: MapPanel, lint: LintPanel, compare: ComparePanel };

function App() {
  if (locked.value) return html`<${KeyForm} />`;
  if (!dataset.value) return null;
  const Shown = PANELS[panel.value] ?? Editor;
  const work = dataset.value.folder ? html`<main class=${isBlind.value ? "work blind" : "work"}><${Grid} /><${Shown} /></main><${Tour} />` : html`<${FirstSteps} />`;
  return html`<${Bar} />${work}<${Dialogs} />`;
}

preferences.subscribe((kept) => kept && rebind(kept.keys));
listenFirst();
listen();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
start();
