// @ts-check
/** The caption as tags: chips that can be added, removed and moved. It is the same string as in the text view. */

import { html, signal, useEffect, useState } from "./vendor/preact.js";
import { get } from "./api.js";
import { change, draft, save } from "./draft.js";
import { TagField } from "./tag_field.js";
import { add, exchange, parse, remove } from "./tag_text.js";

const LIKELY = 0.3; // of names that are suggested

/** Whether the editor shows tags in place of the text. */
export const showsTags = signal(false);

/** @param {{row: number | undefined}} props */
export function TagsView({ row }) {
  const text = draft.value?.text ?? "";
  const chips = parse(text).items.map((one, place) => ({ text: one.text, place })).filter((one) => one.text);
  return html`<div class="tags" onFocusOut=${() => void save()}>
    <ul aria-label="Tags">
      ${chips.map((chip, number) => html`<${Chip} key=${`${number} ${chip.text}`} text=${chip.text}
        move=${(/** @type {number} */ step) => chips[number + step] && move(text, chip.place, chips[number + step].place, number + step)}
        drop=${() => change(remove(text, chip.place), row)} />`)}
    </ul>
    <${TagField} tags=${chips.map((chip) => chip.text)} readOnly=${!draft.value} add=${(/** @type {string} */ tag) => change(add(text, tag), row)}
      dropLast=${() => change(remove(text, chips[chips.length - 1].place), row)} />
    <${Seen} row=${row} tags=${chips.map((chip) => chip.text)} add=${(/** @type {string} */ tag) => change(add(text, tag), row)} />
  </div>`;
}

/** What the picture probably shows, where the studio can tell: a click makes it a tag. @param {{row: number | undefined, tags: string[], add: (tag: string) => void}} props */
function Seen({ row, tags, add: take }) {
  const [found, setFound] = useState(/** @type {{name: string, probability: number}[]} */ ([]));
  useEffect(() => {
    let isShown = true;
    setFound([]);
    if (row !== undefined) get(`studio/objects/${row}`).then((seen) => isShown && setFound(seen.objects)).catch(() => {});
    return () => {
      isShown = false;
    };
  }, [row]);
  const known = new Set(tags.map((tag) => tag.toLowerCase()));
  const left = found.filter((one) => one.probability >= LIKELY && !known.has(one.name));
  return html`<p class="quiet" hidden=${!left.length}>In the picture:${left.map((one) => html` <button key=${one.name} class="quiet" draggable="false"
    title=${`Add this tag: recognized with a probability of ${Math.round(100 * one.probability)} %`} onClick=${() => take(one.name)}>+ ${one.name}</button>`)}</p>`;
}

/** @param {string} text @param {number} from @param {number} to @param {number} number */
function move(text, from, to, number) {
  change(exchange(text, from, to));
  setTimeout(() => /** @type {HTMLElement | undefined} */ (document.querySelectorAll(".tags li > button:first-child")[number])?.focus());
}

/** @param {{text: string, move: (step: number) => void, drop: () => void}} props */
function Chip({ text, move: step, drop }) {
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.altKey && event.key === "ArrowLeft") step(-1);
    else if (event.altKey && event.key === "ArrowRight") step(1);
    else if (event.key === "Delete" || event.key === "Backspace") drop();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<li class="chip">
    <button class="quiet" title="Alt+← and Alt+→ move this tag, Delete removes it" onKeyDown=${press}>${text}</button>
    <button class="quiet" aria-label=${`Move ${text} to the left`} onClick=${() => step(-1)}>‹</button>
    <button class="quiet" aria-label=${`Move ${text} to the right`} onClick=${() => step(1)}>›</button>
    <button class="quiet" aria-label=${`Remove ${text}`} onClick=${drop}>×</button>
  </li>`;
}
