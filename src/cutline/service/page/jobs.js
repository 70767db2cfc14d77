// The list of jobs; the section is there only while there are any.

import { request } from "./client.js";
import { asJson, copy, save } from "./export.js";

const section = document.querySelector("#jobs");
const rows = document.querySelector("#job-rows");
const blank = document.querySelector("#job");
const reasons = document.querySelector("#reasons");
const MAX_REASONS = 100;
const STATES = { queued: "Queued", in_progress: "In progress", completed: "Completed", failed: "Failed", cancelled: "Cancelled" };
const shown = new Map();
let timer = 0;

export async function watch() {
  clearTimeout(timer);
  let active = false;
  if (!document.hidden) {
    try {
      const { tasks } = await request("tasks");
      draw(tasks);
      active = tasks.some((task) => task.status === "queued" || task.status === "in_progress");
    } catch (error) {
      if (error.status === 401) return; // started again with a key
      section.hidden = true;
    }
  }
  timer = setTimeout(watch, active ? 2_000 : 15_000);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && timer) watch();
});

function draw(tasks) {
  section.hidden = tasks.length === 0;
  const current = new Set(tasks.map((task) => task.task_id));
  for (const [id, row] of shown)
    if (!current.has(id)) {
      if (row.nextElementSibling?.classList.contains("reasons")) row.nextElementSibling.remove();
      row.remove();
      shown.delete(id);
    }
  let last = null;
  for (const task of tasks) {
    const row = shown.get(task.task_id) ?? addRow(task);
    fill(row, task);
    const below = row.nextElementSibling?.classList.contains("reasons") ? row.nextElementSibling : null;
    const before = last ? last.nextElementSibling : rows.firstElementChild;
    if (before !== row) rows.insertBefore(row, before);
    if (below && row.nextElementSibling !== below) row.after(below);
    last = below ?? row;
  }
}

const shortId = (id) => `…${id.slice(-8)}`; // the beginning is the time, which many share

function addRow(task) {
  const row = blank.content.firstElementChild.cloneNode(true);
  const name = row.querySelector("code");
  name.textContent = shortId(task.task_id);
  name.title = task.task_id;
  const actions = { "copy-id": copyId, results: saveResults, why: toggleReasons, cancel };
  for (const [action, work] of Object.entries(actions)) {
    const button = row.querySelector(`.${action}`);
    button.setAttribute("aria-label", `${button.textContent}: job ${name.textContent}`);
    let busy = false; // a button that is disabled would lose the focus
    button.addEventListener("click", async () => {
      if (busy) return;
      busy = true;
      await work(task.task_id, button, row).catch((error) => show(button, error.message || "Did not work"));
      busy = false;
    });
  }
  shown.set(task.task_id, row);
  return row;
}

const state = (id) => request(`task-status/${encodeURIComponent(id)}`);

function show(button, text) {
  const label = button.dataset.label ?? (button.dataset.label = button.textContent);
  button.textContent = text;
  setTimeout(() => (button.textContent = label), 1_500);
}

async function copyId(id, button) {
  show(button, (await copy(id)) ? "Copied" : "Not allowed");
}

async function saveResults(id) {
  save(`job-${id.slice(-8)}.json`, "application/json", asJson((await state(id)).results));
}

async function cancel(id) {
  await request(`task/${encodeURIComponent(id)}`, { method: "DELETE" });
  await watch();
}

// The pictures that failed, in a row of their own below the job's.
async function toggleReasons(id, button, row) {
  const open = row.nextElementSibling;
  if (open?.classList.contains("reasons")) {
    open.remove();
    button.setAttribute("aria-expanded", "false");
    return;
  }
  const failed = (await state(id)).results.filter((one) => one.caption === null);
  const below = reasons.content.firstElementChild.cloneNode(true);
  const lines = failed.slice(0, MAX_REASONS).map(({ image_path: name, error }) => {
    const line = document.createElement("li");
    const bold = document.createElement("b");
    bold.textContent = name;
    line.append(bold, `: ${error}`);
    return line;
  });
  if (failed.length > MAX_REASONS) {
    const more = document.createElement("li");
    more.textContent = `${failed.length - MAX_REASONS} more are in the results`;
    lines.push(more);
  }
  below.querySelector("ul").append(...lines);
  row.after(below);
  button.setAttribute("aria-expanded", "true");
}

function fill(row, task) {
  const ended = task.captioned + task.failed;
  row.className = `is-${task.status}`;
  row.querySelector(".state").textContent = STATES[task.status] ?? task.status;
  const bar = row.querySelector("progress");
  bar.max = task.total || 1;
  bar.value = ended;
  bar.setAttribute("aria-label", `Pictures done of job ${shortId(task.task_id)}`);
  row.querySelector(".done span").textContent = `${ended} of ${task.total}`;
  const failed = row.querySelector(".failed-count");
  failed.textContent = task.failed || "–";
  failed.classList.toggle("is-none", task.failed === 0);
  row.querySelector(".started").textContent = new Date(task.created_at).toLocaleString();
  row.querySelector(".results").hidden = ended === 0;
  row.querySelector(".why").hidden = task.failed === 0;
  row.querySelector(".cancel").hidden = !["queued", "in_progress"].includes(task.status);
}
