// @ts-check
/** A caption that another program changed while this one was typed: both texts, and the ways out. */

import { html, useState } from "./vendor/preact.js";
import { Difference } from "./difference.js";
import { resolve } from "./draft.js";
import { focusOn } from "./panels.js";
import { merge } from "./words.js";

/** @param {{draft: import("./draft.js").Draft}} props */
export function Conflict({ draft }) {
  const theirs = draft.theirs ?? "";
  const [merged, setMerged] = useState(/** @type {string | null} */ (null));
  const take = (/** @type {string} */ text) => {
    resolve(text);
    focusOn(".editor .field");
  };
  return html`<section class="conflict" aria-label="Two texts">
    <p role="alert">Another program or tab has changed this caption meanwhile.</p>
    <dl>
      <dt>Mine</dt><dd>${draft.text}</dd>
      <dt>Theirs</dt><dd>${theirs || html`<em>no caption</em>`}</dd>
      <dt>From theirs to mine</dt><dd><${Difference} before=${theirs} after=${draft.text} /></dd>
    </dl>
    ${merged !== null &&
    html`<label>Merged <textarea rows="3" value=${merged} onInput=${(/** @type {any} */ event) => setMerged(event.target.value)}></textarea></label>`}
    <div class="line-of">
      <button onClick=${() => take(draft.text)}>Keep mine</button>
      <button onClick=${() => take(theirs)}>Take theirs</button>
      ${merged === null
        ? html`<button onClick=${() => setMerged(merge(draft.before ?? "", draft.text, theirs))}>Merge</button>`
        : html`<button class="main" onClick=${() => take(merged)}>Save merged</button>`}
    </div>
  </section>`;
}
