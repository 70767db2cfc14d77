// @ts-check
/** What generations left: failures by kind, and those that can be continued. */

import { html } from "./vendor/preact.js";
import * as gen from "./generate.js";
import { scope, scopeOf } from "./bulk.js";
import { Outcome } from "./outcome.js";
import { accept, reject } from "./proposals.js";
import { show } from "./panels.js";
import { plural } from "./running.js";
import { go } from "./selection.js";
import { dataset, search } from "./store.js";

const number = (/** @type {number} */ value) => value.toLocaleString("en");

/** Show the first proposal in the editor, in the panel's place, and the others in the grid. */
async function showAll() {
  await search("has:proposal");
  go(0);
  show("");
}

/** The failures of the generation that runs or ran last; a click finds their pictures. */
export function FailedKinds() {
  const kinds = gen.running.value?.figures.kinds ?? gen.last.value?.result?.kinds ?? {};
  const found = Object.entries(kinds);
  if (!found.length) return null;
  return html`<section aria-label="Failures"><h3>Failures</h3><ul class="kinds">
    ${found.map(([kind, count]) => html`<li key=${kind}><button title="find these pictures" onClick=${() => search(`failed:${kind}`)}>${kind}: ${number(/** @type {number} */ (count))}</button></li>`)}
  </ul></section>`;
}

/** What is to be decided about, with buttons for all of the scope. */
export function Waiting() {
  const count = dataset.value?.proposals ?? 0;
  if (!count) return null;
  const which = { selection: "those picked", filter: "those shown", all: "all", picture: "this one" }[scope.value];
  return html`<section class="waiting" aria-label="Proposals"><h3>${plural(count, "proposal")}</h3>
    <p class="buttons">
      <button title="each beside its picture, in the editor" onClick=${() => showAll()}>Show</button>
      <button onClick=${() => accept(scopeOf())}>Accept ${which}</button>
      <button onClick=${() => reject(scopeOf())}>Reject ${which}</button>
    </p><${Outcome} /></section>`;
}

/** Generations that were stopped, or whose studio ended. */
export function Unfinished() {
  if (gen.running.value || !gen.unfinished.value.length) return null;
  return html`<section aria-label="Unfinished"><ul class="list unfinished">
    ${gen.unfinished.value.map((one) => html`<li key=${one.id} class="line-of">
      <span>${one.choice.chain ?? one.choice.model}: stopped with ${plural(one.rows, "picture")} left; what was paid for is kept</span>
      <span class="buttons"><button onClick=${() => gen.resume(one.id)}>Continue</button> <button class="quiet" onClick=${() => gen.discard(one.id)}>Discard</button></span>
    </li>`)}
  </ul></section>`;
}
