// @ts-check
/** The line that says what the latest edit did, with the button that takes it back. */

import { html } from "./vendor/preact.js";
import { outcome, undo } from "./running.js";

export function Outcome() {
  const { text, isBad, edit } = outcome.value ?? { text: "", isBad: false, edit: null, conflicts: [] };
  const isUndo = text.startsWith("undo:"); // and of a redo, Undo
  if (!text) return html`<p class="outcome" aria-live="polite"></p>`;
  return html`<p class=${`outcome ${isBad ? "problem" : ""}`} aria-live="polite">
    <span>${text}</span>
    ${edit !== null && html`<button onClick=${() => undo(edit)}>${isUndo ? "Redo" : "Undo"}</button>`}
    <button class="quiet" aria-label="Dismiss" onClick=${() => (outcome.value = null)}>×</button>
  </p>`;
}
