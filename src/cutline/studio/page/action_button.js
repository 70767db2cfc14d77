// @ts-check
/** A button of the registry's action. */

import { html } from "./vendor/preact.js";
import { actions, tip } from "./keys.js";

/** A button of an action, whose tooltip has the key. @param {{id: string, children: any, disabled?: boolean, title?: string, pressed?: boolean, label?: string}} props */
export function ActionButton({ id, children, disabled, title, pressed, label }) {
  const action = actions.get(id);
  const text = title ? `${tip(id)}: ${title}` : tip(id);
  return html`<button title=${text} aria-label=${label} aria-keyshortcuts=${action?.keys.join(" ")} aria-pressed=${pressed} disabled=${disabled}
    onClick=${() => action?.run()}>${children}</button>`;
}
