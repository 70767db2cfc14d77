// @ts-check
/** How long the caption is, in words, characters and CLIP's tokens, and where CLIP no longer reads it. */

import { html, signal, useEffect, useState } from "./vendor/preact.js";
import { send } from "./api.js";
import { plural } from "./running.js";

const PAUSE = 250; // ms
const READ = 77; // tokens that CLIP reads, with the two marks

/** Where the text ends that CLIP reads, and that text. */
export const limit = signal({ isOver: false, end: 0, head: "" });

/** @typedef {{tokens: number, is_exact: boolean, end: number}} Tokens */

/** @param {string} text @param {Tokens | null} found */
function mark(text, found) {
  const head = found ? Array.from(text).slice(0, found.end).join("") : ""; // the server counts characters
  limit.value = { isOver: found !== null && found.tokens > READ, end: head.length, head };
}

/** @param {{text: string}} props */
export function Counts({ text }) {
  const [tokens, setTokens] = useState(/** @type {Tokens | null} */ (null));
  useEffect(() => {
    let isShown = true;
    const show = (/** @type {Tokens | null} */ found) => {
      if (!isShown) return;
      setTokens(found);
      mark(text, found);
    };
    const timer = setTimeout(() => send("studio/tokens", { text, most: READ }).then(show, () => show(null)), PAUSE);
    return () => {
      isShown = false;
      clearTimeout(timer);
    };
  }, [text]);
  const words = text.match(/\S+/g)?.length ?? 0;
  const isOver = tokens !== null && tokens.tokens > READ;
  const read = text.trim() ? (tokens?.tokens ?? 0) : 0; // the two marks stand around nothing
  return html`<span class="counts">${plural(words, "word")} · ${plural(Array.from(text).length, "character")}
    ${tokens !== null && html` · <span class=${isOver ? "problem" : ""} title=${isOver ? `CLIP reads the first ${READ} only, up to the mark in the text` : `CLIP reads ${READ}; one each is for the start and the end`}>
      ${tokens.is_exact || !read ? "" : "about "}${read.toLocaleString("en")} of ${READ} tokens</span>
      <meter aria-label="CLIP tokens" min="0" max=${READ} value=${Math.min(READ, read)} high=${READ - 0.5} />`}
  </span>`;
}
