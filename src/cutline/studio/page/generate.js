// @ts-check
/** What the panel of generation knows: the choice, the counts, the estimate, and the job. */

import { batch, computed, signal } from "./vendor/preact.js";
import { get, send } from "./api.js";
import { save } from "./draft.js";
import { scopeOf } from "./panels.js";
import { ended, plural } from "./running.js";
import { jobs, notice } from "./store.js";

const KEPT = "cutline-generate"; // in the browser's storage: the choice, which holds no key
const PAUSE = 250; // ms

/**
 * @typedef {{model: string, kind: string, about: string, ready: boolean, needs: string,
 *   prompts: string[] | null}} Captioner
 * @typedef {{captioners: Captioner[], chains: string[], prompts: {name: string, about: string}[],
 *   endpoints: string[], any_endpoint: boolean}} Offer
 * @typedef {{model: string, chain: string, endpoint: string, prompt: string, text: string, parameters: string, trigger: string,
 *   policy: string, write: boolean, replaces: boolean}} Form
 */

/** @type {Form} */
const EMPTY = { model: "pixels", chain: "", endpoint: "", prompt: "", text: "", parameters: "", trigger: "", policy: "missing", write: false, replaces: false };

/** @returns {Form} */
function kept() {
  try {
    return { ...EMPTY, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}"), write: false, replaces: false };
  } catch {
    return EMPTY;
  }
}

export const form = signal(kept());
export const offer = signal(/** @type {Offer | null} */ (null));
/** How many pictures of the scope are captioned, and with an estimate what that takes. */
export const counts = signal(/** @type {any} */ (null));
export const unfinished = signal(/** @type {any[]} */ ([]));
/** Why the latest start failed, until the form is changed or started again. */
export const problem = signal("");
/** Why the pictures of the form as it is cannot be counted. */
export const miscount = signal("");
export const isMeasuring = signal(false);
/** The generation that runs, also one that another tab has started. */
export const running = computed(() => Object.values(jobs.value).find((one) => one.figures?.captions !== undefined && !one.is_over) ?? null);
/** The latest one that has ended. */
export const last = signal(/** @type {any} */ (null));

/** @param {Partial<Form>} changes */
export function set(changes) {
  form.value = { ...form.value, ...changes };
  problem.value = "";
  const { endpoint } = form.value; // one with a password is refused, and not kept
  localStorage.setItem(KEPT, JSON.stringify({ ...form.value, endpoint: endpoint.includes("@") ? "" : endpoint }));
  count();
}

/** The library's prompts that the chosen captioner supports. */
export const prompts = computed(() => {
  const { model, chain } = form.value;
  const supported = chain ? null : offer.value?.captioners.find((one) => one.model === model)?.prompts;
  return offer.value?.prompts.filter(({ name }) => !supported || supported.includes(name)) ?? [];
});

/** Choose another captioner, and no prompt where it lacks the present one. @param {Partial<Form>} changes */
export function choose(changes) {
  set(changes);
  const { prompt } = form.value;
  if (prompt && prompt !== "own" && !prompts.value.some(({ name }) => name === prompt)) set({ prompt: "" });
}

/** The choice as the server takes it. */
function choiceOf() {
  const { model, chain, endpoint, prompt, text } = form.value;
  const common = { parameters: form.value.parameters.trim() || null, trigger: form.value.trigger.trim() || null };
  if (chain) return { ...common, chain };
  const own = prompt === "own" ? text.trim() : prompt;
  return { ...common, model, endpoint: endpoint.trim() || null, prompt: own || null };
}

async function request() {
  const { policy, write, replaces } = form.value;
  const choice = choiceOf();
  return { scope: await scopeOf(), choice, policy, write, replaces_person: replaces };
}

let turn = 0;
let timer = 0;

/** Count again soon what the form is about. */
export function count() {
  clearTimeout(timer);
  if (running.value) return; // it is counted at its end
  turn += 1;
  timer = setTimeout(() => void estimate(false), PAUSE);
}

/** @param {boolean} measure whether a few pictures are captioned for it */
export async function estimate(measure) {
  clearTimeout(timer);
  const mine = (turn += 1);
  if (measure) isMeasuring.value = true;
  try {
    const found = await send("studio/estimate", { ...(await request()), measure });
    if (mine === turn) batch(() => ((counts.value = found), (miscount.value = "")));
  } catch (error) {
    if (mine === turn) miscount.value = /** @type {Error} */ (error).message;
  } finally {
    if (measure) isMeasuring.value = false;
  }
}

export async function load() {
  try {
    const [found, left] = await Promise.all([get("studio/captioners"), get("studio/generations")]);
    batch(() => {
      offer.value = found;
      unfinished.value = left;
    });
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}

/** Whether a generation is being started, or its result taken. */
export const isStarting = signal(false);

/** @param {string} path @param {() => Promise<any>} request */
async function run(path, request) {
  if (isStarting.value) return;
  isStarting.value = true;
  await begin(path, request);
  isStarting.value = false;
  await load();
  count();
}

/** @param {string} path @param {() => Promise<any>} request */
async function begin(path, request) {
  problem.value = "";
  last.value = null;
  try {
    const [isSaved, body] = await Promise.all([save(), request()]);
    if (!isSaved) throw new Error("The caption that was typed is not saved: nothing was started.");
    const { job } = await send(path, body);
    if (job === null) {
      problem.value = "There is nothing to caption here: choose another scope, or what happens to captions.";
      return;
    }
    last.value = await ended(job);
    set({ write: false, replaces: false });
  } catch (error) {
    problem.value = /** @type {Error} */ (error).message;
  }
}

export const start = () => !running.value && run("studio/generate", request);
/** @param {string} id */
export const resume = (id) => !running.value && run(`studio/generations/${id}`, async () => ({}));
export const stop = () => running.value && send(`studio/jobs/${running.value.job}`, undefined, "DELETE");

/** @param {string} id */
export async function discard(id) {
  await send(`studio/generations/${id}`, undefined, "DELETE").catch(() => null);
  await load();
}

/** Propose another caption for a row, by the choice of the panel; what is wrong is a notice of the page. @param {number} row */
export const retry = async (row) => {
  const policy = form.value.policy === "missing" ? "overwrite" : form.value.policy;
  notice.value = "";
  await run("studio/generate", async () => ({ scope: { rows: [row] }, choice: choiceOf(), policy, replaces_person: true, again: true }));
  notice.value = problem.value || (last.value ? told(last.value) : "");
};

/** What a generation did, in a line. @param {any} job */
export function told(job) {
  const { result } = job;
  if (!result) return job.problem || job.summary;
  const written = result.captions - result.proposed;
  const kinds = [written && `${plural(written, "caption")} written`, (result.proposed || !written) && `${plural(result.proposed, "caption")} proposed`];
  const made = kinds.filter(Boolean).join(", ");
  const failed = result.failures ? `, ${result.failures.toLocaleString("en")} failed` : "";
  const why = result.stopped && result.stopped !== "stopped" ? `: ${result.stopped}` : "";
  const rest = result.stopped ? `. Stopped with ${plural(result.left, "picture")} left${why}` : "";
  return `${made}${failed}${rest}.`;
}

/** @param {number} seconds */
export const duration = (seconds) => {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
};

/** Tokens and what they cost. @param {{tokens: number, cost: number | null}} spent */
export function spent({ tokens, cost }) {
  if (!tokens) return "no tokens";
  const price = cost === null ? "price not known" : `$${cost.toFixed(cost < 1 ? 4 : 2)}`;
  return `${tokens.toLocaleString("en")} tokens, ${price}`;
}
