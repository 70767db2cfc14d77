// @ts-check
/** The one registry of actions and their keys: handlers, tooltips, help and the command list all read it. */

/**
 * `typing`: also while a field has the focus. `grid`: not where a button or link has it, which the key presses.
 * @typedef {{id: string, keys: string[], text: string, run: () => void, group?: string, typing?: boolean,
 *   grid?: boolean}} Action
 */

/** @type {Map<string, Action>} */
export const actions = new Map();

/** @param {Action} action */
export function register(action) {
  actions.set(action.id, action);
}

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** A key as the registry writes it: `Ctrl+Shift+Z`, `ArrowDown`, `/`. @param {KeyboardEvent} event */
export function keyOf(event) {
  const parts = [];
  if (isMac ? event.metaKey : event.ctrlKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  const letter = event.key.length === 1;
  if (event.shiftKey && (!letter || parts.length || event.key === " ")) parts.push("Shift");
  const isLetter = letter && (parts.length || /[a-z]/i.test(event.key));
  if (event.altKey && /^Digit\d$/.test(event.code)) return [...parts, event.code.slice(-1)].join("+"); // a Mac types "¡"
  parts.push(event.key === " " ? "Space" : isLetter ? event.key.toUpperCase() : event.key);
  return parts.join("+");
}

const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc" };

/** A key as people read it. @param {string} key */
export function keyText(key) {
  const text = key.replace(/Arrow\w+|Page\w+|Escape/, (name) => NAMES[/** @type {keyof NAMES} */ (name)] ?? name);
  return isMac ? text.replace("Ctrl+", "⌘").replace("Alt+", "⌥").replace("Shift+", "⇧") : text;
}

/** What an action does, and its key. @param {string} id */
export function tip(id) {
  const action = actions.get(id);
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

/** @param {Action} action @param {EventTarget | null} target */
function applies(action, target) {
  if (isField(target)) return Boolean(action.typing);
  return !(action.grid && isControl(target));
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const key = keyOf(event);
    for (const action of actions.values()) {
      if (action.keys.includes(key) && applies(action, event.target)) {
        event.preventDefault();
        action.run();
        return;
      }
    }
  });
}
