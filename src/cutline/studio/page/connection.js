// @ts-check
/** The page and its server: what is open, the events that tell of changes, and the key that a studio may need. */

import { batch, html } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { recall, retry } from "./draft.js";
import { hold } from "./held_keys.js";
import { restore } from "./selection.js";
import { answered, clear, compare, cursor, dataset, edition, forget, heard, isDown, jobs, joined, left, locked, notice, opening, picked, preferences, query, result, rows, search, watch } from "./store.js";

const GRACE = 1500; // ms without events until the page says so
const AGAIN = 3000; // ms

/** Forget the rows of what was open: numbers mean others now. @param {any} state of what is open now */
async function enter(state) {
  const isSame = state.folder === dataset.value?.folder;
  const row = result.value[cursor.value];
  const key = isSame && row !== undefined ? rows.value.get(row)?.key : undefined;
  batch(() => {
    opening.value += 1; // texts that are not saved go with what was open
    edition.value += 1;
    picked.value = new Set();
    left.value = new Set();
    joined.value = 0;
    cursor.value = 0;
    jobs.value = {}; // a restarted studio numbers from 1
    result.value = new Uint32Array();
    answered.value = "";
    dataset.value = state;
    clear();
  });
  if (state.folder) await search(isSame ? query.value : "");
  const turn = opening.value;
  const at = cursor.value;
  if (key !== undefined) {
    const [found] = await send("studio/rows", { keys: [key] }).catch(() => []);
    const place = found ? result.value.indexOf(found.row) : -1;
    if (place >= 0 && turn === opening.value && cursor.value === at) cursor.value = place;
  }
  if (state.folder && !isSame) await restore();
  await recall();
}

/** The server is there again, or for the first time; it may have been restarted. */
async function hello() {
  const state = await get("studio/state").catch(() => null);
  if (!state) return;
  if (state.opening !== dataset.value?.opening) await enter(state);
  else {
    dataset.value = state;
    forget(null);
  }
  retry();
}

/** @param {string} kind @param {any} event */
function take(kind, event) {
  const { changed, ...state } = event;
  if (kind === "opened") {
    if (state.opening !== dataset.value?.opening) void enter(state);
    return;
  }
  dataset.value = state;
  if (kind === "changed") {
    forget(changed ?? null);
    edition.value += 1;
    compare();
  } else if (query.value && state.folder) void search(query.value, true);
}

/** Show what is open; a key is needed first where the studio has one. */
export async function start() {
  try {
    dataset.value = await get("studio/state");
    locked.value = "";
    if (dataset.value.folder) opening.value += 1; // what is kept for it is loaded
  } catch (error) {
    if (/** @type {any} */ (error).status === 401) locked.value = /** @type {Error} */ (error).message;
    else notice.value = /** @type {Error} */ (error).message;
    return;
  }
  const prefer = (/** @type {any} */ kept) => (preferences.value ??= kept); // an event may have brought newer ones
  void hold(get("studio/preferences").then(prefer, () => prefer({ keys: {}, tips: true }))); // keys may be others
  connect();
  watch();
  if (dataset.value.folder) {
    await search("");
    await restore();
  }
  await recall();
}

let connected = false;

/** Hear of changes; browsers connect again by themselves, except after an error that is not the network's. */
function connect() {
  const events = new EventSource("studio/events");
  let waiting = 0;
  events.addEventListener("hello", () => {
    clearTimeout(waiting);
    waiting = 0;
    isDown.value = false;
    if (connected) void hello();
    connected = true;
  });
  events.addEventListener("error", () => {
    waiting ||= setTimeout(() => (isDown.value = true), GRACE);
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(connect, AGAIN);
  });
  for (const kind of ["state", "opened", "changed"]) events.addEventListener(kind, (event) => take(kind, JSON.parse(event.data)));
  events.addEventListener("reading", (event) => {
    dataset.value = { ...dataset.value, read: JSON.parse(event.data).rows };
  });
  events.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    jobs.value = { ...jobs.value, [job.job]: job };
  });
  for (const [kind, hear] of heard) events.addEventListener(kind, (event) => hear(JSON.parse(event.data)));
  events.addEventListener("preferences", (event) => (preferences.value = JSON.parse(event.data)));
}

export function KeyForm() {
  /** @param {SubmitEvent} event */
  const enter = async (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const key = String(new FormData(form).get("key"));
    const headers = { "X-API-Key": key, "Content-Type": "application/json" };
    try {
      const response = await fetch("studio/session", { method: "POST", headers, body: "{}" });
      if (response.ok) await start();
      else locked.value = (await response.json()).detail;
    } catch {
      locked.value = "the studio does not respond, or the key has letters that no key has";
    }
  };
  return html`<main class="key"><form onSubmit=${enter}>
    <label>Key of this studio <input type="password" name="key" required autofocus autocomplete="current-password" /></label>
    <button>Open</button>
    <p role="alert">${locked.value}</p>
  </form></main>`;
}
