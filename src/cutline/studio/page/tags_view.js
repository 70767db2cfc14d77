// @ts-check
/** The caption as tags, chips that can be added, removed and moved, and quick phrases. It is the same string as in the text view. */

import { effect, html, signal, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { change, draft, save } from "./draft.js";
import { everywhere, hold } from "./held_keys.js";
import { keyText, register } from "./keys.js";
import { focusOn } from "./panels.js";
import { current, heard, locked, notice, opening } from "./store.js";
import { add, hasPhrase, move, parse, remove, rename, togglePhrase } from "./tag_text.js";

const PAUSE = 100; // ms
const SUGGESTED = 8;

/** @typedef {{tag: string, count: number}} Suggestion */

/** The tag with what was typed in it marked. @param {string} tag @param {string} typed */
function marked(tag, typed) {
  const at = tag.toLowerCase().indexOf(typed.toLowerCase());
  if (at < 0) return tag;
  return html`${tag.slice(0, at)}<b>${tag.slice(at, at + typed.length)}</b>${tag.slice(at + typed.length)}`;
}

/** @param {{tags: string[], readOnly: boolean, add: (tag: string) => void, dropLast: () => void}} props */
export function TagField({ tags, readOnly, add, dropLast }) {
  const [typed, setTyped] = useState("");
  const [listed, setListed] = useState({ of: "", tags: /** @type {Suggestion[]} */ ([]) });
  const [at, setAt] = useState(-1);
  const text = typed.trim();
  const found = !text ? [] : listed.tags.filter((one) => one.tag.toLowerCase().includes(text.toLowerCase())); // it may be typed on meanwhile
  const setFound = (/** @type {Suggestion[]} */ tags) => setListed({ of: text, tags });
  const suggest = async () => {
    const known = new Set(tags.map((tag) => tag.toLowerCase()));
    const suggestions = await get(`studio/tags?limit=${SUGGESTED + tags.length}&text=${encodeURIComponent(text)}`).catch(() => []);
    return suggestions.filter((/** @type {Suggestion} */ one) => !known.has(one.tag.toLowerCase())).slice(0, SUGGESTED);
  };
  const left = useRef(() => {});
  left.current = () => text && !readOnly && add(text);
  const latest = useRef("");
  latest.current = text;
  useLayoutEffect(() => () => left.current(), []); // what is typed is not lost where another picture is shown
  useEffect(() => {
    if (!text) return undefined;
    let isShown = true;
    const timer = setTimeout(async () => {
      const suggestions = await suggest();
      if (isShown && latest.current === text) setFound(suggestions); // effects end some time after the text has changed
    }, PAUSE);
    return () => {
      isShown = false;
      clearTimeout(timer);
    };
  }, [text, tags.join("\n")]);
  const type = (/** @type {string} */ value) => (setAt(-1), setTyped(value));
  const take = (/** @type {string} */ tag) => {
    add(tag);
    type("");
    setFound([]);
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const step = plain && found.length ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : 0;
    if (step) setAt((at + step + found.length + (at < 0 && step < 0 ? 1 : 0)) % found.length);
    else if (event.key === "Tab" && !event.shiftKey && text && listed.of !== text) void hold(suggest().then(([first]) => first && latest.current === text && take(first.tag)), everywhere);
    else if (event.key === "Tab" && !event.shiftKey && found.length) take(found[Math.max(0, at)].tag);
    else if (event.key === "Enter" && plain && text) take(at >= 0 ? found[at].tag : text);
    else if (event.key === "Enter" && text) return take(at >= 0 ? found[at].tag : text); // and on to the next picture
    else if (event.key === "Escape" && found.length) setFound([]);
    else if (event.key === "Backspace" && !typed && tags.length) dropLast();
    else return;
    event.preventDefault();
  };
  return html`<div class="tag-field">
    <input type="text" class="field" role="combobox" aria-label="Add a tag" placeholder="Add a tag" autocomplete="off" aria-autocomplete="list"
      aria-expanded=${found.length > 0} aria-controls="suggestions" aria-activedescendant=${at >= 0 ? `suggestion-${at}` : undefined}
      value=${typed} readOnly=${readOnly} onInput=${(/** @type {any} */ event) => type(event.target.value)} onKeyDown=${press} onBlur=${() => setFound([])} />
    <ul id="suggestions" class="suggestions" role="listbox" aria-label="Tags of this dataset" hidden=${!found.length}>
      ${found.map((one, number) => html`<li key=${one.tag} id=${`suggestion-${number}`} role="option" aria-selected=${number === at}
        onPointerDown=${(/** @type {Event} */ event) => (event.preventDefault(), take(one.tag))}>
        <span>${marked(one.tag, text)}</span><span class="figures">${one.count.toLocaleString("en")}</span></li>`)}
    </ul>
  </div>`;
}

const LIKELY = 0.3; // of names that are suggested

/** The tags of a text; `row`: whose it is, none while that is not here. @param {{row: number | undefined, text: string}} props */
export function TagsView({ row, text }) {
  const set = (/** @type {string} */ to) => row !== undefined && change(to, row);
  const [changing, setChanging] = useState(/** @type {{number: number, text: string} | null} */ (null)); // a chip, and the tag that it had
  const [dragged, setDragged] = useState(-1);
  useLayoutEffect(() => {
    if (moved >= 0) /** @type {HTMLElement | undefined} */ (document.querySelectorAll(".tags li > button:first-child")[moved])?.focus();
    moved = -1;
  }, [text, changing]);
  const chips = parse(text).items.map((one, place) => ({ text: one.text, place })).filter((one) => one.text);
  // Another program may have moved the tag meanwhile, or removed it.
  const at = !changing || chips[changing.number]?.text === changing.text ? (changing?.number ?? -1) : chips.findIndex((one) => one.text === changing.text);
  const field = changing && html`<${ChipField} key="field" text=${changing.text} close=${(/** @type {string} */ to, /** @type {boolean} */ isByKey) => {
    setChanging(null);
    if (isByKey) moved = at;
    if (to !== changing.text) set(at < 0 ? add(text, to) : rename(text, chips[at].place, to));
  }} />`;
  return html`<div class="tags" onFocusOut=${() => void save()}>
    <ul aria-label="Tags">
      ${chips.map((chip, number) => number === at
        ? field
        : html`<${Chip} key=${`${number} ${chip.text}`} text=${chip.text} edit=${() => setChanging({ number, text: chip.text })}
            move=${(/** @type {number} */ step) => chips[number + step] && shift(set, move(text, chip.place, chips[number + step].place), number + step)}
            remove=${() => set(remove(text, chip.place))} drag=${() => setDragged(number)} isTarget=${dragged >= 0}
            drop=${() => (dragged >= 0 && dragged !== number && shift(set, move(text, chips[dragged].place, chip.place), number), setDragged(-1))} />`)}
      ${at < 0 && field}
    </ul>
    <${TagField} tags=${chips.map((chip) => chip.text)} readOnly=${row === undefined} add=${(/** @type {string} */ tag) => set(add(text, tag))}
      dropLast=${() => set(remove(text, chips[chips.length - 1].place))} />
    <${Seen} row=${row} tags=${chips.map((chip) => chip.text)} add=${(/** @type {string} */ tag) => set(add(text, tag))} />
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

/** The chip that was moved, which keeps the focus. */
let moved = -1;

/** @param {(text: string) => void} set @param {string} text @param {number} number of the chip */
function shift(set, text, number) {
  moved = number;
  set(text);
}

/**
 * A tag; a click changes it, and it can be dragged.
 * @param {{text: string, edit: () => void, move: (step: number) => void, remove: () => void, drag: () => void, isTarget: boolean, drop: () => void}} props
 */
function Chip({ text, edit, move: step, remove: away, drag, isTarget, drop }) {
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.altKey && event.key === "ArrowLeft") step(-1);
    else if (event.altKey && event.key === "ArrowRight") step(1);
    else if (event.key === "Delete" || event.key === "Backspace") away();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const over = (/** @type {DragEvent} */ event) => isTarget && event.preventDefault();
  return html`<li class="chip" draggable="true" onDragStart=${drag} onDragOver=${over} onDrop=${(/** @type {DragEvent} */ event) => (event.preventDefault(), drop())}>
    <button class="quiet" title="Enter or a click changes this tag, Alt+← and Alt+→ or dragging move it, Delete removes it" onClick=${edit} onKeyDown=${press}>${text}</button>
    <button class="quiet" aria-label=${`Move ${text} to the left`} onClick=${() => step(-1)}>‹</button>
    <button class="quiet" aria-label=${`Move ${text} to the right`} onClick=${() => step(1)}>›</button>
    <button class="quiet" aria-label=${`Remove ${text}`} onClick=${away}>×</button>
  </li>`;
}

/** A tag while it is changed; `close` is called with what it is then, also where another picture is shown. @param {{text: string, close: (text: string, isByKey: boolean) => void}} props */
function ChipField({ text, close }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [value, setValue] = useState(text); // what is drawn again while it is typed
  const typed = useRef(text);
  const latest = useRef(close);
  latest.current = close; // of the caption as it is now
  const end = useRef((/** @type {string} */ to, /** @type {boolean} */ isByKey) => {
    end.current = () => {};
    latest.current(to, isByKey);
  });
  useLayoutEffect(() => {
    field.current?.select(); // before the next key
    return () => end.current(typed.current, false);
  }, []);
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) end.current(typed.current, true);
    else if (event.key === "Escape") end.current(text, true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<li class="chip"><input ref=${field} type="text" class="field" aria-label=${`Change ${text}`} value=${value} size=${Math.max(4, text.length)} autocomplete="off"
    onInput=${(/** @type {any} */ event) => setValue((typed.current = event.target.value))} onKeyDown=${press} onBlur=${() => end.current(typed.current, false)} /></li>`;
}

const LINES = 9;
/** null until they are loaded: a form without them would remove them. */
export const phrases = signal(/** @type {string[] | null} */ (null));
const isOpen = signal(false);

async function load() {
  const turn = opening.peek();
  const found = await get("studio/phrases").catch(() => null);
  if (turn === opening.peek()) phrases.value ??= found; // an event may have brought newer ones
}
effect(() => {
  if (locked.value || opening.value < 0) return;
  phrases.value = null;
  void load();
});
heard.set("phrases", (event) => (phrases.value = event.phrases));

/** @param {number} number */
function press(number) {
  if (!phrases.value) return void ((notice.value = "The quick phrases are not loaded yet: press the key again."), load());
  const phrase = phrases.value[number];
  if (!phrase) isOpen.value = true;
  else if (draft.value && draft.value.row === current.value?.row) {
    const field = /** @type {HTMLTextAreaElement | null} */ (document.querySelector(".editor textarea:focus"));
    const at = field?.selectionStart ?? 0;
    const text = togglePhrase(draft.value.text, phrase);
    change(text);
    if (!field) return;
    field.value = text; // at once, so that what is typed next goes where the caret was
    field.setSelectionRange(at, at);
  }
}

for (let number = 0; number < LINES; number += 1) {
  const name = `quick phrase ${number + 1}: into the caption, or out of it`;
  register({ id: `phrase-${number + 1}`, keys: [`Alt+${number + 1}`], text: name, group: "Phrases", typing: true, run: () => press(number) });
}

export function Phrases() {
  const text = draft.value?.text ?? "";
  if (!phrases.value) return null;
  if (isOpen.value) return html`<${PhrasesForm} />`;
  return html`<div class="phrases" role="group" aria-label="Quick phrases">
    ${phrases.value.map((phrase, number) => phrase && html`<button key=${number} aria-pressed=${hasPhrase(text, phrase)} title=${`${phrase} (${keyText(`Alt+${number + 1}`)})`}
        onClick=${() => press(number)}><kbd>${number + 1}</kbd> ${phrase}</button>`)}
    <button class="quiet" onClick=${() => (isOpen.value = true)}>${phrases.value.length ? "Change phrases" : "Quick phrases"}</button>
  </div>`;
}

function PhrasesForm() {
  const [text, setText] = useState((phrases.value ?? []).join("\n"));
  const close = () => {
    isOpen.value = false;
    focusOn(".editor .field");
  };
  const keep = async () => {
    try {
      phrases.value = await hold(send("studio/phrases", { phrases: text.split("\n") }, "PUT"), everywhere);
      close();
    } catch (error) {
      notice.value = /** @type {Error} */ (error).message;
    }
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void keep();
    else return;
    event.preventDefault();
  };
  return html`<div class="phrases-form">
    <label>Quick phrases, one a line, for ${keyText("Alt+1")} to ${keyText("Alt+9")}
      <textarea rows="5" value=${text} autofocus onInput=${(/** @type {any} */ event) => setText(event.target.value)} onKeyDown=${press}></textarea></label>
    <div class="line-of"><button class="main" onClick=${keep}>Keep phrases</button> <button onClick=${close}>Cancel</button></div>
  </div>`;
}
