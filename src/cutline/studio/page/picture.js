// @ts-check
/** A picture from the server, or that it cannot be shown: damaged, missing, or of no known format. */

import { html, useState } from "./vendor/preact.js";

/** @param {{src: string, alt: string, height?: number, style?: Record<string, string>}} parts */
export function Picture({ src, alt, height, style }) {
  const [failed, setFailed] = useState("");
  const shown = height ? { ...style, height: `${height}px` } : style;
  if (failed === src) return html`<span class="unshown" style=${shown}>cannot be shown</span>`;
  return html`<img src=${src} alt=${alt} height=${height} style=${shown} draggable=${false} loading="lazy" onError=${() => setFailed(src)} />`;
}
