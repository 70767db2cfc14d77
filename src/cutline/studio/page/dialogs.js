// @ts-check
/** Dialogs over the page: the keys, and the list of commands. Both read the registry. */

import { html, useEffect, useState } from "./vendor/preact.js";
import { Keys } from "./action_button.js";
import { startTour } from "./first_steps.js";
import { FolderDialog } from "./folder_dialog.js";
import { actions, keyText, run as runAction } from "./keys.js";
import { Dialog, dialog } from "./panels.js";

function Help() {
  const groups = new Map();
  for (const action of actions.values()) {
    if (!action.keys.length || action.id.startsWith("pick-") && action.id !== "pick-all") continue;
    const name = action.group ?? "More";
    groups.set(name, [...(groups.get(name) ?? []), action]);
  }
  return html`<${Dialog} name="help" title="Keys">
    <div class="groups">
      ${[...groups].map(([name, found]) => html`<section key=${name}><h3>${name}</h3>
        <dl>${found.map((/** @type {import("./keys.js").Action} */ one) => html`<div key=${one.id}><dt><${Keys} keys=${one.keys} /></dt><dd>${one.text}</dd></div>`)}
          ${name === "Pick" && html`<div><dt><kbd>Shift</kbd> + a key or click</dt><dd>pick a range</dd></div>
            <div><dt><kbd>${keyText("Ctrl+").replace("+", "")}</kbd> + click</dt><dd>pick one more, or not any more</dd></div>`}
        </dl></section>`)}
    </div>
    <footer><button onClick=${() => ((dialog.value = ""), startTour())}>Tour of five keys</button></footer>
  <//>`;
}

function Commands() {
  const [text, setText] = useState("");
  const [place, setPlace] = useState(0);
  const words = text.toLowerCase().split(/\s+/);
  const found = [...actions.values()].filter((one) => one.id !== "commands" && words.every((word) => one.text.toLowerCase().includes(word)));
  const at = Math.min(place, found.length - 1);
  const run = (/** @type {import("./keys.js").Action | undefined} */ action) => {
    if (!action) return;
    /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog[open]"))?.close();
    setTimeout(() => runAction(action.id)); // the dialog has given the focus back by then
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setPlace(Math.max(0, Math.min(found.length - 1, at + step)));
    else if (event.key === "Enter") run(found[at]);
    else return;
    event.preventDefault();
  };
  useEffect(() => document.getElementById(`command-${found[at]?.id}`)?.scrollIntoView({ block: "nearest" }), [at, text]);
  return html`<${Dialog} name="commands" title="Commands">
    <input type="text" role="combobox" aria-label="Command" aria-expanded="true" aria-controls="commands" autocomplete="off"
      aria-activedescendant=${found[at] ? `command-${found[at].id}` : undefined} value=${text} autofocus
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
