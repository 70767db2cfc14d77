// The list of jobs; the section is there only while there are any.

import { ask } from "./asking.js";

const section = document.querySelector("#jobs");
const rows = document.querySelector("#job-rows");
const blank = document.querySelector("#job");
const STATES = { queued: "Queued", in_progress: "In progress", completed: "Completed", failed: "Failed", cancelled: "Cancelled" };
const shown = new Map();
let timer = 0;

export async function watch() {
  clearTimeout(timer);
  let active = false;
  if (!document.hidden) {
    try {
      const { tasks } = await ask("tasks");
      draw(tasks);
      active = tasks.some((task) => task.status === "queued" || task.status === "in_progress");
    } catch (error) {
      if (error.status === 401) return; // begun again with a key
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
  const there = new Set(tasks.map((task) => task.task_id));
  for (const [id, row] of shown)
    if (!there.has(id)) {
      row.remove();
      shown.delete(id);
    }
  tasks.forEach((task, place) => {
    const row = shown.get(task.task_id) ?? begin(task);
    fill(row, task);
    if (rows.children[place] !== row) rows.insertBefore(row, rows.children[place] ?? null);
  });
}

function begin(task) {
  const row = blank.content.firstElementChild.cloneNode(true);
  const name = row.querySelector("code");
  name.textContent = task.task_id.slice(0, 8);
  name.title = task.task_id;
  const button = row.querySelector("button");
  button.setAttribute("aria-label", `Cancel job ${name.textContent}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    await ask(`task/${encodeURIComponent(task.task_id)}`, { method: "DELETE" }).catch(() => {});
    await watch();
    button.disabled = false;
  });
  shown.set(task.task_id, row);
  return row;
}

function fill(row, task) {
  const ended = task.captioned + task.failed;
  row.className = `is-${task.status}`;
  row.querySelector(".state").textContent = STATES[task.status] ?? task.status;
  const bar = row.querySelector("progress");
  bar.max = task.total || 1;
  bar.value = ended;
  bar.setAttribute("aria-label", `Pictures done of job ${task.task_id.slice(0, 8)}`);
  row.querySelector(".done span").textContent = `${ended} of ${task.total}`;
  row.querySelector(".failed-count").textContent = task.failed || "–";
  row.querySelector(".started").textContent = new Date(task.created_at).toLocaleString();
  row.querySelector("button").hidden = !["queued", "in_progress"].includes(task.status);
}
