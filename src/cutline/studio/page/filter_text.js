// @ts-check
/** Queries as texts, and the terms that captions can be found by. Pure functions. */

import { parse } from "./tag_text.js";

const MOST = 80; // terms of a caption
const PROSE = /(^|\s)(a|an|the|is|are|was|by|with)(\s|$)/i;
export const WORD = /[\p{L}\p{N}_'’-]+/gu;

/** A value as queries have it. @param {string} value */
export const quoted = (value) => (/^[^\s()"]+$/.test(value) ? value : `"${value.replaceAll('"', '\\"')}"`);

/** The query with a term, or without it where it has it. @param {string} text @param {string} term @param {boolean} [without] that has it not */
export function withTerm(text, term, without) {
  const [wanted, other] = without ? [`-${term}`, term] : [term, `-${term}`];
  const parts = ` ${text.trim()} `;
  if (parts.includes(` ${wanted} `)) return parts.replace(` ${wanted} `, " ").trim();
  if (parts.includes(` ${other} `)) return parts.replace(` ${other} `, ` ${wanted} `).trim();
  const before = /(^|[\s)])OR($|[\s(])/.test(text) ? `(${text.trim()})` : text.trim();
  return before ? `${before} ${wanted}` : wanted;
}

/** What a caption can be found by: its tags, where it is a list of them, else its words. @param {string} caption @returns {{text: string, term: string}[]} */
export function termsOf(caption) {
  const tags = parse(caption).items.map((one) => one.text).filter(Boolean);
  const isList = tags.length > 1 && tags.every((tag) => tag.split(/\s+/).length <= 4 && !PROSE.test(tag));
  if (isList) return [...new Set(tags)].slice(0, MOST).map((text) => ({ text, term: `tag:${quoted(text)}` }));
  const words = new Map();
  for (const [word] of caption.matchAll(WORD)) if (word.length > 2 && !words.has(word.toLowerCase())) words.set(word.toLowerCase(), word);
  return [...words.values()].slice(0, MOST).map((text) => ({ text, term: `"${text}"` }));
}
