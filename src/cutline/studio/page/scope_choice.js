// @ts-check
/** The choice of what a panel works on: what is picked, what is filtered, or all. */

import { html } from "./vendor/preact.js";
import { scope, sizes } from "./bulk.js";

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
  </fieldset>`;
}
