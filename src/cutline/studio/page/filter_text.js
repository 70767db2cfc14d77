// @ts-check
/** Queries as texts, and the terms that captions can be found by. Pure functions. */

import { parse } from "./tag_text.js";

const MOST = 80; // terms of a caption
const PROSE = /(^|\s)(a|an|the|is|are|was|by|with)(\s|$)/i;
export const WORD = /[\p{L}\p{N}_'’-]+/gu;

/** A value as queries have it. @param {string} value */
export const quoted = (value) => (/^[^\s()"]+$/.test(value) ? value : `"${value.replaceAll('"', '\\"')}"`);

const ATOM = /\s+|[()]|-*(?:[a-z]+:)?"(?:\\"|[^"])*"|-*re:\/(?:\\.|[^\\/])*\/[a-z]*|[^\s()"]+|"/giy;

/** The parts of a query that all have to match, as they are written; with OR between them the whole is one. @param {string} text */
function split(text) {
  const parts = [];
  let [depth, start] = [0, -1];
  for (const { 0: atom, index } of text.matchAll(ATOM)) {
    const end = index + atom.length;
    if (/^\s/.test(atom) || (!depth && atom === "AND")) continue;
    if (!depth && atom === "OR") return { parts: [text.trim()], isAny: true };
    if (start < 0) start = index;
    if (atom === "(") depth += 1;
    else if (atom === ")") depth -= 1;
    else if (atom === "NOT" || (/^-+$/.test(atom) && text[end] === "(")) continue;
    if (depth > 0) continue;
    parts.push(text.slice(start, end));
    start = -1;
  }
  return { parts, isAny: false };
}

/** The parts of a query that all have to match, as they are written; with OR between them the whole is one. @param {string} text */
export const partsOf = (text) => split(text).parts;

/** The query without one of its parts. @param {string} text @param {number} place */
export const without = (text, place) => partsOf(text).toSpliced(place, 1).join(" ");

/** @typedef {{field: string, words: string, starts: boolean}} Keywords between commas; `starts`: as beginnings of words */

const KEYWORDS = /^(any|all):(?:"((?:\\"|[^"])*)"|([^\s()"]+))$/i;

/** The keywords of a query, null where it has none. @param {string} text @returns {Keywords | null} */
export function keywordsOf(text) {
  const found = KEYWORDS.exec(partsOf(text).find((part) => KEYWORDS.test(part)) ?? "");
  if (!found) return null;
  const words = (found[2] ?? found[3]).replaceAll('\\"', '"');
  const starts = words.split(",").every((word) => !word.trim() || word.trim().endsWith("*"));
  return { field: found[1].toLowerCase(), words: starts ? words.replaceAll("*", "") : words, starts };
}

/** The query with these keywords in place of those that it has. @param {string} text @param {Keywords} keywords */
export function withKeywords(text, { field, words, starts }) {
  const value = words.split(",").map((word) => word.trim()).filter(Boolean).map((word) => (starts && !word.endsWith("*") ? `${word}*` : word)).join(",");
  const term = value && `${field}:${quoted(value)}`;
  const parts = partsOf(text);
  const place = parts.findIndex((part) => KEYWORDS.test(part));
  if (place < 0) return term ? withTerm(text, term) : text;
  return parts.toSpliced(place, 1, ...(term ? [term] : [])).join(" ");
}

/** The query with a term, or without it where it has it. @param {string} text @param {string} term @param {boolean} [without] that has it not */
export function withTerm(text, term, without) {
  const [wanted, other] = without ? [`-${term}`, term] : [term, `-${term}`];
  const { parts, isAny } = split(text);
  const place = parts.findIndex((part) => part === wanted || part === other);
  if (place >= 0) return parts.toSpliced(place, 1, ...(parts[place] === wanted ? [] : [wanted])).join(" ");
  const before = text.trim();
  return [isAny ? `(${before})` : before, wanted].filter(Boolean).join(" ");
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
