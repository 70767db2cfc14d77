// The page at /: pictures in, captions out.

import { forget, hasKey, keep, request } from "./client.js";
import { Card } from "./cards.js";
import { asCsv, asJson, asText, copy, save } from "./export.js";
import { dropped, isPicture } from "./files.js";
import * as jobs from "./jobs.js";

const $ = (id) => document.getElementById(id);
const MAX_REQUESTS = 5; // browsers open six connections; one is left for the list of jobs
const ATTEMPTS = 6; // while the service or its model is busy
const BUSY = ["overloaded", "rate-limit"]; // kinds of failure that may pass
const cards = [];
const waiting = [];
let running = 0;
let maxRunning = 2;
let locked = false;

// Captioning

function pump() {
  while (!locked && running < maxRunning && waiting.length) caption(waiting.shift());
  showProgress();
}

async function caption(card) {
  running += 1;
  card.setState("running");
  card.controller = new AbortController();
  try {
    card.setState("done", await result(card));
  } catch (error) {
    if (error.status === 401) {
      card.setState("waiting");
      waiting.unshift(card);
      lock();
    } else if (error.name !== "AbortError") card.setState("failed", reason(error, card), error.kind);
  } finally {
    running -= 1;
    card.controller = null;
    pump();
  }
}

async function result(card) {
  const body = new FormData();
  body.append("image", card.file, card.name);
  for (const [name, value] of Object.entries(card.options)) if (value) body.append(name, value);
  const { signal } = card.controller;
  for (let attempt = 1; ; attempt += 1)
    try {
      return await request("caption", { method: "POST", body, signal });
    } catch (error) {
      if (!BUSY.includes(error.kind) || attempt === ATTEMPTS) throw error;
      const wait = Math.min(error.wait || 2, 30) * (1 + Math.random() / 2); // not all in the same moment
      await new Promise((done) => setTimeout(done, wait * 1_000));
      signal.throwIfAborted();
    }
}

function reason(error, card) {
  const size = card.file.size / 1e6;
  const large = error.status === 0 && size > 20 ? ` Or ${Math.round(size)} MB are more than it accepts.` : "";
  return (error.message || String(error)) + large;
}

function enqueue(card) {
  const chain = $("chain").value;
  card.options = chain ? { chain } : { prompt: (instructable ? $("prompt").value : $("form").value).trim() };
  card.setState("waiting");
  waiting.push(card);
}

function add(files) {
  const pictures = files.filter(isPicture);
  notify(leftOut(files.filter((file) => !isPicture(file)).map(({ name }) => `\u2068${name}\u2069`))); // isolated, as they may be right to left
  for (const file of pictures) {
    const card = new Card(file, { copy: copyOne, again: retry, remove });
    cards.push(card);
    $("cards").append(card.element);
    enqueue(card);
  }
  pump();
}

const MAX_NAMES = 2;

function leftOut(names) {
  if (!names.length) return "";
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  const listed = names.slice(0, MAX_NAMES).join(more ? ", " : " and ") + more;
  return `${listed} ${names.length === 1 ? "is not a picture and was" : "are not pictures and were"} left out.`;
}

function retry(card) {
  const focused = card.element.contains(document.activeElement);
  enqueue(card);
  pump();
  if (focused) card.parts.remove.focus(); // its button is hidden, the focus must stay
}

function remove(card) {
  const place = cards.indexOf(card);
  cards.splice(place, 1);
  if (waiting.includes(card)) waiting.splice(waiting.indexOf(card), 1);
  card.close();
  (cards[place] ?? cards[place - 1])?.parts.remove.focus();
  if (!cards.length) $("files").focus();
  pump();
}

// Progress and messages

function showProgress() {
  const done = cards.filter((card) => card.state === "done").length;
  const failed = cards.filter((card) => card.state === "failed").length;
  const progress = `${done} of ${cards.length} captioned${failed ? `, ${failed} failed` : ""}`;
  $("results").hidden = cards.length === 0;
  $("count").textContent = progress;
  $("progress").max = cards.length || 1;
  $("progress").value = done + failed;
  $("retry-failed").hidden = !cards.some((card) => card.canRetry);
  for (const id of ["copy-all", "save-text", "save-csv", "save-json"]) $(id).disabled = done === 0;
  const busy = done + failed < cards.length;
  document.title = busy ? `${done + failed}/${cards.length} · cutline` : "cutline";
  if (cards.length) announce(progress, busy ? 2_000 : 300);
}

