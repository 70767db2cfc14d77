// @ts-check
/** How long the caption is, in words, characters and CLIP's tokens. */

import { html, useEffect, useState } from "./vendor/preact.js";
import { send } from "./api.js";

const PAUSE = 250; // ms
const READ = 77; // tokens that CLIP reads, with the two marks

/** @param {{text: string}} props */
export function Counts({ text }) {
  const [tokens, setTokens] = useState(/** @type {{tokens: number, is_exact: boolean} | null} */ (null));
  useEffect(() => {
    let isShown = true;
    const timer = setTimeout(() => {
      send("studio/tokens", { text }).then((found) => isShown && setTokens(found), () => isShown && setTokens(null));
    }, PAUSE);
    return () => {
      isShown = false;
      clearTimeout(timer);
    };
  }, [text]);
  const words = text.match(/\S+/g)?.length ?? 0;
  const isOver = tokens !== null && tokens.tokens > READ;
  return html`<span class="counts">${words.toLocaleString("en")} words · ${Array.from(text).length.toLocaleString("en")} characters
    ${tokens !== null && html` · <span class=${isOver ? "problem" : ""} title=${isOver ? `CLIP reads the first ${READ} only` : ""}>
      ${tokens.is_exact ? "" : "about "}${tokens.tokens} of ${READ} tokens</span>
      <meter aria-label="CLIP tokens" min="0" max=${READ} value=${Math.min(READ, tokens.tokens)} high=${READ - 0.5} />`}
  </span>`;
}
