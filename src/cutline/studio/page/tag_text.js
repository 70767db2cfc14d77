// @ts-check
/** Tags and quick phrases of captions; tags as the server reads them: all else stays byte by byte. Pure functions. */

const SEPARATOR = /([,\uff0c\u3001\n])/;

/** @typedef {{before: string, text: string, after: string, separator: string}} Item */

/** The items of a caption, and the full stop at the end of a list of several. @param {string} caption @returns {{items: Item[], stop: string}} */
export function parse(caption) {
  let stop = "";
  if (/[^.\d]\.$/.test(caption) && SEPARATOR.test(caption)) {
    stop = ".";
    caption = caption.slice(0, -1);
  }
  const parts = caption.split(SEPARATOR);
  const items = [];
  for (let place = 0; place < parts.length; place += 2) {
    const text = parts[place].trim();
    const start = parts[place].indexOf(text);
    items.push({
      before: parts[place].slice(0, start),
      text,
      after: parts[place].slice(start + text.length),
      separator: parts[place + 1] ?? "",
    });
  }
  return { items, stop };
}

/** @param {Item[]} items @param {string} stop */
const join = (items, stop) => items.map((one) => one.before + one.text + one.after + one.separator).join("") + stop;

/** Without the item at a place; no lines are joined. @param {string} caption @param {number} place */
export function remove(caption, place) {
  const { items, stop } = parse(caption);
  const [before, gone, next] = [items[place - 1], items[place], items[place + 1]];
  if (gone?.separator === "\n" && before && before.separator !== "\n") [before.after, before.separator] = [gone.after, "\n"];
  else if (next && gone?.separator !== "\n" && before?.separator === "\n") next.before = gone.before;
  const kept = items.filter((_, at) => at !== place);
  if (!kept.some((one) => one.text)) return "";
  kept[0].before = items[0].before;
  const [end, last] = [/** @type {Item} */ (kept.at(-1)), /** @type {Item} */ (items.at(-1))];
  [end.after, end.separator] = [last.after, last.separator];
  return join(kept, stop);
}

/** With the tag of a place moved to another; blanks and separators stay. @param {string} caption @param {number} from @param {number} to */
export function move(caption, from, to) {
  const { items, stop } = parse(caption);
  if (!items[from] || !items[to]) return caption;
  const texts = items.map((one) => one.text);
  texts.splice(to, 0, ...texts.splice(from, 1));
  items.forEach((one, place) => (one.text = texts[place]));
  return join(items, stop);
}

/** With another text for the tag of a place. @param {string} caption @param {number} place @param {string} tag */
export function rename(caption, place, tag) {
  const name = tag.trim();
  if (!name) return remove(caption, place);
  const { items, stop } = parse(caption);
  if (!items[place]) return caption;
  items[place].text = name;
  return join(items, stop);
}

/** With a tag at the end, before the full stop. @param {string} caption @param {string} tag */
export function add(caption, tag) {
  const name = tag.trim();
  if (!name) return caption;
  const { items, stop } = parse(caption);
  if (items.some((one) => one.text.toLowerCase() === name.toLowerCase())) return caption;
  const text = join(items, "");
  const body = text.trimEnd();
  if (!body) return name;
  return `${body}${SEPARATOR.test(body.slice(-1)) ? " " : ", "}${name}${stop}${text.slice(body.length)}`;
}

/** Where a phrase stands in a text as whole words, or -1. @param {string} text @param {string} phrase */
function placeOf(text, phrase) {
  const escaped = phrase.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`, "u").exec(text)?.index ?? -1;
}

/** @param {string} text @param {string} phrase */
export const hasPhrase = (text, phrase) => Boolean(phrase) && placeOf(text, phrase) >= 0;

/** The text with a phrase, or without it where it is there. @param {string} text @param {string} phrase */
export function togglePhrase(text, phrase) {
  if (!phrase) return text;
  const at = placeOf(text, phrase);
  if (at < 0) return append(text, phrase);
  const { items } = parse(text);
  const tag = items.findIndex((one) => one.text === phrase);
  if (tag >= 0) return remove(text, tag);
  const [before, after] = [text.slice(0, at), text.slice(at + phrase.length)];
  if (!after.trim()) return before.trimEnd();
  return /\s$/.test(before) ? before + after.trimStart() : before + (before ? after : after.trimStart());
}

/** A sentence goes behind a sentence, anything else behind a comma. @param {string} text @param {string} phrase */
function append(text, phrase) {
  const body = text.trimEnd();
  if (!body) return phrase;
  const isSentence = /[.!?…。！？]["'”’)]*$/.test(body);
  if (isSentence && /[.!?…。！？]$/.test(phrase)) return `${body} ${phrase}`;
  return isSentence && !/[,\uff0c\u3001\n]/.test(body) ? `${body} ${phrase}` : add(body, phrase);
}
