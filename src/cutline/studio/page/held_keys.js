// @ts-check
/** Keys that are pressed before what they are about has come: they wait, and are pressed again once it is there. */

import { signal } from "./vendor/preact.js";
import { actions, isField, keyOf } from "./keys.js";

const LONGEST = 10_000; // ms that keys wait
const MODIFIERS = /^(Control|Shift|Alt|Meta|AltGraph|CapsLock|Dead|Process|ContextMenu|F\d+)$/;

/** How many keys waited in vain. */
export const lost = signal(0);

/** @typedef {(target: Element) => boolean} Where */
/** What is waited for, and at which elements. @type {Map<Promise<unknown>, Where>} */
const awaited = new Map();
/** @type {KeyboardEvent[]} */
let held = [];
let isPressing = false;

/** @type {Where} */
const outsideFields = (target) => !isField(target);
/** @type {Where} */
export const everywhere = () => true;

/**
 * Let the keys wait that are pressed from now on, until something has come. `where`: those of these elements; without it
 * those that are not typed into a field.
 * @template T @param {Promise<T>} promise @param {Where} [where] @returns {Promise<T>}
 */
export function hold(promise, where = outsideFields) {
  awaited.set(promise, where);
  const timer = setTimeout(() => (awaited.delete(promise), drop()), LONGEST);
  const end = () => {
    clearTimeout(timer);
    if (awaited.delete(promise)) void pressAgain();
  };
  promise.then(end, end);
  return promise;
}

/** Forget what waits, and say so. */
function drop() {
  if (held.length) lost.value = held.length;
  lost.value = 0;
  held = [];
}

const focused = () => document.activeElement ?? document.body;

/** @param {Element} target */
const isAwaited = (target) => [...awaited.values()].some((where) => where(target));

/** Whether it can be pressed again: a shortcut of the browser cannot. @param {KeyboardEvent} event */
function isOurs(event) {
  if (event.isComposing || event.keyCode === 229 || MODIFIERS.test(event.key)) return false;
  const key = keyOf(event);
  return !(event.ctrlKey || event.metaKey) || /^(Enter|Home|End|Arrow.*|a)$/.test(event.key) || [...actions.values()].some((one) => one.keys.includes(key));
}

async function pressAgain() {
  if (isPressing) return;
  isPressing = true;
  const drawn = () => new Promise((then) => setTimeout(then)); // and those who waited have gone on
  await drawn();
  while (held.length && !isAwaited(focused())) {
    if (!press(/** @type {KeyboardEvent} */ (held.shift()))) drop();
    await drawn();
  }
  isPressing = false;
}

/** Go to the next element that Tab leads to, or the one before, as a browser does. @param {number} step */
function toNext(step) {
  const within = document.querySelector("dialog[open]") ?? document;
  const all = [.../** @type {NodeListOf<HTMLElement>} */ (within.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]"))];
  const found = all.filter((one) => one.tabIndex >= 0 && !one.matches(":disabled, [type=radio]:not(:checked)") && one.checkVisibility());
  const next = found[(found.indexOf(/** @type {HTMLElement} */ (focused())) + step + found.length) % found.length];
  next?.focus();
  if (next instanceof HTMLInputElement && isField(next)) next.select();
  return true;
}

/** Press a key where the focus is now; whether it did what it does there. @param {KeyboardEvent} event */
function press(event) {
  const { key, code, ctrlKey, altKey, shiftKey, metaKey } = event;
  const target = focused();
  if (!target.dispatchEvent(new KeyboardEvent("keydown", { key, code, ctrlKey, altKey, shiftKey, metaKey, bubbles: true, cancelable: true }))) return true;
  if (key === "Tab") return toNext(shiftKey ? -1 : 1);
  if (isField(target)) return type(/** @type {HTMLInputElement | HTMLTextAreaElement} */ (target), event);
  if (/^(Enter| )$/.test(key) && target instanceof HTMLElement && target.matches("button, a, summary, input")) target.click();
  return true;
}

const EDITS = /** @type {Record<string, string>} */ ({ Backspace: "delete", Delete: "forwardDelete" });
const MOVES = /** @type {Record<string, string[]>} */ ({
  ArrowLeft: ["backward", "character", "word"],
  ArrowRight: ["forward", "character", "word"],
  Home: ["backward", "lineboundary", "documentboundary"],
  End: ["forward", "lineboundary", "documentboundary"],
});

/** What a browser does by a key in a field. @param {HTMLInputElement | HTMLTextAreaElement} field @param {KeyboardEvent} event */
function type(field, { key, ctrlKey, metaKey, altKey, shiftKey }) {
  const isPlain = !ctrlKey && !metaKey && !altKey;
  const insert = (/** @type {string} */ text) => document.execCommand("insertText", false, text);
  if (isPlain && key.length === 1) return insert(key);
  if (isPlain && key === "Enter") return field.tagName === "TEXTAREA" ? insert("\n") : (field.form?.requestSubmit(), true);
  if (isPlain && EDITS[key]) return document.execCommand(EDITS[key]) || true;
  if (key === "a" && !altKey && !isPlain) return field.select(), true;
  if (!MOVES[key] || altKey || /Firefox/.test(navigator.userAgent)) return isPlain && key.length > 1 && !MOVES[key]; // Firefox moves no caret in fields
  const [direction, part, larger] = MOVES[key];
  getSelection()?.modify(shiftKey ? "extend" : "move", direction, isPlain ? part : larger);
  return true;
}

/** Hear the keys before all others do. */
export function listen() {
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    const isBehind = held.length > 0 || isPressing;
    if (!event.isTrusted || !(isBehind || (event.key !== "Tab" && isAwaited(target))) || !isOurs(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    held.push(event);
  }, true);
  document.addEventListener("pointerdown", drop, true); // the pointer goes on without them
}
