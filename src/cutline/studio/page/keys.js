// @ts-check
/** The one registry of actions and their keys: handlers, tooltips, help and docs all read it. */

/** @typedef {{id: string, keys: string[], text: string, run: () => void, typing?: boolean}} Action */

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
  if (event.shiftKey && (!letter || parts.length)) parts.push("Shift");
  parts.push(letter && (parts.length || /[a-z]/i.test(event.key)) ? event.key.toUpperCase() : event.key);
  return parts.join("+");
}

/** @param {EventTarget | null} target */
function isField(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const key = keyOf(event);
    const typing = isField(event.target);
    for (const action of actions.values()) {
      if (action.keys.includes(key) && (!typing || action.typing)) {
        event.preventDefault();
        action.run();
        return;
      }
    }
  });
}
