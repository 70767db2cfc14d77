// @ts-check
/** A change of a text, word by word. */

import { html } from "./vendor/preact.js";
import { differences } from "./words.js";

/** @param {{before: string | null, after: string | null}} texts */
export function Difference({ before, after }) {
  return html`<span class="difference">${differences(before ?? "", after ?? "").map(({ kind, text }) => {
    if (kind === "removed") return html`<del>${text}</del>`;
    return kind === "added" ? html`<ins>${text}</ins>` : text;
  })}</span>`;
}
