// @ts-check
/** Buttons and keys of the registry's actions. */

import { html } from "./vendor/preact.js";
import { actions, keyText, run, tip } from "./keys.js";

/** A button of an action, whose tooltip has the key. @param {{id: string, children: any, disabled?: boolean, title?: string, pressed?: boolean, label?: string, main?: boolean}} props */
export function ActionButton({ id, children, disabled, title, pressed, label, main }) {
  const action = actions.get(id);
  const text = title ? `${tip(id)}: ${title}` : tip(id);
  return html`<button class=${main ? "main" : undefined} title=${text} aria-label=${label} aria-keyshortcuts=${action?.keys.join(" ")} aria-pressed=${pressed} disabled=${disabled}
    onClick=${() => run(id)}>${children}</button>`;
}

/** Keys as signs. @param {{keys: readonly string[]}} props */
export const Keys = ({ keys }) => keys.map((key, place) => html`${place > 0 && " "}<kbd>${keyText(key)}</kbd>`);
