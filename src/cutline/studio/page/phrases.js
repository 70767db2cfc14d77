// @ts-check
/** Quick phrases: Alt+1 to Alt+9 put one into the caption, or take it out. The server keeps them with the dataset. */

import { effect, html, signal, useState } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { change, draft } from "./draft.js";
import { keyText, register } from "./keys.js";
import { focusOn } from "./panels.js";
import { heard, locked, notice, opening } from "./store.js";
import { hasPhrase, togglePhrase } from "./tag_text.js";

const MOST = 9;
export const phrases = signal(/** @type {string[]} */ ([]));
const isOpen = signal(false);

effect(() => {
  if (locked.value || opening.value < 0) return;
  get("studio/phrases").then((found) => (phrases.value = found), () => (phrases.value = []));
});
heard.set("phrases", (event) => (phrases.value = event.phrases));

/** @param {number} number */
function press(number) {
  const phrase = phrases.value[number];
  if (!phrase) isOpen.value = true;
  else if (draft.value) {
    const field = /** @type {HTMLTextAreaElement | null} */ (document.querySelector(".editor textarea:focus"));
    const at = field?.selectionStart ?? 0;
    change(togglePhrase(draft.value.text, phrase));
    if (field) setTimeout(() => field.setSelectionRange(at, at));
  }
}

for (let number = 0; number < MOST; number += 1) {
  const name = `quick phrase ${number + 1}: into the caption, or out of it`;
  register({ id: `phrase-${number + 1}`, keys: [`Alt+${number + 1}`], text: name, group: "Phrases", typing: true, run: () => press(number) });
}

export function Phrases() {
  const text = draft.value?.text ?? "";
  if (isOpen.value) return html`<${Form} />`;
  return html`<div class="phrases" role="group" aria-label="Quick phrases">
    ${phrases.value.map((phrase, number) => phrase && html`<button key=${number} aria-pressed=${hasPhrase(text, phrase)} title=${`${phrase} (${keyText(`Alt+${number + 1}`)})`}
        onClick=${() => press(number)}><kbd>${number + 1}</kbd> ${phrase}</button>`)}
    <button class="quiet" onClick=${() => (isOpen.value = true)}>${phrases.value.length ? "Change phrases" : "Quick phrases"}</button>
  </div>`;
}

function Form() {
  const [text, setText] = useState(phrases.value.join("\n"));
  const close = () => {
    isOpen.value = false;
    focusOn(".editor .field");
  };
  const keep = async () => {
    try {
      phrases.value = await send("studio/phrases", { phrases: text.split("\n") }, "PUT");
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
