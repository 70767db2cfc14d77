// @ts-check
/** Dialogs over the page: the keys, which can be changed, and the list of commands. Both read the registry. */

import { html, signal, useEffect, useRef, useState } from "./vendor/preact.js";
import { FolderDialog, startTour } from "./folders.js";
import { actions, changed, holders, keyOf, Keys, keyText, matching, rebind, run as runAction } from "./keys.js";
import { Dialog, dialog } from "./panels.js";
import { keepPreference } from "./store.js";

/** The action whose key is being changed, and what was pressed that other actions have. */
const changing = signal("");
const conflict = signal(/** @type {{key: string, others: import("./keys.js").Action[]} | null} */ (null));

/** @param {Record<string, string[]>} keys */
const keepKeys = (keys) => {
  changing.value = "";
  conflict.value = null;
  rebind(keys);
  void keepPreference({ keys });
};

/** Give an action a key, and take it from those that have it. @param {string} id @param {string} key */
function assign(id, key) {
  const keys = { ...changed.value, [id]: [key] };
  for (const other of holders(id, key)) keys[other.id] = other.keys.filter((one) => one !== key);
  keepKeys(keys);
}

/** The action's own keys again. @param {string} id */
function reset(id) {
  const { [id]: _, ...others } = changed.value;
  for (const key of actions.get(id)?.defaults ?? []) for (const other of holders(id, key)) others[other.id] = other.keys.filter((one) => one !== key);
  keepKeys(others);
}

/** The next key is the action's. @param {KeyboardEvent} event @param {string} id */
function capture(event, id) {
  if (/^(Control|Shift|Alt|Meta|AltGraph|CapsLock|Dead|Tab)$/.test(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  const key = keyOf(event);
  const others = holders(id, key);
  if (key === "Escape") [changing.value, conflict.value] = ["", null];
  else if (others.length) conflict.value = { key, others };
  else assign(id, key);
}

/** @param {{action: import("./keys.js").Action}} props */
function KeyLine({ action: { id, keys, text } }) {
  const isChanging = changing.value === id;
  const taken = isChanging ? conflict.value : null;
  return html`<div>
    <dt>${isChanging && !taken
      ? html`<button class="main" ref=${(/** @type {HTMLElement | null} */ box) => box?.focus()} aria-label=${`Press the key for: ${text}`}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => capture(event, id)} onBlur=${() => !conflict.value && (changing.value = "")}>Press a key</button>`
      : html`<button class="quiet" title="change the key" aria-label=${`Change the key for: ${text}`} onClick=${() => ((conflict.value = null), (changing.value = id))}>
          ${keys.length ? html`<${Keys} keys=${keys} />` : "no key"}</button>`}</dt>
    <dd>${text} ${id in changed.value && html`<button class="quiet" aria-label=${`Reset the key for: ${text}`} onClick=${() => reset(id)}>reset</button>`}
      ${taken && html`<p class="notice" role="alert">${keyText(taken.key)} is the key for: ${taken.others.map((one) => one.text).join(", ")}.
        <button onClick=${() => assign(id, taken.key)}>Use it here</button> <button onClick=${() => ([changing.value, conflict.value] = ["", null])}>Cancel</button></p>`}</dd></div>`;
}

function Help() {
  const groups = new Map();
  for (const action of actions.values()) {
    if (action.id.startsWith("pick-") && action.id !== "pick-all") continue; // Shift and a key that moves
    const name = action.group ?? "More";
    groups.set(name, [...(groups.get(name) ?? []), action]);
  }
  return html`<${Dialog} name="help" title="Keys">
    <p class="note">A click on a key changes it. In every browser that opens this studio the keys are the same.</p>
    <div class="groups">
      ${[...groups].map(([name, found]) => html`<section key=${name}><h3>${name}</h3>
        <dl>${found.map((/** @type {import("./keys.js").Action} */ one) => html`<${KeyLine} key=${one.id} action=${one} />`)}
          ${name === "Pick" && html`<div><dt><kbd>${keyText("Shift+")}</kbd> and a key or click</dt><dd>pick a range</dd></div>
            <div><dt><kbd>${keyText("Ctrl+")}</kbd> and a click</dt><dd>pick one more, or not any more</dd></div>`}
        </dl></section>`)}
    </div>
    <footer class="line-of">
      <button onClick=${() => ((dialog.value = ""), startTour())}>Tour of five keys</button>
      <button disabled=${!Object.keys(changed.value).length} onClick=${() => keepKeys({})}>Reset all keys</button></footer>
  <//>`;
}

function Commands() {
  const [text, setText] = useState("");
  const [place, setPlace] = useState(0);
  const chosen = useRef(""); // which runs once the dialog is closed
  const found = matching(text).filter((one) => one.id !== "commands");
  const at = Math.min(place, found.length - 1);
  const run = (/** @type {import("./keys.js").Action | undefined} */ action) => {
    if (!action) return;
    chosen.current = action.id;
    /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog[open]"))?.close();
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setPlace(Math.max(0, Math.min(found.length - 1, at + step)));
    else if (event.key === "Enter") run(found[at]);
    else return;
    event.preventDefault();
  };
  useEffect(() => document.getElementById(`command-${found[at]?.id}`)?.scrollIntoView({ block: "nearest" }), [at, text]);
  const closed = () => chosen.current && runAction(chosen.current);
  return html`<${Dialog} name="commands" title="Commands" closed=${closed}>
    <input type="text" role="combobox" aria-label="Command" aria-expanded="true" aria-controls="commands" autocomplete="off"
      aria-activedescendant=${found[at] ? `command-${found[at].id}` : undefined} value=${text}
      onInput=${(/** @type {any} */ event) => (setText(event.target.value), setPlace(0))} onKeyDown=${press} />
    <ul id="commands" class="commands" role="listbox" aria-label="Commands">
      ${found.map((one, number) => html`<li key=${one.id} id=${`command-${one.id}`} role="option" aria-selected=${number === at} onClick=${() => run(one)}>
        <span>${one.text}</span> <span><${Keys} keys=${one.keys} /></span></li>`)}
    </ul>
    ${!found.length && html`<p class="note">No command has these words.</p>`}
  <//>`;
}

export function Dialogs() {
  if (dialog.value === "help") return html`<${Help} />`;
  if (dialog.value === "folders") return html`<${FolderDialog} />`;
  return dialog.value === "commands" ? html`<${Commands} />` : null;
}
