// @ts-check
/** The editor of the current picture: its caption is saved when typing pauses, and before another one is shown. */

import { html, signal, useEffect, useRef } from "./vendor/preact.js";
import { ApiError, send } from "./api.js";
import { current, put, rows, want } from "./store.js";

const PAUSE = 800; // ms

/** @type {{row: number, before: string | null, text: string} | null} */
let draft = null;
let timer = 0;
export const status = signal({ kind: "saved", text: "" });

/** Save what was typed, if anything was. The draft is kept until the server has it. */
export async function save() {
  clearTimeout(timer);
  const saving = draft;
  if (!saving || saving.text.trim() === (saving.before ?? "")) return;
  status.value = { kind: "saving", text: "Saving" };
  try {
    const saved = await send(`studio/captions/${saving.row}`, { caption: saving.text, before: saving.before }, "PUT");
    saving.before = saved.caption;
    const known = rows.value.get(saving.row);
    if (known) put([{ ...known, caption: saved.caption }]);
    status.value = { kind: "saved", text: "Saved" };
  } catch (error) {
    const conflict = error instanceof ApiError && error.status === 409;
    const text = conflict ? "changed by another program" : /** @type {Error} */ (error).message;
    status.value = { kind: "problem", text: `Not saved: ${text}` };
  }
}

export function Editor() {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const now = current.value;
  const row = now?.row;
  useEffect(() => {
    if (row !== undefined) want([row]);
  }, [row, rows.value]);
  useEffect(() => {
    if (row === undefined || !now || !("caption" in now)) return undefined;
    if (draft?.row === row && (draft.before === now.caption || draft.text.trim() !== (draft.before ?? ""))) {
      return undefined; // what is typed stays; saving it finds out about another text
    }
    draft = { row, before: now.caption ?? null, text: now.caption ?? "" };
    if (field.current) field.current.value = draft.text;
    status.value = { kind: "saved", text: "" };
    return undefined;
  }, [row, now?.caption]);
  useEffect(() => () => void save(), [row]);
  if (!now) return html`<section class="editor"><p class="note">No picture matches.</p></section>`;
  const type = () => {
    if (!draft || draft.row !== row) return;
    draft.text = /** @type {HTMLTextAreaElement} */ (field.current).value;
    status.value = { kind: "typing", text: "" };
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  };
  return html`<section class="editor" aria-label="Caption">
    <div class="view"><img src=${`studio/pictures/${row}`} alt=${now.key ?? ""} /></div>
    <textarea ref=${field} spellcheck="true" readOnly=${!("caption" in now)} aria-label="Caption" onInput=${type} onBlur=${save}></textarea>
    <div class="status">
      <span>${now.key}</span>
      <span role="status" class=${status.value.kind}>${status.value.text}</span>
    </div>
  </section>`;
}
