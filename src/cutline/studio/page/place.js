// @ts-check
/** Where the user was: the query, the cursor and what was picked come back with the dataset. */

import { batch, effect } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { cursor, dataset, opening, picked, query, result, search } from "./store.js";

const PAUSE = 400; // ms

/** Where the user is, as text; "" until the place of this dataset is restored. */
let kept = "";
let timer = 0;

const place = () => ({ query: query.value, row: result.value[cursor.value] ?? null, picked: [...picked.value].slice(0, 10_001) });

/** Go to where the user was in the dataset that is open now. */
export async function restore() {
  kept = "";
  const turn = opening.value;
  const was = await get("studio/place").catch(() => null);
  if (turn !== opening.value) return;
  if (was?.query) await search(was.query);
  if (turn !== opening.value) return;
  batch(() => {
    if (was?.picked.length) picked.value = new Set(was.picked);
    const found = was?.row === null || was === null ? -1 : result.value.indexOf(was.row);
    if (found > 0) cursor.value = found;
  });
  kept = JSON.stringify(place());
}

function keep() {
  clearTimeout(timer);
  const now = JSON.stringify(place());
  if (!kept || now === kept || !dataset.value?.folder) return;
  kept = now;
  void send("studio/place", place(), "PUT").catch(() => (kept = "?")); // tried again with the next change
}

effect(() => {
  void [query.value, cursor.value, picked.value, result.value];
  clearTimeout(timer);
  timer = setTimeout(keep, PAUSE);
});
window.addEventListener("pagehide", keep);
