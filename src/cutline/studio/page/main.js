// @ts-check
/** The studio's page: a bar, the grid and the editor. */

import { html, render } from "./vendor/preact.js";
import { send } from "./api.js";
import { Editor, save } from "./editor.js";
import { columns, Grid } from "./grid.js";
import { listen, register } from "./keys.js";
import { cursor, dataset, notice, query, result, search, start } from "./store.js";

/** @param {number} place */
function go(place) {
  cursor.value = Math.max(0, Math.min(result.value.length - 1, place));
}

const focusOn = (/** @type {string} */ selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus();

register({ id: "left", keys: ["ArrowLeft"], text: "previous picture", run: () => go(cursor.value - 1) });
register({ id: "right", keys: ["ArrowRight"], text: "next picture", run: () => go(cursor.value + 1) });
register({ id: "up", keys: ["ArrowUp"], text: "a line up", run: () => go(cursor.value - columns.count) });
register({ id: "down", keys: ["ArrowDown"], text: "a line down", run: () => go(cursor.value + columns.count) });
register({ id: "home", keys: ["Home"], text: "first picture", run: () => go(0) });
register({ id: "end", keys: ["End"], text: "last picture", run: () => go(result.value.length - 1) });
register({ id: "edit", keys: ["Enter"], text: "edit the caption", run: () => focusOn(".editor textarea") });
register({ id: "back", keys: ["Escape"], text: "back to the grid", typing: true, run: () => focusOn(".grid") });
register({ id: "next", keys: ["Ctrl+ArrowDown"], text: "next picture while typing", typing: true, run: () => void save().then(() => go(cursor.value + 1)) });
register({ id: "previous", keys: ["Ctrl+ArrowUp"], text: "previous picture while typing", typing: true, run: () => void save().then(() => go(cursor.value - 1)) });
register({ id: "find", keys: ["/", "Ctrl+F"], text: "find", run: () => focusOn("input[type=search]") });
register({ id: "undo", keys: ["Ctrl+Z"], text: "undo", run: () => void send("studio/undo") });
register({ id: "redo", keys: ["Ctrl+Shift+Z"], text: "redo", run: () => void send("studio/redo") });

function Bar() {
  const open = dataset.value ?? {};
  return html`<header class="bar">
    <span class="folder" title=${open.folder ?? ""}>${open.folder?.split("/").pop() ?? "cutline studio"}</span>
    <input type="search" placeholder="Find" aria-label="Find" value=${query.value}
      onInput=${(/** @type {any} */ event) => search(event.target.value)} />
    <span class="count">${result.value.length.toLocaleString("en")} of ${(open.rows ?? 0).toLocaleString("en")}</span>
    <button disabled=${!open.undo} title=${open.undo ?? ""} onClick=${() => send("studio/undo")}>Undo</button>
    <button disabled=${!open.redo} title=${open.redo ?? ""} onClick=${() => send("studio/redo")}>Redo</button>
    <span role="alert" class="count">${notice.value}</span>
  </header>`;
}

function App() {
  return html`<${Bar} /><main class="work"><${Grid} /><${Editor} /></main>`;
}

listen();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
start();
