// @ts-check
/** Which panel is open beside the grid and what it works on, and which dialog is over the page. */

import { computed, html, signal, useLayoutEffect, useRef } from "./vendor/preact.js";
import { actions, keyOf, keyText, tip } from "./keys.js";
import { answered, cursor, dataset, mistake, picked, query, result, settled } from "./store.js";

/** The panel in the editor's place: "" for none. */
export const panel = signal("");
/** The dialog: "help", "commands" or "". */
export const dialog = signal("");

/** @param {string} selector */
export const focusOn = (selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus();

let isFieldWanted = false;

/** Give the caption's field the focus before the next key, which is meant for it; where a panel is in its place, once it is there. */
export function focusField() {
  focusOn(".editor .field");
  isFieldWanted = !document.activeElement?.matches(".editor .field");
}

/** Move to another picture, whose caption's field has the focus then where that of the one before had it. @param {() => void} move */
export function keepField(move) {
  isFieldWanted = document.activeElement?.matches(".editor .field") ?? false; // tags have one for each picture
  move();
}

/** For the editor: give its field the focus where that was wanted before it was there. */
export function useWantedFocus() {
  useLayoutEffect(() => {
    if (isFieldWanted && document.querySelector(".editor .field")) [isFieldWanted] = [false, focusOn(".editor .field")];
  });
}

/** Open a panel, or close it where it is open. @param {string} name */
export function show(name) {
  panel.value = panel.value === name ? "" : name;
  if (!panel.value) focusOn(".grid");
}

/** Back to the grid from a field; in the grid, close what is open. */
export function back() {
  isFieldWanted = false;
  if (panel.value && !document.activeElement?.closest(".editor, .bar")) panel.value = "";
  focusOn(".grid");
}

/** The key that presses a panel's main button, as people read it: the one that finishes a picture elsewhere. */
export const mainKey = () => keyText(actions.get("finish")?.keys[0] ?? "");

/**
 * A panel with its title, what stands beside it, and a button that closes it; `main` runs by the key that finishes a picture elsewhere.
 * @param {{name: string, title: string, beside?: any, main?: () => void, children?: any}} parts
 */
export function Panel({ name, title, beside, main, children }) {
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (!main || !actions.get("finish")?.keys.includes(keyOf(event))) return;
    event.preventDefault();
    event.stopPropagation();
    main();
  };
  return html`<section class=${`side ${name}`} aria-labelledby="panel-title" onKeyDown=${press}>
    <header class="line-of">
      <h2 id="panel-title">${title}</h2>${beside}
      <button class="quiet" title=${tip("back")} onClick=${() => show("")}>Close</button>
    </header>
    ${children}
  </section>`;
}

/** A modal dialog; `closed` is called once the focus is back where it was. @param {{name: string, title: string, closed?: () => void, children?: any}} parts */
export function Dialog({ name, title, closed, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => { // before the next key, which is meant for it
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    const opened = /** @type {HTMLDialogElement} */ (box.current);
    opened.showModal(); // closing it gives the focus back
    opened.querySelector("input")?.focus();
    return () => opened.open && before?.focus();
  }, []);
  const close = () => {
    if (dialog.value === name) dialog.value = ""; // another one may be open by the time of the event
    closed?.();
  };
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onClose=${close}>
    <header class="line-of"><h2 id="dialog-title">${title}</h2>
      <button class="quiet" onClick=${() => box.current?.close()}>Close</button></header>
    ${children}
  </dialog>`;
}

/** What the open panel works on: "picture", "selection", "filter" or "all". */
export const scope = signal("all");
export const sizes = computed(() => ({
  selection: picked.value.size,
  filter: mistake.value ? 0 : result.value.length, // what is shown is of another query then
  all: dataset.value?.rows ?? 0,
  picture: result.value.length ? 1 : 0,
}));

/** The scope of the panel that opens next, where another one has chosen it. */
let chosen = "";
export const prepareScope = (/** @type {string} */ name) => (chosen = name);

/** The scope that was chosen, or is most likely meant: what is picked, else what is filtered, else all. */
export function guessScope() {
  scope.value = chosen || (picked.value.size ? "selection" : query.value ? "filter" : "all");
  chosen = "";
}

/**
 * What the server is told about the scope. The filter's rows are those that are shown: what no longer matches it is
 * still among them. A query that cannot be parsed has none.
 */
export async function scopeOf() {
  const [name, chosen] = [scope.value, picked.value]; // another panel may be open by the time of the response
  await settled();
  if (name === "filter" && !mistake.value && answered.value !== query.value) throw new Error("The search got no response: find again.");
  if (name === "picture") return { rows: [...result.value.slice(cursor.value, cursor.value + 1)] };
  if (name === "selection") return { rows: [...chosen].sort((a, b) => a - b) };
  if (name === "filter" && mistake.value) return { rows: [] };
  return name === "filter" && answered.value ? { rows: [...result.value] } : {};
}

const SCOPES = /** @type {const} */ ([
  ["selection", "Selection"],
  ["filter", "Filter"],
  ["all", "All"],
]);
const PICTURE = /** @type {const} */ (["picture", "This picture"]);

/** @param {{picture?: boolean}} props whether the cursor's picture can be chosen too */
export function ScopeChoice({ picture }) {
  return html`<fieldset>
    <legend>In</legend>
    ${(picture ? [PICTURE, ...SCOPES] : SCOPES).map(([name, label]) => html`<label class="tick">
      <input type="radio" name="scope" checked=${scope.value === name} disabled=${!sizes.value[name]}
        onChange=${() => (scope.value = name)} /> ${label}${name !== "picture" && ` (${sizes.value[name].toLocaleString("en")})`}
    </label>`)}
    ${mistake.value && html`<p class="note">The filter has an error; correct it to choose it.</p>`}
  </fieldset>`;
}
