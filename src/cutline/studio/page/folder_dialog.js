// @ts-check
/** The dialog that opens a folder below those that the studio may open. */

import { html, signal, useEffect, useLayoutEffect } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { save } from "./draft.js";
import { Dialog, dialog } from "./panels.js";
import { notice } from "./store.js";

/**
 * @typedef {{name: string, path: string, pictures: number, is_more: boolean}} Folder
 * @typedef {{name: string, path: string, kind: string, size: number}} Output
 * @typedef {Folder & {parent: string | null, folders: Folder[], outputs: Output[], recent: {folder: string, sidecar_ext: string, one_a_line: boolean}[]}} Listing
 */

const listing = signal(/** @type {Listing | null} */ (null));
const typed = signal("");
const place = signal(0);
const ending = signal(".txt");
const lines = signal(false);
const problem = signal("");
const isOpening = signal(false);

let turn = 0;

/** Show what is in a folder; the first one where it is empty. @param {string} path */
async function look(path) {
  const mine = (turn += 1);
  const before = typed.value;
  try {
    const found = await get(`studio/folders?path=${encodeURIComponent(path)}`);
    if (mine !== turn) return;
    const from = listing.value?.path;
    listing.value = found;
    if (typed.value === before) typed.value = found.path; // not what is typed meanwhile
    const back = found.folders.findIndex((/** @type {Folder} */ one) => one.path === from);
    place.value = back < 0 && !found.folders.length && found.pictures ? -1 : Math.max(0, back); // -1: the folder itself
    problem.value = "";
  } catch (error) {
    if (mine === turn) problem.value = /** @type {Error} */ (error).message;
  }
}

/** Open a folder of pictures; whether it is open now. @param {string} folder @param {any} [options] @returns {Promise<boolean>} */
export async function openFolder(folder, options = {}) {
  if (!(await save())) return false;
  isOpening.value = true;
  problem.value = "";
  try {
    await send("studio/open", { folder, ...options });
    notice.value = "";
    return true;
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
    return false;
  } finally {
    isOpening.value = false;
  }
}

/** @param {string} folder @param {any} [options] */
async function choose(folder, options = { sidecar_ext: ending.value, one_a_line: lines.value }) {
  if (await openFolder(folder, options)) dialog.value = "";
}

/** Go into a folder, or open a table or tar. @param {Folder | Output} one */
const enter = (one) => ("kind" in one ? choose(one.path, { sidecar_ext: ".txt", one_a_line: false }) : look(one.path));

/** @param {Output} one */
const about = ({ kind, size }) => `${kind}, ${size < 1e6 ? `${Math.ceil(size / 1e3).toLocaleString("en")} KB` : `${Math.round(size / 1e6).toLocaleString("en")} MB`}`;

const count = (/** @type {Folder} */ one) => `${one.pictures.toLocaleString("en")}${one.is_more ? "+" : ""} ${one.pictures === 1 ? "picture" : "pictures"}`;

/** @param {KeyboardEvent} event */
function press(event) {
  const now = listing.value;
  const folders = now ? [...now.folders, ...now.outputs] : [];
  const isTyped = typed.value !== (now?.path ?? "");
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
  if (event.key === "Enter" && event[/Mac/.test(navigator.platform) ? "metaKey" : "ctrlKey"]) void choose(typed.value);
  else if (event.altKey && event.key === "ArrowUp") now?.parent != null && void look(now.parent);
  else if (step) place.value = Math.max(0, Math.min(folders.length - 1, place.value + step));
  else if (event.key === "Enter" && isTyped) void look(typed.value);
  else if (event.key === "Enter" && folders[place.value]) void enter(folders[place.value]);
  else if (event.key === "Enter") void choose(typed.value);
  else return;
  event.preventDefault();
}

export function FolderDialog() {
  useLayoutEffect(() => { // before anything can be typed, whose answer it would replace
    problem.value = typed.value = "";
    listing.value = null;
    void look("");
  }, []);
  const now = listing.value;
  const shown = now ? [...now.folders, ...now.outputs] : [];
  const at = shown[place.value];
  useEffect(() => document.getElementById(`folder-${place.value}`)?.scrollIntoView({ block: "nearest" }), [place.value, now]);
  return html`<${Dialog} name="folders" title="Open a folder">
    <label class="line">Folder
      <input type="text" role="combobox" aria-expanded="true" aria-controls="folders" autocomplete="off" spellcheck=${false}
        aria-activedescendant=${at ? `folder-${place.value}` : undefined} aria-describedby="folder-keys" value=${typed.value}
        onInput=${(/** @type {any} */ event) => (typed.value = event.target.value)} onKeyDown=${press} /></label>
    <p class="note" id="folder-keys">↑ and ↓ choose, Enter goes into a folder, or opens a table or tar, Alt+↑ to the one above; ⌘ or Ctrl+Enter opens it.</p>
    ${problem.value && html`<p class="notice" role="alert">${problem.value}</p>`}
    <ul id="folders" class="commands" role="listbox" aria-label="Folders and outputs" tabindex="-1">
      ${shown.map((one, number) => html`<li key=${one.path} id=${`folder-${number}`} role="option" aria-selected=${number === place.value}
        onClick=${() => enter(one)}><span>${one.name}</span> <span class="count">${"kind" in one ? about(one) : count(one)}</span></li>`)}
    </ul>
    ${now && !shown.length && html`<p class="note">No folders, tables or tars in it.</p>`}
    <div class="form">
      <label>Captions end in
        <input type="text" class="short" value=${ending.value} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => (ending.value = event.target.value)} /></label>
      <label class="tick"><input type="checkbox" checked=${lines.value} onChange=${(/** @type {any} */ event) => (lines.value = event.target.checked)} />
        Each line of a file is a caption of its own</label>
    </div>
    <footer class="line-of">
      ${now?.parent != null && html`<button onClick=${() => look(/** @type {string} */ (now.parent))}>To the folder above</button>`}
      <button class="main" disabled=${isOpening.value || !typed.value} onClick=${() => choose(typed.value)}>
        ${isOpening.value ? "Listing its pictures…" : `Open${now && typed.value === now.path ? ` (${count(now)})` : ""}`}</button>
    </footer>
    ${now?.recent.length ? html`<h3>Recent</h3>
      <ul class="recent">${now.recent.map(({ folder, ...options }) => html`<li key=${folder}>
        <button class="quiet" disabled=${isOpening.value} onClick=${() => choose(folder, options)}>${folder}</button></li>`)}</ul>` : null}
  <//>`;
}
