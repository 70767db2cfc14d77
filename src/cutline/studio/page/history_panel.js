// @ts-check
/** The history: every edit with the button that takes it back, and the captions that a picture has had. */

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { Difference } from "./difference.js";
import { Panel } from "./panels.js";
import { afterEdits, DOUBLE_CLICK, Outcome, outcome, plural, undo } from "./running.js";
import { current, edition, forget, opening, putWritten, rows, want } from "./store.js";

const PART = 50; // edits in a request
const times = new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "medium" }); // as commands print them

/**
 * @typedef {{id: number, time: number, kind: string, summary: string, model: string, prompt_id: string, files: number, state: string,
 *   undone_by: number | null, taken_back: number}} EditRecord
 * @typedef {{edit: number, time: string, by: string, caption: string | null, prompt_id: string}} Version
 */

export function HistoryPanel() {
  return html`<${Panel} name="history" title="History">
    <${Versions} />
    <h3>All edits</h3>
    <${Edits} />
    <footer><${Outcome} /><${Conflicts} /></footer>
  <//>`;
}

function Edits() {
  const [edits, setEdits] = useState(/** @type {EditRecord[]} */ ([]));
  const [isAll, setAll] = useState(false);
  const [problem, setProblem] = useState("");
  const turn = useRef(0);
  const load = async (/** @type {EditRecord[]} */ known, /** @type {number} */ count) => {
    try {
      const before = known.length ? `&before=${/** @type {EditRecord} */ (known.at(-1)).id}` : "";
      const mine = (turn.current += 1);
      const next = await get(`studio/history?limit=${count}${before}`);
      if (mine !== turn.current) return;
      setEdits([...known, ...next]);
      setAll(next.length < count);
      setProblem("");
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
    }
  };
  useEffect(() => void load([], Math.max(PART, edits.length)), [edition.value]);
  if (problem) return html`<p class="notice" role="alert">${problem}</p>`;
  if (!edits.length) return html`<p class="note">Nothing has been edited yet.</p>`;
  return html`<ol class="list" aria-label="Edits" tabindex="0">
    ${edits.map((one) => html`<${Edit} key=${one.id} record=${one} />`)}
    ${!isAll && html`<li><button onClick=${() => load(edits, PART)}>Earlier edits</button></li>`}
  </ol>`;
}

/** @param {{record: EditRecord}} props */
function Edit({ record }) {
  const { id, time, summary, model, prompt_id: prompt, files, state, undone_by: undoneBy, taken_back: back, kind } = record;
  const isBack = back > 0 && back >= files; // else its undo left some alone
  const notes = [times.format(time * 1000), plural(files, "picture"), model, prompt, state === "done" ? "" : state, back > 0 && (isBack ? "taken back" : `taken back in ${back.toLocaleString("en")}`)];
  const mayUndo = files > 0 && (undoneBy === null || (kind !== "undo" && !isBack));
  const name = kind === "undo" ? "Redo" : back ? "Undo the rest" : "Undo";
  return html`<li class=${isBack ? "off" : ""}>
    <div class="line-of"><span>${summary}</span>
      ${mayUndo && html`<button aria-label=${`${name} ${summary}`} onClick=${(/** @type {MouseEvent} */ event) => takeBack(event, id)}>${name}</button>`}
    </div>
    <p class="figures">${notes.filter(Boolean).join(" · ")}</p>
  </li>`;
}

let latest = -DOUBLE_CLICK;

/** The line of the new edit comes under the pointer. @param {MouseEvent} event @param {number} id */
function takeBack(event, id) {
  if (event.detail && event.timeStamp - latest < DOUBLE_CLICK) return; // 0 of a key
  latest = event.timeStamp;
  void afterEdits(() => undo(id));
}

function Conflicts() {
  const files = outcome.value?.conflicts ?? [];
  if (!files.length) return null;
  return html`<details><summary>Left alone, because something else has changed them since</summary>
    <ul>${files.map((file) => html`<li key=${file}>${file}</li>`)}</ul>
  </details>`;
}

function Versions() {
  const now = current.value;
  const row = now?.row;
  const [found, setFound] = useState({ of: row, versions: /** @type {Version[]} */ ([]) });
  useEffect(() => {
    if (row === undefined) return undefined;
    want([row]);
    let isShown = true;
    get(`studio/history/${row}`).then((versions) => isShown && setFound({ of: row, versions }), () => isShown && setFound({ of: row, versions: [] }));
    return () => void (isShown = false);
  }, [row, edition.value]);
  if (!now) return null;
  const caption = now.caption ?? null;
  const versions = found.of === row ? found.versions : []; // none of another picture, which Restore would bring here
  return html`<h3>${now.key}</h3>
    <ol class="list" aria-label="Versions of this caption" tabindex="0">
      ${versions.map(
        (one, place) => html`<li key=${place}>
          <div class="line-of"><p><${Difference} before=${one.edit ? versions[place + 1]?.caption : one.caption} after=${one.caption} /></p>
            ${one.caption !== caption && html`<button onClick=${() => restore(now.row, now.key, caption, one.caption)}>Restore</button>`}
          </div>
          <p class="figures">${one.time && `${one.time} · `}<bdi>${one.by}</bdi>${one.prompt_id && ` · ${one.prompt_id}`}${one.caption === caption ? " · now" : ""}${one.caption === null ? " · no caption" : ""}</p>
        </li>`,
      )}
      ${!versions.length && found.of === row && html`<li class="note">This caption has not been edited.</li>`}
    </ol>`;
}

/** @param {number} row @param {string | undefined} key @param {string | null} before @param {string | null} caption */
async function restore(row, key, before, caption) {
  const folder = opening.value;
  const known = rows.value.get(row);
  try {
    const saved = await send(`studio/captions/${row}`, { caption: caption ?? "", before, key }, "PUT");
    if (known && folder === opening.value) putWritten([{ ...known, ...saved }]); // the next click is about this one
    outcome.value = { text: "Restored.", isBad: false, edit: null, conflicts: [] };
  } catch (error) {
    if (folder === opening.value) {
      forget([row]); // it is not what is shown
      want([row]);
    }
    outcome.value = { text: /** @type {Error} */ (error).message, isBad: true, edit: null, conflicts: [] };
  }
}
