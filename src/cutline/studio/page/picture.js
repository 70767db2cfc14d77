// @ts-check
/** A picture from the server, or that it cannot be shown: damaged, missing, or of no known format. */

import { html, useState } from "./vendor/preact.js";

/** @param {{src: string, alt: string, height?: number}} parts */
export function Picture({ src, alt, height }) {
  const [failed, setFailed] = useState("");
  const style = height ? { height: `${height}px` } : undefined;
  if (failed === src) return html`<span class="unshown" style=${style}>cannot be shown</span>`;
  return html`<img src=${src} alt=${alt} height=${height} style=${style} loading="lazy" onError=${() => setFailed(src)} />`;
}
