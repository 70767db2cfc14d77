// @ts-check
/** What the page can do by keys; other modules add theirs. */

import { dirty, isTouched, save } from "./draft.js";
import { columns, nextSize } from "./grid.js";
import { hold } from "./held_keys.js";
import { register } from "./keys.js";
import { side } from "./map.js";
import { acceptSeen, acceptTyped, goToNext, markDone, reject, toggleMark, typedFor } from "./marks.js";
import { back, dialog, focusField, focusOn, keepField, panel, show } from "./panels.js";
import { afterEdits, isActing, redo, undo } from "./running.js";
import { asked, clear, extend, go, invert, latest, pickAgain, pickAll, takeBack, toggle } from "./selection.js";
import { cursor, notice, result, showsTags } from "./store.js";

const end = () => result.value.length - 1;
const page = () => columns.count * columns.page;

/** Keys that move the cursor, and with Shift pick what lies between. @type {[string, string, string, () => number, boolean][]} */
const MOVES = [
  ["left", "ArrowLeft", "previous picture", () => cursor.value - 1, false],
  ["right", "ArrowRight", "next picture", () => cursor.value + 1, false],
  ["up", "ArrowUp", "a line up", () => cursor.value - columns.count, false],
  ["down", "ArrowDown", "a line down", () => cursor.value + columns.count, false],
  ["home", "Home", "first picture", () => 0, true],
  ["end", "End", "last picture", end, true],
  ["page-up", "PageUp", "a page up", () => cursor.value - page(), true],
  ["page-down", "PageDown", "a page down", () => cursor.value + page(), true],
];
for (const [id, key, text, place, grid] of MOVES) {
  register({ id, keys: [key], text, group: "Move", grid, run: () => go(place()) });
}
for (const [id, key, text, place, grid] of MOVES) {
  register({ id: `pick-${id}`, keys: [`Shift+${key}`], text: `pick to ${text}`, group: "Pick", grid, run: () => extend(place()) });
}

/** What is typed next replaces the filter that is there. */
function find() {
  focusOn("input[type=search]");
  /** @type {HTMLInputElement | null} */ (document.querySelector("input[type=search]"))?.select();
}

/** Open a panel before the next key, which is meant for it; those that read captions wait for what is saved. @param {string} name */
const opened = (name) => () => (void save(), show(name));

/** The next keys are about the picture that is gone to. @param {string} query @param {string} none */
const nextOf = (query, none) => () => void hold(save().then(() => goToNext(query, none)));

/**
 * Take back, or do again, what was done last: what was picked, or an edit. What is still under way is waited for.
 * @param {(edit: number | null) => boolean} pick @param {() => Promise<unknown>} change
 */
const last = (pick, change) => () => {
  const isKnown = !isActing() && !dirty().length;
  if (isKnown && pick(latest())) return;
  const saving = save();
  void afterEdits(async () => (await saving, !isKnown && pick(await asked())) || change());
};

/** By the bar's button too it is about what is picked. */
function commands() {
  if (document.activeElement?.matches(".bar > button")) focusOn(".grid");
  dialog.value = "commands";
}

function edit() {
  if (panel.value === "map") side.value = "picture";
  else panel.value = "";
  focusField();
}

/** What is typed next belongs to the next picture, so that is shown at once; one that could not be saved comes back. */
async function finish() {
  const row = result.value[cursor.value];
  if (row === undefined) return;
  const saving = typedFor(row) === null ? save() : acceptTyped(row);
  const place = cursor.value;
  keepField(() => go(place + 1));
  const next = result.value[cursor.value];
  notice.value = next === row ? "This is the last picture." : "";
  try {
    if (await markDone(row, saving)) return;
    if (result.value[cursor.value] === next && result.value[place] === row && !isTouched()) go(place);
  } catch (error) {
    notice.value = /** @type {Error} */ (error).message;
  }
}

for (const action of [
  { id: "next-missing", keys: ["J"], text: "next picture without a caption", run: nextOf("missing:", "No picture here is without a caption.") },
  { id: "next-open", keys: ["U"], text: "next picture that is not done", run: nextOf("status:open", "All pictures here are done.") },
  { id: "next", keys: ["Ctrl+ArrowDown"], text: "next picture, also while typing", typing: true, run: () => keepField(() => go(cursor.value + 1)) },
  { id: "previous", keys: ["Ctrl+ArrowUp"], text: "previous picture, also while typing", typing: true, run: () => keepField(() => go(cursor.value - 1)) },
]) register({ group: "Move", ...action });

for (const action of [
  { id: "pick", keys: ["Space"], text: "pick, or not any more", grid: true, run: () => toggle(cursor.value) },
  { id: "pick-all", keys: ["Ctrl+A"], text: "pick all that the filter shows", grid: true, run: pickAll },
  { id: "invert", keys: ["Ctrl+I"], text: "invert what is picked", grid: true, run: invert },
  { id: "clear", keys: ["Ctrl+Shift+A"], text: "pick none", grid: true, run: clear },
]) register({ group: "Pick", ...action });

for (const action of [
  { id: "edit", keys: ["Enter"], text: "edit the caption", grid: true, run: edit },
  { id: "finish", keys: ["Ctrl+Enter"], text: "save, mark as done, go to the next", typing: true, run: () => void finish() },
  { id: "done", keys: ["D"], text: "mark as done, or not", run: () => toggleMark("done") },
  { id: "flag", keys: ["F"], text: "flag, or not", run: () => toggleMark("flagged") },
  { id: "bulk", keys: ["Ctrl+H"], text: "edit many captions", typing: true, run: opened("bulk") },
  { id: "generate", keys: ["G"], text: "generate captions", run: opened("generate") },
  { id: "accept", keys: ["A"], text: "accept the proposal and show the next picture, or accept those of what is picked", run: acceptSeen },
  { id: "reject", keys: ["R"], text: "reject the proposal and show the next picture, or reject those of what is picked", run: () => void reject() },
  { id: "tags", keys: ["T"], text: "text or tags", run: () => (showsTags.value = !showsTags.value) },
  { id: "undo", keys: ["Ctrl+Z"], text: "undo", run: last(takeBack, undo) },
  { id: "redo", keys: ["Ctrl+Shift+Z"], text: "redo", run: last(pickAgain, redo) },
]) register({ group: "Edit", ...action });

for (const action of [
  { id: "compare", keys: ["C"], text: "compare sets of captions", run: opened("compare") },
  { id: "export", keys: ["E"], text: "export pictures and captions", run: opened("export") },
  { id: "words", keys: ["W"], text: "words of the captions", run: opened("words") },
  { id: "map", keys: ["M"], text: "map of the captions or pictures, and their clusters", run: opened("map") },
  { id: "lint", keys: ["Shift+W"], text: "lint: what is odd in the captions", run: opened("lint") },
  { id: "find", keys: ["/", "Ctrl+F"], text: "find", typing: true, run: find },
  { id: "history", keys: ["H"], text: "history", run: opened("history") },
  { id: "open", keys: ["O"], text: "open another folder", run: () => (dialog.value = "folders") },
  { id: "size", keys: ["S"], text: "small, medium or large thumbnails", run: nextSize },
  { id: "help", keys: ["?"], text: "keys", run: () => (dialog.value = "help") },
  { id: "commands", keys: ["Ctrl+K"], text: "list of commands", typing: true, run: commands },
  { id: "back", keys: ["Escape"], text: "back to the grid", typing: true, run: back },
]) register({ group: "Page", ...action });
