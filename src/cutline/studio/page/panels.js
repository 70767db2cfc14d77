// @ts-check
/** Which panel is open beside the grid, and which dialog is over the page. */

import { html, signal, useLayoutEffect, useRef } from "./vendor/preact.js";
import { tip } from "./keys.js";

/** The panel in the editor's place: "" for none. */
export const panel = signal("");
/** The dialog: "help", "commands" or "". */
export const dialog = signal("");

/** @param {string} selector */
export const focusOn = (selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus();

/** Open a panel, or close it where it is open. @param {string} name */
export function show(name) {
  panel.value = panel.value === name ? "" : name;
  if (!panel.value) focusOn(".grid");
}

/** Back to the grid from a field; in the grid, close what is open. */
export function back() {
  if (panel.value && !document.activeElement?.closest(".editor, .bar")) panel.value = "";
  focusOn(".grid");
}

/** A panel with its title, what stands beside it, and a button that closes it. @param {{name: string, title: string, beside?: any, children?: any}} parts */
export function Panel({ name, title, beside, children }) {
  return html`<section class=${`side ${name}`} aria-labelledby="panel-title">
    <header class="line-of">
      <h2 id="panel-title">${title}</h2>${beside}
      <button class="quiet" title=${tip("back")} onClick=${() => show("")}>Close</button>
    </header>
    ${children}
  </section>`;
}

/** A modal dialog. @param {{name: string, title: string, children?: any}} parts */
export function Dialog({ name, title, children }) {
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
  };
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onClose=${close}>
    <header class="line-of"><h2 id="dialog-title">${title}</h2>
      <button class="quiet" onClick=${() => box.current?.close()}>Close</button></header>
    ${children}
  </dialog>`;
}
