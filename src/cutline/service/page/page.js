// Pictures in, captions out: what happens on the page at /.

import { ask, forget, hasKey, keep } from "./asking.js";
import { Card } from "./cards.js";
import { asCsv, asJson, asText, copy, save } from "./exporting.js";
import { dropped, isPicture } from "./gathering.js";
import * as jobs from "./jobs.js";

const $ = (id) => document.getElementById(id);
const MOST_AT_ONCE = 5; // browsers open six connections; one is left for the list of jobs
const TRIES = 6; // while the service or its model says that it is busy
const BUSY = ["overloaded", "rate-limit"]; // kinds of failure that pass by themselves
const cards = [];
const waiting = [];
let running = 0;
let atOnce = 2;
let locked = false;

// Captioning

function pump() {
  while (!locked && running < atOnce && waiting.length) describe(waiting.shift());
  tell();
}

async function describe(card) {
  running += 1;
  card.state("asked");
  card.stop = new AbortController();
  try {
    card.state("done", await answer(card));
  } catch (error) {
    if (error.status === 401) {
      card.state("waiting");
      waiting.unshift(card);
      lock();
    } else if (error.name !== "AbortError") card.state("failed", reason(error, card), error.kind);
  } finally {
    running -= 1;
    card.stop = null;
    pump();
  }
}

async function answer(card) {
  const body = new FormData();
  body.append("image", card.file, card.name);
  for (const [name, value] of Object.entries(card.wish)) if (value) body.append(name, value);
  const { signal } = card.stop;
  for (let attempt = 1; ; attempt += 1)
    try {
      return await ask("caption", { method: "POST", body, signal });
    } catch (error) {
      if (!BUSY.includes(error.kind) || attempt === TRIES) throw error;
      const wait = Math.min(error.wait || 2, 30) * (1 + Math.random() / 2); // not all in the same moment
      await new Promise((done) => setTimeout(done, wait * 1_000));
      signal.throwIfAborted();
    }
}

function reason(error, card) {
  const size = card.file.size / 1e6;
  const large = error.status === 0 && size > 20 ? ` Or ${Math.round(size)} MB are more than it takes.` : "";
  return (error.message || String(error)) + large;
}

function enqueue(card) {
  const chain = $("chain").value;
  card.wish = chain ? { chain } : { prompt: (instructable ? $("prompt").value : $("form").value).trim() };
  card.state("waiting");
  waiting.push(card);
}

function add(files) {
  const pictures = files.filter(isPicture);
  note(leftOut(files.filter((file) => !isPicture(file)).map(({ name }) => `\u2068${name}\u2069`))); // whichever way they are written
  for (const file of pictures) {
    const card = new Card(file, { copy: copyOne, again: retry, remove });
    cards.push(card);
    $("cards").append(card.element);
    enqueue(card);
  }
  pump();
}

const NAMED = 2;

function leftOut(names) {
  if (!names.length) return "";
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  const told = names.slice(0, NAMED).join(more ? ", " : " and ") + more;
  return `${told} ${names.length === 1 ? "is no picture and was" : "are no pictures and were"} left out.`;
}

function retry(card) {
  const focused = card.element.contains(document.activeElement);
  enqueue(card);
  pump();
  if (focused) card.parts.remove.focus(); // its button is gone, the focus must not be
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

// What is said

function tell() {
  const done = cards.filter((card) => card.now === "done").length;
  const failed = cards.filter((card) => card.now === "failed").length;
  const told = `${done} of ${cards.length} captioned${failed ? `, ${failed} failed` : ""}`;
  $("results").hidden = cards.length === 0;
  $("count").textContent = told;
  $("progress").max = cards.length || 1;
  $("progress").value = done + failed;
  $("retry-failed").hidden = !cards.some((card) => card.isWorthAsking);
  for (const id of ["copy-all", "save-text", "save-csv", "save-json"]) $(id).disabled = done === 0;
  const busy = done + failed < cards.length;
  document.title = busy ? `${done + failed}/${cards.length} · cutline` : "cutline";
  if (cards.length) say(told, busy ? 2_000 : 300);
}

let saying = 0;
let toSay = "";

// To screen readers: the newest only, and not more often than can be listened to.
function say(text, after = 0) {
  toSay = text;
  const speak = () => {
    saying = 0;
    if ($("said").textContent !== toSay) $("said").textContent = toSay;
  };
  if (after < 1_000) {
    clearTimeout(saying);
    saying = setTimeout(speak, after);
  } else saying ||= setTimeout(speak, after);
}

function note(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// Copies and files

const rows = () =>
  cards
    .filter((card) => card.now === "done")
    .map(({ name, answer: { caption, fields, model } }) => ({ image: name, caption, fields, model }));

async function copied(text, button) {
  const worked = await copy(text);
  const label = button.textContent;
  button.textContent = worked ? "Copied" : "Not allowed";
  say(worked ? "Copied" : "The browser does not allow copying");
  setTimeout(() => (button.textContent = label), 1_500);
}

const copyOne = (card) => copied(card.answer.caption, card.parts.copy);
$("copy-all").addEventListener("click", () => copied(asText(rows()), $("copy-all")));
$("save-text").addEventListener("click", () => save("captions.txt", "text/plain", asText(rows())));
$("save-csv").addEventListener("click", () => save("captions.csv", "text/csv", asCsv(rows())));
$("save-json").addEventListener("click", () => save("captions.json", "application/json", asJson(rows())));
$("retry-failed").addEventListener("click", () => {
  for (const card of cards) if (card.isWorthAsking) enqueue(card);
  pump();
  $("clear").focus(); // of the buttons there it is never disabled
});
$("clear").addEventListener("click", () => {
  for (const card of cards.splice(0)) card.close();
  waiting.length = 0;
  pump();
  note("");
  say("Cleared");
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
    say(wrong ? "This key is not accepted" : "This service asks for a key");
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
    const { models, chains } = await ask("models");
    if (!$("locked").hidden) say("The key is accepted");
    const entered = !$("locked").hidden && ($("locked").contains(document.activeElement) || document.activeElement === document.body);
    $("locked").hidden = true;
    if (entered) $("files").focus();
    offer(models[0], chains);
    $("model").textContent = `cutline · ${models[0].name}`;
    atOnce = Math.max(1, Math.min(models[0].slots, MOST_AT_ONCE));
  } catch (error) {
    if (error.status === 401) return lock();
    note(error.message);
  }
  jobs.watch();
  pump();
}

// What can be wished for

let instructable = false;

function offer(model, chains) {
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
  offerPrompt();
}

// A chain has its own prompts, and some models follow none, but know a few forms.
function offerPrompt() {
  $("wish").hidden = !instructable || $("chain").value !== "";
  $("forms").hidden = instructable || $("form").length === 1 || $("chain").value !== "";
}

$("chain").addEventListener("change", offerPrompt);

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
