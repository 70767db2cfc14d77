// @ts-check
/** The proposal of the current picture: what it changes word by word, and what can be done with it. */

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { ActionButton } from "./action_button.js";
import { Difference } from "./difference.js";
import { retry, running } from "./generate.js";
import { focusOn } from "./panels.js";
import { acceptSeen, keepShown, keepTyped, typedFor } from "./proposals.js";
import { DOUBLE_CLICK } from "./running.js";

/** @param {{row: {row: number, caption?: string | null, proposal?: import("./store.js").Row["proposal"]}}} props */
export function Suggestion({ row: { row, caption, proposal } }) {
  const [text, setText] = useState(typedFor(row));
  const made = useRef(proposal?.caption);
  useEffect(() => {
    if (made.current === proposal?.caption) return; // another one was made
    made.current = proposal?.caption;
    setText(null);
    keepTyped(row, null);
  }, [proposal?.caption]);
  useEffect(() => void keepShown(row, caption ?? null));
  const began = useRef(-DOUBLE_CLICK); // when the field was opened, until something is typed into it
  if (!proposal) return null;
  const isChanged = (caption ?? null) !== (proposal.before ?? null);
  const type = (/** @type {string} */ value) => {
    setText(value);
    keepTyped(row, value);
    began.current = -DOUBLE_CLICK;
  };
  const edit = (/** @type {MouseEvent} */ event) => {
    type(proposal.caption);
    began.current = event.timeStamp;
    setTimeout(() => focusOn(".suggestion textarea"));
  };
  // The second click of a double click was meant for the button that stood here before.
  const unlessDouble = (/** @type {() => void} */ then) => (/** @type {MouseEvent} */ event) => {
    if (!event.detail || event.timeStamp - began.current >= DOUBLE_CLICK) then(); // 0 of a key
  };
  const forget = unlessDouble(() => {
    setText(null);
    keepTyped(row, null);
  });
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    void acceptSeen();
  };
  return html`<section class="suggestion" aria-label="Proposal">
    <p class="line-of"><b>Proposal</b> <span class="figures" title=${proposal.prompt_id}>${proposal.model}${proposal.prompt_id && ` · ${proposal.prompt_id.split("@")[0]}`}</span></p>
    ${isChanged && html`<p class="problem" role="alert">The caption was changed since: it was made for “${proposal.before ?? "no caption"}”.</p>`}
    ${text === null
      ? html`<p class="text"><${Difference} before=${caption ?? ""} after=${proposal.caption} /></p>`
      : html`<textarea rows="4" aria-label="Proposal" value=${text} onKeyDown=${press}
          onInput=${(/** @type {any} */ event) => type(event.target.value)}></textarea>`}
    <div class="line-of">
      <span class="buttons">
        ${text === null ? html`<${ActionButton} id="accept">Accept<//>` : html`<button class="main" onClick=${unlessDouble(() => void acceptSeen())}>Accept changed</button>`}
        ${text === null ? html`<button onClick=${edit}>Change</button>` : html`<button class="quiet" onClick=${forget}>As proposed</button>`}
        <${ActionButton} id="reject">Reject<//>
      </span>
      <button class="quiet" disabled=${Boolean(running.value)} title="another caption by the captioner of the Generate panel" onClick=${() => retry(row)}>Try again</button>
    </div>
  </section>`;
}
