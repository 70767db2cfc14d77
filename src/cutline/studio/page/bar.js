// @ts-check
/** The bar: the folder and the buttons, and below them the line of the filter. */

import { html } from "./vendor/preact.js";
import { ActionButton } from "./action_button.js";
import { Chips } from "./chips.js";
import { unsaved } from "./draft.js";
import { Sizes } from "./grid.js";
import { Outcome } from "./outcome.js";
import { Search } from "./search.js";
import { go, steps } from "./selection.js";
import { panel } from "./panels.js";
import { dataset, isDown, left, notice, query, result, rows, search } from "./store.js";

function Unsaved() {
  const row = unsaved.value[0];
  if (row === undefined) return null;
  const show = async () => {
    if (!result.value.includes(row)) await search("");
    go(result.value.indexOf(row));
  };
  return html`<button class="problem" onClick=${show}>Not saved: ${rows.value.get(row)?.key ?? `row ${row}`}</button>`;
}

const Down = () => isDown.value && html`<span role="alert" class="problem">The studio does not respond: is it still running? What you type is kept here until it does.</span>`;

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
    <${ActionButton} id="help">?<//>
    <div class="filter-line">
      <${Search} />
      <span class="count">${result.value.length.toLocaleString("en")} of ${(now.rows ?? 0).toLocaleString("en")}</span>
      ${left.value.size > 0 && html`<button title="they stay until the filter runs again" onClick=${() => search(query.value)}>${left.value.size.toLocaleString("en")} no longer match: find again</button>`}
      <${Chips} />
      <${Unsaved} />
      ${now.superseded?.length > 0 && html`<span class="count" title=${now.superseded.join(", ")}>${now.superseded.length} edited before the table was replaced</span>`}
      ${now.listing && html`<span role="status" class="count">Listing the pictures of ${now.listing.split("/").pop()}…${now.listed ? ` ${now.listed.toLocaleString("en")} so far` : ""}</span>`}
      <${Down} />
      <span role="alert" class="count">${notice.value}</span>
      ${!panel.value && html`<${Outcome} />`}
    </div>
  </header>`;
}
