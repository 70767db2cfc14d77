// @ts-check
/** Quick phrases in a caption: put at its end, or taken out again. Pure functions. */

import { add, parse, remove } from "./tag_text.js";

/** Where a phrase stands in a text as whole words, or -1. @param {string} text @param {string} phrase */
function placeOf(text, phrase) {
  const escaped = phrase.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`, "u").exec(text)?.index ?? -1;
}

/** @param {string} text @param {string} phrase */
export const has = (text, phrase) => Boolean(phrase) && placeOf(text, phrase) >= 0;

/** The text with a phrase, or without it where it is there. @param {string} text @param {string} phrase */
export function toggle(text, phrase) {
  if (!phrase) return text;
  const at = placeOf(text, phrase);
  if (at < 0) return join(text, phrase);
  const { items } = parse(text);
  const tag = items.findIndex((one) => one.text === phrase);
  if (tag >= 0) return remove(text, tag);
  const [before, after] = [text.slice(0, at), text.slice(at + phrase.length)];
  if (!after.trim()) return before.trimEnd();
  return /\s$/.test(before) ? before + after.trimStart() : before + (before ? after : after.trimStart());
}

/** A sentence goes behind a sentence, anything else behind a comma. @param {string} text @param {string} phrase */
function join(text, phrase) {
  const body = text.trimEnd();
  if (!body) return phrase;
  const isSentence = /[.!?…。！？]["'”’)]*$/.test(body);
  if (isSentence && /[.!?…。！？]$/.test(phrase)) return `${body} ${phrase}`;
  return isSentence && !/[,\uff0c\u3001\n]/.test(body) ? `${body} ${phrase}` : add(body, phrase);
}
