// @ts-check
/** A button of the registry's action. */

import { html } from "./vendor/preact.js";
import { actions, tip } from "./keys.js";

/** A button of an action, whose tooltip has the key. @param {{id: string, children: any, disabled?: boolean, title?: string, pressed?: boolean}} props */
export function ActionButton({ id, children, disabled, title, pressed }) {
  const action = actions.get(id);
  const text = title ? `${tip(id)}: ${title}` : tip(id);
  return html`<button title=${text} aria-keyshortcuts=${action?.keys.join(" ")} aria-pressed=${pressed} disabled=${disabled}
    onClick=${() => action?.run()}>${children}</button>`;
}
