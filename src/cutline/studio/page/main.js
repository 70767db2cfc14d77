// @ts-check
/** The studio's page: a bar, the grid, and the editor or a panel beside it. */

import { html, render } from "./vendor/preact.js";
import "./actions.js";
import { Bar } from "./bar.js";
import { BulkPanel } from "./bulk_panel.js";
import { ComparePanel } from "./compare_panel.js";
import { Dialogs } from "./dialogs.js";
import { Editor } from "./editor.js";
import { ExportPanel } from "./export_panel.js";
import { FirstSteps, Tour } from "./first_steps.js";
import { GeneratePanel } from "./generate_panel.js";
import { Grid } from "./grid.js";
import { HistoryPanel } from "./history_panel.js";
import { KeyForm } from "./key_form.js";
import { listen, rebind } from "./keys.js";
import { LintPanel } from "./lint_panel.js";
import { MapPanel } from "./map_panel.js";
import { panel } from "./panels.js";
import { start } from "./connection.js";
import { dataset, locked, preferences } from "./store.js";
import { TermsPanel } from "./terms_panel.js";

/** @type {Record<string, () => any>} */
const PANELS = { bulk: BulkPanel, history: HistoryPanel, export: ExportPanel, generate: GeneratePanel, words: TermsPanel, map: MapPanel, lint: LintPanel, compare: ComparePanel };

function App() {
  if (locked.value) return html`<${KeyForm} />`;
  if (!dataset.value) return null;
  const Shown = PANELS[panel.value] ?? Editor;
  const work = dataset.value.folder ? html`<main class="work"><${Grid} /><${Shown} /></main><${Tour} />` : html`<${FirstSteps} />`;
  return html`<${Bar} />${work}<${Dialogs} />`;
}

preferences.subscribe((kept) => kept && rebind(kept.keys));
listen();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
start();
