// @ts-check
/** The pictures before and after the current one, as small thumbnails that lead there. */

import { html, useEffect } from "./vendor/preact.js";
import { Picture } from "./picture.js";
import { go } from "./selection.js";
import { cursor, result, rows, want } from "./store.js";

const SIDE = 3; // on each side

export function Neighbours() {
  /** @type {number[]} */
  const places = [];
  for (let step = -SIDE; step <= SIDE; step += 1) places.push(cursor.value + step);
  useEffect(() => want(places.map((place) => result.value[place]).filter((row) => row !== undefined), "neighbours"));
  return html`<nav class="neighbours" aria-label="Pictures before and after">
    ${places.map((place) => {
      const row = result.value[place];
      if (row === undefined) return html`<span key=${`none ${place}`}></span>`;
      const key = rows.value.get(row)?.key ?? "";
      const step = place - cursor.value;
      const name = step === 0 ? `This picture: ${key}` : `${step < 0 ? "Before" : "After"}: ${key}`;
      return html`<button key=${row} class="quiet" title=${key} aria-label=${name} aria-current=${step === 0 ? "true" : undefined} onClick=${() => go(place)}>
        <${Picture} src=${`studio/thumbnails/${row}`} alt="" />
      </button>`;
    })}
  </nav>`;
}
