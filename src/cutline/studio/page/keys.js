// @ts-check
/** The one registry of actions and their keys: handlers, buttons, tooltips, help, the command list and the docs read it. */

import { html, signal } from "./vendor/preact.js";

/**
 * `typing`: also while a field has the focus, by keys that type nothing. `grid`: not where a button or link has it, which the key presses.
 * `within`: only where this has it, before all others with the key; `when`: only then.
 * `defaults`: the keys that it has where the user has not changed them.
 * @typedef {{id: string, keys: string[], text: string, run: () => void, group?: string, typing?: boolean,
 *   grid?: boolean, within?: string, when?: () => boolean}} Given
 * @typedef {Given & {defaults: string[]}} Action
 */

/** @type {Map<string, Action>} */
export const actions = new Map();

/** The action that ran last by a key or its button. */
export const ran = signal("");
/** The keys that the user has changed, by action. */
export const changed = signal(/** @type {Record<string, string[]>} */ ({}));

/** @param {Given} action */
export function register(action) {
  actions.set(action.id, { ...action, keys: changed.value[action.id] ?? action.keys, defaults: action.keys });
}

/** Give actions the keys that the user has chosen; the others have their own. @param {Record<string, string[]>} keys */
export function rebind(keys) {
  for (const action of actions.values()) action.keys = keys[action.id] ?? action.defaults;
  changed.value = keys;
}

/** The other actions that a key has, where both could run. @param {string} id @param {string} key */
export const holders = (id, key) => [...actions.values()].filter((one) => one.id !== id && one.within === actions.get(id)?.within && one.keys.includes(key));

/** The actions whose texts have the words, the one that is named first, then those in which words begin so. @param {string} text */
export function matching(text) {
  const wanted = text.trim().toLowerCase();
  const words = wanted.split(/\s+/);
  const rank = (/** @type {string} */ name) => {
    if (name === wanted || name.endsWith(`: ${wanted}`)) return 0;
    return words.every((word) => ` ${name}`.includes(` ${word}`)) ? 1 : 2;
  };
  const found = [...actions.values()].filter((one) => words.every((word) => one.text.toLowerCase().includes(word)));
  return found.sort((a, b) => rank(a.text.toLowerCase()) - rank(b.text.toLowerCase()));
}

/** Run an action. @param {string} id */
export function run(id) {
  actions.get(id)?.run();
  ran.value = ""; // the same one may run again
  ran.value = id;
}

export const isMac = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");

/** A key as the registry writes it: `Ctrl+Shift+Z`, `ArrowDown`, `/`. @param {KeyboardEvent} event */
export function keyOf(event) {
  const parts = [];
  if (isMac ? event.metaKey : event.ctrlKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  const isDigit = event.altKey && /^Digit/.test(event.code); // a Mac types "¡"
  const isForeign = /^[^\0-\x7f]$/.test(event.key) && /^Key/.test(event.code); // of another alphabet
  const sign = isDigit || isForeign ? event.code.slice(-1) : event.key;
  const letter = sign.length === 1;
  if (event.shiftKey && (!letter || parts.length || sign === " " || /\p{L}/u.test(sign))) parts.push("Shift");
  const isLetter = letter && (parts.length || /\p{L}/u.test(sign));
  parts.push(sign === " " ? "Space" : isLetter ? sign.toUpperCase() : sign);
  return parts.join("+");
}

const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc" };

/** A key as people read it. @param {string} key @returns {string} */
export function keyText(key) {
  const text = key.replace(/Arrow\w+|Page\w+|Escape/, (name) => NAMES[/** @type {keyof typeof NAMES} */ (name)] ?? name);
  if (text.endsWith("+") && text.length > 1) return keyText(`${text}x`).replace(/\+?x$/, ""); // without a key
  return isMac ? text.replace("Ctrl+", "⌘").replace("Alt+", "⌥").replace("Shift+", "⇧") : text;
}

/** What an action does, and its key. @param {string} id */
export function tip(id) {
  const action = changed.value && actions.get(id); // read, so that those who show it follow
  if (!action) return "";
  return action.keys.length ? `${action.text} (${keyText(action.keys[0])})` : action.text;
}

/** @param {EventTarget | null} target */
export function isField(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !/^(checkbox|radio|button|range)$/.test(target.type);
  return target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName);
}

/** @param {EventTarget | null} target */
function isControl(target) {
  return target instanceof HTMLElement && Boolean(target.closest("button, a, summary, input, [role=option]:not(.cell)"));
}

/** @param {Action} action @param {string} key @param {EventTarget | null} target */
function applies(action, key, target) {
  if (isField(target)) return Boolean(action.typing) && (key.length > 1 && key !== "Space" && !/^Shift\+.$/.test(key)); // no sign
  if (action.within && !(target instanceof Element && target.closest(action.within))) return false;
  return !(action.grid && isControl(target)) && (action.when?.() ?? true);
}

export function listen() {
  // While an input method composes, keys are its own; some browsers name them only by the code 229.
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) event.stopPropagation();
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const key = keyOf(event);
    for (const action of [...actions.values()].sort((a, b) => Number(Boolean(b.within)) - Number(Boolean(a.within)))) {
      if (action.keys.includes(key) && applies(action, key, event.target)) {
        event.preventDefault();
        run(action.id);
        return;
      }
    }
  });
}

/** A button of an action, whose tooltip has the key. @param {{id: string, children: any, disabled?: boolean, title?: string, pressed?: boolean, label?: string, main?: boolean}} props */
export function ActionButton({ id, children, disabled, title, pressed, label, main }) {
  const action = actions.get(id);
  const text = title ? `${tip(id)}: ${title}` : tip(id);
  return html`<button class=${main ? "main" : undefined} title=${text} aria-label=${label} aria-keyshortcuts=${action?.keys.join(" ")} aria-pressed=${pressed} disabled=${disabled}
    onClick=${() => run(id)}>${children}</button>`;
}

/** Keys as signs. @param {{keys: readonly string[]}} props */
export const Keys = ({ keys }) => keys.map((key, place) => html`${place > 0 && " "}<kbd>${keyText(key)}</kbd>`);
