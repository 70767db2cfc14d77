// @ts-check
/** A picture from the server, or that it cannot be shown: damaged, missing, or of no known format. */

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { ApiError, get } from "./api.js";

/** `color` stands in until the picture is there; `why`: say why it cannot be shown. @param {{src: string, alt: string, height?: number, style?: Record<string, string>, color?: string | null, why?: boolean}} parts */
export function Picture({ src, alt, height, style, color, why }) {
  const [failed, setFailed] = useState("");
  const [reason, setReason] = useState({ src: "", text: "" });
  const [loaded, setLoaded] = useState("");
  const image = useRef(/** @type {HTMLImageElement | null} */ (null));
  useEffect(() => {
    const element = image.current;
    return () => element?.removeAttribute("src"); // a request that still runs is dropped
  }, []);
  const shown = { ...style, ...(height && { height: `${height}px` }), ...(color && loaded !== src && failed !== src && { backgroundColor: color }) };
  const fail = () => {
    setFailed(src);
    if (!why) return;
    const show = (/** @type {Error} */ error) => setReason({ src, text: error instanceof ApiError ? error.message : "cannot be shown: it is damaged" });
    get(src).catch(show); // what is sent and no picture is no JSON either
  };
  if (failed === src) return html`<span class="unshown" style=${shown}>${(reason.src === src && reason.text) || "cannot be shown"}</span>`;
  return html`<img ref=${image} src=${src} alt=${alt} height=${height} style=${shown} draggable=${false} loading="lazy"
    onLoad=${() => setLoaded(src)} onError=${fail} />`;
}
