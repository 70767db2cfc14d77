// @ts-check
/** The panel of lint: what is odd in captions, as a list that one works off by filters, edits, and what is ignored. */

import { batch, html, signal, useLayoutEffect } from "./vendor/preact.js";
import { get, send } from "./api.js";
import * as bulk from "./bulk.js";
import { save } from "./draft.js";
import { quoted, withTerm } from "./filter_text.js";
import { hold } from "./held_keys.js";
import { guessScope, Panel, prepareScope, scope, ScopeChoice, scopeOf, show } from "./panels.js";
import { ended, JobProgress, plural } from "./running.js";
import { keepSet, setName } from "./selection.js";
import { answered, edition, opening, picked, query, search } from "./store.js";

/**
 * `place`: in the server's list; `query`: null where only a set finds the captions.
 * @typedef {{place: number, check: string, text: string, count: number, message: string, query: string | null, replace: [string, string] | null, pattern: string, is_ignored: boolean}} Finding
 */

/** What each check finds, and whether each finding is a group of which one can be kept. @type {Record<string, [string, boolean?]>} */
const CHECKS = {
  frequent: ["In nearly every caption"],
  opener: ["Openers: of the picture, or the same again and again"],
  repetition: ["Captions that repeat themselves"],
  sentence: ["The same sentence again and again"],
  same: ["One caption for different pictures", true],
  near: ["Nearly the same caption", true],
  picture: ["The same picture several times", true],
  spelling: ["Spellings that differ by a letter"],
  case: ["Unusual upper or lower case"],
  prompt: ["Prompts and refusals"],
  once: ["Words used once"],
};
const MOST = 200; // findings of a check
const SHOWN = 80; // characters of a finding

const list = signal(/** @type {{number: number, captions: number, findings: Finding[], base: string, edition: number} | null} */ (null));
const job = signal(/** @type {number | null} */ (null));
const problem = signal("");
const showsIgnored = signal(false);
const pictures = signal(false);
/** What the filter shows: findings by their place, or the check, and the query that does. */
const active = signal({ key: "", query: "" });
/** @param {string} key */
const isActive = (key) => Boolean(key) && active.value.key === key && active.value.query === query.value;
opening.subscribe(() => batch(() => ((list.value = null), (job.value = null), (problem.value = ""), (active.value = { key: "", query: "" }))));

