// @ts-check
/** The search: its field with completion, where a query is wrong, its terms as chips that come off one by one, and what is kept by a name. */

import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { keywordsOf, partsOf, quoted, withKeywords, without, withTerm } from "./filter_text.js";
import { everywhere, hold } from "./held_keys.js";
import { actions, keyText, register, tip } from "./keys.js";
import { focusOn } from "./panels.js";
import { clear, forgetSet, keepSet, setName, sets } from "./selection.js";
import { dataset, heard, mistake, notice, opening, picked, query, search } from "./store.js";

const PAUSE = 80; // ms
const MOST = 10; // completions

/** @typedef {{text: string, about: string, start: number, end: number}} Completion */

/** @typedef {{text: string, caret: number}} Typed */

/** @param {Typed} typed @returns {Promise<Completion[]>} */
const completionsOf = ({ text, caret }) => get(`studio/complete?q=${encodeURIComponent(text)}&at=${caret}`).catch(() => []);

/** Characters as the server counts them. @param {HTMLInputElement} field */
const caretOf = (field) => Array.from(field.value.slice(0, field.selectionStart ?? 0)).length;

export function Search() {
  const [listed, setListed] = useState({ of: /** @type {Typed | null} */ (null), all: /** @type {Completion[]} */ ([]) });
  const [at, setAt] = useState(-1);
  const [typed, setTyped] = useState(/** @type {Typed | null} */ (null));
  const latest = useRef(typed);
  latest.current = typed;
  const found = listed.all.slice(0, MOST);
  useEffect(() => {
    setAt(-1);
    if (!typed) return setListed({ of: null, all: [] });
    const timer = setTimeout(async () => {
      const all = await completionsOf(typed);
      if (latest.current === typed) setListed({ of: typed, all });
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [typed]);
  const close = () => (setTyped(null), setListed({ of: null, all: [] }));
  const choose = (/** @type {Completion} */ one) => {
    const letters = Array.from(query.value);
    const isWhole = !one.text.endsWith(":");
    const text = letters.slice(0, one.start).join("") + one.text + (isWhole ? " " : "");
    const rest = letters.slice(one.end).join("").trimStart();
    void search(text + rest);
    setTyped(isWhole ? null : { text: text + rest, caret: Array.from(text).length });
    const field = /** @type {HTMLInputElement} */ (document.querySelector("input[type=search]"));
    field.value = text + rest; // at once: the next key is meant for what is behind it
    field.focus();
    field.setSelectionRange(text.length, text.length);
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    const step = isPlain && found.length ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : 0;
    if (step) setAt((at + step + found.length + (at < 0 && step < 0 ? 1 : 0)) % found.length);
    else if (isPlain && event.key === "ArrowDown") look(event);
    else if (isPlain && event.key === "Tab" && typed && listed.of !== typed) void hold(completionsOf(typed).then(([first]) => first && latest.current === typed && choose(first)), everywhere);
    else if (isPlain && event.key === "Tab" && found.length) choose(found[Math.max(0, at)]);
    else if (isPlain && event.key === "Enter" && at >= 0 && listed.of === typed) choose(found[at]);
    else if (isPlain && event.key === "Enter") {
      close();
      void search(query.value);
    } else {
      if (event.key === "Escape") close(); // and back to the grid, as from every field
      return;
    }
    event.preventDefault();
  };
  const look = (/** @type {any} */ event) => setTyped({ text: event.target.value, caret: caretOf(event.target) });
  const wrong = mistake.value;
  return html`<div class="search">
    <input type="search" role="combobox" placeholder=${`Find (${keyText(actions.get("find")?.keys[0] ?? "/")})`} title=${tip("find")} aria-label="Find" value=${query.value}
      aria-autocomplete="list" aria-expanded=${found.length > 0} aria-controls="completions" aria-activedescendant=${at >= 0 ? `completion-${at}` : undefined}
      aria-invalid=${Boolean(wrong)} aria-describedby=${wrong ? "mistake" : undefined} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => (search(event.target.value), look(event))} onKeyDown=${press} onBlur=${close} />
    <ul id="completions" class="suggestions" role="listbox" aria-label="Completions" hidden=${!found.length}>
      ${found.map((one, number) => html`<li key=${one.text} id=${`completion-${number}`} role="option" aria-selected=${number === at}
        onPointerDown=${(/** @type {Event} */ event) => (event.preventDefault(), choose(one))}><span>${one.text}</span><span class="figures">${one.about}</span></li>`)}
      ${listed.all.length > MOST && html`<li role="presentation" class="figures">There are more: type on.</li>`}
    </ul>
    ${wrong && !found.length && html`<${Mistake} wrong=${wrong} />`}
  </div>`;
}

/** @param {{wrong: {text: string, start: number, end: number}}} props */
function Mistake({ wrong }) {
  const letters = Array.from(query.value); // the server counts characters
  return html`<p class="mistake" id="mistake" role="alert">
    <code>${letters.slice(0, wrong.start).join("")}<mark>${letters.slice(wrong.start, wrong.end).join("") || " "}</mark>${letters.slice(wrong.end).join("")}</code>
    ${wrong.text}
  </p>`;
}

const LATEST = 20; // sets in the list of commands

/** Saved queries by name. */
export const filters = signal(/** @type {Record<string, string>} */ ({}));

/** @param {Record<string, string>} kept */
function take(kept) {
  for (const id of [...actions.keys()]) if (id.startsWith("filter:")) actions.delete(id);
  for (const [name, text] of Object.entries(kept)) {
    register({ id: `filter:${name}`, keys: [], text: `saved filter: ${name}`, group: "Filters", run: () => void search(text) });
  }
  filters.value = kept;
}
/** The latest sets are in the list of commands, as saved filters are. */
sets.subscribe((kept) => {
  for (const id of [...actions.keys()]) if (id.startsWith("set:")) actions.delete(id);
  for (const name of Object.keys(kept).slice(0, LATEST)) {
    register({ id: `set:${name}`, keys: [], text: `set: ${name}`, group: "Filters", run: () => void search(`in:${quoted(name)}`) });
  }
});
heard.set("filters", (event) => take(event.filters));
opening.subscribe(async () => {
  take({});
  const none = filters.peek();
  const found = dataset.peek()?.folder ? await get("studio/filters").catch(() => ({})) : {};
  if (filters.peek() === none) take(found); // what came meanwhile is newer
});

/** @param {string} name @param {string | null} text */
async function keep(name, text) {
  try {
    const path = `studio/filters/${encodeURIComponent(name)}`;
    take(text === null ? await send(path, undefined, "DELETE") : await send(path, { query: text }, "PUT"));
    notice.value = "";
    return true;
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
    return false;
  }
}

/** The form that is open: "filter", "set", "keywords" or "". */
const form = signal("");
const parts = () => (mistake.value ? [] : partsOf(query.value));

/** Take the last chip off: what is picked, else the last term. */
function drop() {
  if (picked.value.size) clear();
  else if (parts().length) void search(without(query.value, parts().length - 1));
}

/** @param {string} name */
function toggle(name) {
  form.value = form.value === name ? "" : name;
  if (!form.value) focusOn(".grid");
}
const close = () => ((form.value = ""), focusOn(".grid"));

/** Give a form's field the focus before the next key, which is meant for it. */
function useFocus() {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => field.current?.focus(), []);
  return field;
}
register({ id: "drop", keys: ["X"], text: "take the last chip off: what is picked, or the last term", group: "Pick", run: drop });
register({ id: "keep-set", keys: [], text: "keep what is picked as a set", group: "Pick", run: () => picked.value.size && toggle("set") });
register({ id: "keywords", keys: ["K"], text: "find keywords, any or all", group: "Page", run: () => toggle("keywords") });

/** Keys among chips: arrows walk, Delete takes off. @param {KeyboardEvent} event */
function walk(event) {
  const buttons = [.../** @type {HTMLElement} */ (event.currentTarget).querySelectorAll("button")];
  const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  if (at < 0 || (!step && !/^(Delete|Backspace)$/.test(event.key))) return;
  event.preventDefault();
  if (step) buttons[at + step]?.focus();
  else buttons[at].click();
}

export function Chips() {
  const terms = parts();
  const off = (/** @type {number} */ place) => {
    if (place === terms.length - 1) focusOn(place ? `.chips [data-place="${place - 1}"]` : ".grid"); // else the next one has it
    void search(without(query.value, place));
  };
  const count = picked.value.size;
  return html`<div class="chips" role="group" aria-label="What is selected" onKeyDown=${walk}>
    ${count > 0 && html`<span class="chip pick"><span>${count.toLocaleString("en")} picked</span>
      <button class="quiet" title="Keep what is picked as a set, which the filter finds" onClick=${() => toggle("set")}>Keep as…</button>
      <button class="quiet" title=${tip("clear")} aria-label="clear" onClick=${clear}>×</button></span>`}
    ${terms.map((term, place) => html`<button key=${place} data-place=${place} class="chip" title=${`Take off ${term}`} aria-label=${`Take off ${term}`} onClick=${() => off(place)}><span>${term}</span> ×</button>`)}
  </div>
  ${form.value === "set" && count > 0 && html`<${KeepSet} />`}
  ${form.value === "keywords"
    ? html`<${Keywords} />`
    : html`<button class="quiet" title=${tip("keywords")} onClick=${() => toggle("keywords")}>Keywords</button>`}
  <${SaveFilter} />`;
}

/** A form of one name. @param {{kind: string, label: string, start: string, save: (name: string) => Promise<boolean>}} props */
function NameForm({ kind, label, start, save }) {
  const [name, setName] = useState(start);
  const field = useFocus();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (name.trim() && (await hold(save(name.trim()), everywhere))) close();
  };
  return html`<form class=${`line-form ${kind}`} onSubmit=${submit}>
    <input ref=${field} type="text" aria-label=${label} placeholder="Name" value=${name} autocomplete="off" onInput=${(/** @type {any} */ event) => setName(event.target.value)}
      onFocus=${(/** @type {any} */ event) => event.target.select()} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && (event.preventDefault(), close())} />
    <button>Save</button></form>`;
}

/** What is picked becomes a set, which composes with all that the filter has. */
const KeepSet = () => html`<${NameForm} kind="keep-set" label="Name of the set" start=${setName("picked")}
  save=${async (/** @type {string} */ name) => {
    if (!(await keepSet(name, picked.value))) return false;
    const term = `in:${quoted(name)}`;
    clear();
    await search(parts().includes(term) ? query.value : withTerm(query.value, term));
    return true;
  }} />`;

/** Keeps the filter by a name; a filter that is kept can be forgotten. */
function SaveFilter() {
  const set = Object.keys(sets.value).find((name) => query.value.trim() === `in:${quoted(name)}`);
  if (!query.value.trim() || mistake.value) return null;
  const known = Object.entries(filters.value).find(([, text]) => text === query.value.trim())?.[0];
  if (known) return html`<button class="quiet" title=${`Forget the saved filter ${known}`} onClick=${() => keep(known, null)}>★ ${known}</button>`;
  if (form.value !== "filter") return html`${set && html`<button class="quiet" title=${`Forget the set ${set}; its pictures stay`} onClick=${async () => (await forgetSet(set)) && search("")}>Forget set</button>`}
    <button class="quiet" onClick=${() => toggle("filter")}>☆ Save filter</button>`;
  return html`<${NameForm} kind="save-filter" label="Name of the filter" start="" save=${(/** @type {string} */ name) => keep(name, query.value.trim())} />`;
}

/** Keywords between commas, any or all of them, whole or as beginnings; they are a term of the filter. */
function Keywords() {
  const known = keywordsOf(query.value);
  const [state, setState] = useState(known ?? { field: "any", words: "", starts: false });
  const written = useRef(query.value);
  useEffect(() => {
    if (query.value !== written.current) setState((now) => known ?? { ...now, words: "" }); // by others
    written.current = query.value;
  }, [query.value]);
  const set = (/** @type {Partial<typeof state>} */ part) => {
    const next = { ...state, ...part };
    setState(next);
    written.current = withKeywords(query.value, next);
    void search(written.current);
  };
  const field = useFocus();
  const end = (/** @type {Event} */ event) => (event.preventDefault(), close());
  return html`<form class="line-form keywords" onSubmit=${end} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && end(event)}>
    <input ref=${field} type="text" aria-label="Keywords" placeholder="red car, blue" value=${state.words} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => set({ words: event.target.value })} />
    <select aria-label="Which keywords" value=${state.field} onChange=${(/** @type {any} */ event) => set({ field: event.target.value })}><option value="any">any of them</option><option value="all">all of them</option></select>
    <label class="tick"><input type="checkbox" checked=${state.starts} onChange=${(/** @type {any} */ event) => set({ starts: event.target.checked })} /> also as beginnings</label>
    <button class="quiet" aria-label="Close">×</button>
  </form>`;
}
