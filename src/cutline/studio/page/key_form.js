// @ts-check
/** Shown first where the studio was started with a key. */

import { html } from "./vendor/preact.js";
import { start } from "./connection.js";
import { locked } from "./store.js";

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