/** Run what can fail, and say why it did. @param {() => Promise<unknown>} work */
async function attempt(work) {
  try {
    problem.value = "";
    await work();
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}

/** The opening whose captions are being checked. @type {number | null} */
let checking = null;

/** Check the captions of the scope. */
function check() {
  const mine = opening.value;
  if (checking === mine) return;
  checking = mine;
  void attempt(start).then(() => checking === mine && (checking = null));
}

async function start() {
  const [where, chosen] = [scope.value, picked.value];
  if (list.value && isActive(active.value.key)) await search(list.value.base); // back to what was checked
  await save();
  const within = await scopeOf();
  let base = where === "filter" ? answered.value : "";
  if (where === "selection") {
    const name = setName("lint");
    if (await keepSet(name, chosen)) base = `in:${name}`;
  }
  const turn = opening.value;
  const began = edition.value;
  const checks = Object.keys(CHECKS).filter((name) => name !== "picture" || pictures.value);
  const started = await send("studio/lint", { scope: within, checks });
  job.value = started.job;
  const state = await ended(started.job);
  if (turn !== opening.value) return;
  job.value = null;
  if (state.problem || state.figures.lint === null) {
    problem.value = state.problem || "Stopped.";
    return;
  }
  const found = await get(`studio/lint/${state.figures.lint}`);
  const findings = found.findings.map((/** @type {any} */ one, /** @type {number} */ place) => ({ ...one, place }));
  batch(() => {
    list.value = { number: state.figures.lint, captions: found.captions, findings, base, edition: began };
    active.value = { key: "", query: "" };
  });
}

/** Make the captions of findings a set. @param {Finding[]} findings @param {boolean} [others] all but the first of each */
async function setOf(findings, others = false) {
  const { name } = await send(`studio/lint/${list.value?.number}/set`, { findings: findings.map((one) => one.place), others });
  return `in:${quoted(name)}`;
}

/** Show the captions of findings, or those without; once more: all that were checked. @param {number | string} name @param {Finding[]} findings @param {{without?: boolean, others?: boolean}} [how] */
const filter = (name, findings, { without, others } = {}) => attempt(async () => {
  const base = list.value?.base ?? "";
  const key = `${name}${without ? "-" : ""}${others ? "+" : ""}`;
  if (isActive(key)) {
    await search(base);
    return;
  }
  const term = !others && findings.length === 1 && findings[0].query !== null ? findings[0].query : await setOf(findings, others);
  const text = withTerm(base, term, without);
  active.value = { key, query: text };
  await search(text);
});

const escaped = (/** @type {string} */ text) => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");

/** The edit that mends a finding; what replaces it can be typed. @param {Finding} one */
function editOf(one) {
  if (one.replace) return { old: one.replace[0], new: one.replace[1], word: true };
  if (one.pattern) return { old: one.pattern, new: "", regex: true, ignore_case: true };
  if (one.check === "sentence") return { old: `${escaped(one.text)}[.!?…]*\\s*`, new: "", regex: true };
  if (one.check === "prompt") return { old: one.text, new: "" };
  return { old: one.text, new: one.check === "once" ? one.text : "", word: true, ignore_case: true };
}

/** Show a finding's captions, and open what mends them. @param {Finding} one @param {"bulk" | "generate"} name */
async function mend(one, name) {
  if (!isActive(`${one.place}`)) await filter(one.place, [one]);
  if (problem.value) return;
  if (name === "bulk") bulk.prepare("replace", editOf(one), "filter");
  else prepareScope("filter");
  show(name);
}

/** @param {Finding} one */
const ignore = (one) => attempt(async () => {
  await send("studio/lint/ignored", { check: one.check, text: one.text, on: !one.is_ignored }, "PUT");
  const now = list.value;
  if (now) list.value = { ...now, findings: now.findings.map((each) => (each.place === one.place ? { ...each, is_ignored: !one.is_ignored } : each)) };
});

export function LintPanel() {
  useLayoutEffect(() => {
    if (list.value) return;
    guessScope();
    void check();
  }, [opening.value]);
  const now = list.value;
  const running = job.value !== null;
  const hidden = now?.findings.filter((one) => one.is_ignored).length ?? 0;
  const shown = now?.findings.filter((one) => showsIgnored.value || !one.is_ignored) ?? [];
  return html`<${Panel} name="lint" title="Lint">
    <div class="form">
      <${ScopeChoice} />
      <label class="tick"><input type="checkbox" checked=${pictures.value} onChange=${(/** @type {any} */ event) => (pictures.value = event.target.checked)} /> equal pictures too, which reads files</label>
    </div>
    ${problem.value && html`<p class="notice" role="alert">${problem.value}</p>`}
    <p class="figures" role="status">${running ? "Checking…" : now && `${plural(shown.length, "finding")} in ${plural(now.captions, "caption")}${now.edition === edition.value ? "" : "; captions have changed since"}`}</p>
    <div class="list findings" tabindex="0" role="region" aria-label="Findings">
      ${Object.entries(CHECKS).map(([name, [title, isGroup]]) => html`<${Group} key=${name} name=${name} title=${title} isGroup=${Boolean(isGroup)} findings=${shown.filter((one) => one.check === name)} />`)}
      ${now && !shown.length && !running && html`<p class="note">Nothing odd is left here.</p>`}
    </div>
    <footer>
      ${running
        ? html`<${JobProgress} job=${job.value} bare /><button onClick=${() => send(`studio/jobs/${job.value}`, undefined, "DELETE")}>Stop</button>`
        : html`<button class="main" onClick=${check}>${now ? "Check again" : "Check"}</button>`}
      ${hidden > 0 && html`<button aria-pressed=${showsIgnored.value} onClick=${() => (showsIgnored.value = !showsIgnored.value)}>Ignored (${hidden.toLocaleString("en")})</button>`}
    </footer>
  <//>`;
}

/** The findings of a check. @param {{name: string, title: string, isGroup: boolean, findings: Finding[]}} props */
function Group({ name, title, isGroup, findings }) {
  if (!findings.length) return null;
  return html`<section aria-label=${title}>
    <h3 class="line-of"><span>${title} <span class="figures">${findings.length < MOST ? findings.length : `the first ${findings.length}`}</span></span>
      <span class="acts"><button class="quiet" aria-pressed=${isActive(name)} onClick=${() => filter(name, findings)}>Find all</button>
      ${isGroup && html`<button class="quiet" title="Find all but the first of each: flag them, or export without them" aria-pressed=${isActive(`${name}+`)} onClick=${() => filter(name, findings, { others: true })}>Keep one of each…</button>`}</span></h3>
    <ul>${findings.map((one) => html`<${Line} key=${one.place} one=${one} isGroup=${isGroup} />`)}</ul>
  </section>`;
}

/** @param {{one: Finding, isGroup: boolean}} props */
function Line({ one, isGroup }) {
  const text = one.text.length > SHOWN ? `${one.text.slice(0, SHOWN)}…` : one.text;
  const name = one.replace ? `${one.text} by ${one.replace[1]}` : one.text;
  const click = (/** @type {MouseEvent} */ event) => filter(one.place, [one], { without: event.altKey });
  const act = (/** @type {string} */ label, /** @type {() => void} */ run) => html`<button class="quiet" aria-label=${`${label} ${name}`} onClick=${run}>${label}</button>`;
  const isText = !isGroup && one.check !== "frequent";
  return html`<li class=${one.is_ignored ? "off" : ""}>
    <p><button class="quiet term" aria-pressed=${isActive(`${one.place}`)} title=${`${one.text}. Click: filter, Alt-click: leave out`} onClick=${click}>${text}</button> <span class="figures">${one.message.split("`").map((part, place) => (place % 2 ? html`<code>${part}</code>` : part))}</span></p>
    <p class="acts">
      ${(one.replace || one.check === "once") && act("Replace…", () => hold(mend(one, "bulk")))}
      ${((isText && !one.replace && one.check !== "once" && one.text !== "CAPITALS") || one.check === "frequent") && act("Remove…", () => hold(mend(one, "bulk")))}
      ${(isGroup || one.check === "prompt" || one.text === "CAPITALS") && one.check !== "picture" && act("Generate…", () => hold(mend(one, "generate")))}
      ${isGroup && act("Keep one…", () => filter(one.place, [one], { others: true }))}
      ${act(one.is_ignored ? "Take back" : "Ignore", () => ignore(one))}
    </p>
  </li>`;
}
