// @ts-check
/** What the map writes into the query: clusters and lassos as terms of it. Pure functions. */

import { quoted, withTerm } from "./filter_text.js";

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