let announcing = 0;
let announcement = "";

// To screen readers: the newest message only, and not more often than one can listen.
function announce(text, after = 0) {
  announcement = text;
  const update = () => {
    announcing = 0;
    if ($("status").textContent !== announcement) $("status").textContent = announcement;
  };
  if (after < 1_000) {
    clearTimeout(announcing);
    announcing = setTimeout(update, after);
  } else announcing ||= setTimeout(update, after);
}

function notify(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// Copies and files

const rows = () =>
  cards
    .filter((card) => card.state === "done")
    .map(({ name, result: { caption, fields, model } }) => ({ image: name, caption, fields, model }));

async function copied(text, button) {
  const worked = await copy(text);
  const label = button.textContent;
  button.textContent = worked ? "Copied" : "Not allowed";
  announce(worked ? "Copied" : "The browser does not allow copying");
  setTimeout(() => (button.textContent = label), 1_500);
}

const copyOne = (card) => copied(card.result.caption, card.parts.copy);
$("copy-all").addEventListener("click", () => copied(asText(rows()), $("copy-all")));
$("save-text").addEventListener("click", () => save("captions.txt", "text/plain", asText(rows())));
$("save-csv").addEventListener("click", () => save("captions.csv", "text/csv", asCsv(rows())));
$("save-json").addEventListener("click", () => save("captions.json", "application/json", asJson(rows())));
$("retry-failed").addEventListener("click", () => {
  for (const card of cards) if (card.canRetry) enqueue(card);
  pump();
  $("clear").focus(); // the only button there that is never disabled
});
$("clear").addEventListener("click", () => {
  for (const card of cards.splice(0)) card.close();
  waiting.length = 0;
  pump();
  notify("");
  announce("Cleared");
  $("files").focus();
});

// The key

function lock() {
  if (!locked) {
    locked = true;
    const wrong = hasKey();
    forget();
    $("key-note").textContent = wrong ? "This key is not accepted." : "It stays in this tab and is forgotten when you close it.";
    $("key-note").className = wrong ? "notice" : "note";
    $("locked").hidden = false;
    $("key").focus();
    announce(wrong ? "This key is not accepted" : "This service asks for a key");
  }
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep($("key").value.trim());
  $("key").value = "";
  locked = false;
  start();
});

async function start() {
  try {
    const { models, chains } = await request("models");
    if (!$("locked").hidden) announce("The key is accepted");
    const entered = !$("locked").hidden && ($("locked").contains(document.activeElement) || document.activeElement === document.body);
    $("locked").hidden = true;
    if (entered) $("files").focus();
    showOptions(models[0], chains);
    $("model").textContent = `cutline · ${models[0].name}`;
    maxRunning = Math.max(1, Math.min(models[0].slots, MAX_REQUESTS));
  } catch (error) {
    if (error.status === 401) return lock();
    notify(error.message);
  }
  jobs.watch();
  pump();
}

// Options

let instructable = false;

function showOptions(model, chains) {
  const select = $("chain");
  const chosen = select.value;
  const options = [["", model.name], ...chains.map(({ name, steps }) => [name, `${name} (${Object.keys(steps).join(", ")})`])];
  select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  select.value = chains.some(({ name }) => name === chosen) ? chosen : "";
  $("through").hidden = chains.length === 0;
  instructable = model.instructable;
  const form = $("form").value;
  $("form").replaceChildren(new Option("as usual", ""), ...model.prompts.map((name) => new Option(name, name)));
  $("form").value = model.prompts.includes(form) ? form : "";
  showPrompt();
}

// A chain has its own prompts; some models follow none, but know a few forms.
function showPrompt() {
  $("prompt-panel").hidden = !instructable || $("chain").value !== "";
  $("forms").hidden = instructable || $("form").length === 1 || $("chain").value !== "";
}

$("chain").addEventListener("change", showPrompt);

// Chosen, dropped, pasted

$("files").addEventListener("change", (event) => {
  add([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) add([...event.clipboardData.files]);
});
const carriesFiles = (event) => event.dataTransfer.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
  document.body.classList.toggle("over", carriesFiles(event));
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  document.body.classList.remove("over");
  if (!carriesFiles(event)) return;
  event.preventDefault();
  add(await dropped(event.dataTransfer));
});

start();
