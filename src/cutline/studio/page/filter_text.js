// @ts-check
/** Queries as texts, the terms that captions can be found by, and clusters and lassos as terms. Pure functions. */

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

const VALUE = String.raw`(?:"(?:[^"\\]|\\.)*"|[^\s()"]+)`;
const CLUSTERS = new RegExp(String.raw`(?<![^\s(])(?:\(cluster:${VALUE}(?: OR cluster:${VALUE})+\)|cluster:${VALUE})(?![^\s)])`);
const LASSO = /(?<![^\s(])(-?)in:(lasso-\d+)(?![^\s)])/;

/** @param {string} value */
const plain = (value) => (value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value);

/** The clusters that a query isolates. @param {string} text @returns {string[]} */
export function clustersOf(text) {
  const [found] = CLUSTERS.exec(text) ?? [""];
  return [...found.matchAll(new RegExp(`cluster:(${VALUE})`, "g"))].map(([, value]) => plain(value));
}

/** @param {string} text @param {string} part @param {string} [by] */
const exchange = (text, part, by = "") => text.replace(part, () => by).replace(/ {2,}/g, " ").trim();

/** The query with these clusters and no others. @param {string} text @param {readonly string[]} names */
export function withClusters(text, names) {
  const terms = names.map((name) => `cluster:${quoted(name)}`);
  const term = terms.length > 1 ? `(${terms.join(" OR ")})` : (terms[0] ?? "");
  const [found] = CLUSTERS.exec(text) ?? [""];
  if (found) return exchange(text, found, term);
  return term ? withTerm(text, term) : text;
}

/** The lasso in a query, and whether its rows are left out. @param {string} text @returns {{name: string, isOut: boolean} | null} */
export function lassoOf(text) {
  const found = LASSO.exec(text);
  return found ? { name: found[2], isOut: found[1] === "-" } : null;
}

/** How a lasso joins what is selected. @typedef {"new" | "add" | "take"} Joining */

/**
 * The rows of the lasso that follows: with one before, what is drawn is added to it or taken from it.
 * @param {Uint8Array} drawn @param {Uint8Array | null} before rows of the lasso in the query @param {boolean} isOut @param {Joining} how
 */
export function joined(drawn, before, isOut, how) {
  if (!before || how === "new") return drawn;
  const adds = (how === "add") !== isOut;
  const rows = new Uint8Array(before);
  for (let row = 0; row < rows.length; row += 1) if (drawn[row]) rows[row] = adds ? 1 : 0;
  return rows;
}

/** The query that selects what `joined` means. @param {string} text @param {string} name of the lasso @param {Joining} how */
export function withLasso(text, name, how) {
  const found = LASSO.exec(text);
  if (found && how !== "new") return exchange(text, found[0], `${found[1]}in:${name}`);
  const rest = found ? exchange(text, found[0]) : text.trim();
  if (how === "add" && rest) return `${/^\S+$/.test(rest) ? rest : `(${rest})`} OR in:${name}`;
  return withTerm(rest, `in:${name}`, how === "take");
}
