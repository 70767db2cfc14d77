// @ts-check
/** A picture from the server, or that it cannot be shown: damaged, missing, or of no known format. */

import { html, useEffect, useRef, useState } from "./vendor/preact.js";

/** `color` stands in until the picture is there. @param {{src: string, alt: string, height?: number, style?: Record<string, string>, color?: string | null}} parts */
export function Picture({ src, alt, height, style, color }) {
  const [failed, setFailed] = useState("");
  const [loaded, setLoaded] = useState("");
  const image = useRef(/** @type {HTMLImageElement | null} */ (null));
  useEffect(() => {
    const element = image.current;
    return () => element?.removeAttribute("src"); // a request that still runs is dropped
  }, []);
  const shown = { ...style, ...(height && { height: `${height}px` }), ...(color && loaded !== src && { backgroundColor: color }) };
  if (failed === src) return html`<span class="unshown" style=${shown}>cannot be shown</span>`;
  return html`<img ref=${image} src=${src} alt=${alt} height=${height} style=${shown} draggable=${false} loading="lazy"
    onLoad=${() => setLoaded(src)} onError=${() => setFailed(src)} />`;
}
