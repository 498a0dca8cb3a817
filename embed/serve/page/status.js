// What the server says of itself, asked again and again.
import { post, status } from "./net.js";
import { h, put, visible } from "./dom.js";

const FIRST_MS = 60, BUSY_MS = 600, IDLE_MS = 2500; // between two looks; what has just begun may be done in a moment
const JOBS = { extract: "Extracting", group: "Grouping", fit: "Fitting", duplicates: "Looking for duplicates", curve: "Learning curve",
  mislabelled: "Judging labels", outliers: "Looking for outliers", map: "Drawing the map", sort: "Sorting", export: "Exporting",
  prepare: "Getting ready to search" };

/** What all pages share. */
export const state = { now: null, locked: () => {} };
let waiting, pause = FIRST_MS;
const listeners = new Set();

/** Call back whenever something has changed. Returns what ends that. */
export function onStatus(listen) {
  listeners.add(listen);
  return () => listeners.delete(listen);
}

const told = (now) => JSON.stringify(now, (key, value) => (key === "seconds" ? undefined : value));

/** Look at once. */
export async function look() {
  clearTimeout(waiting);
  let busy = false;
  try {
    const before = told(state.now);
    state.now = await status();
    busy = state.now.jobs.some((job) => job.running);
    document.body.classList.remove("gone");
    if (told(state.now) !== before) {
      underWay();
      for (const listen of [...listeners]) listen(state.now);
    }
  } catch (error) {
    document.body.classList.add("gone");
    if (error.status === 401) {
      state.locked();
      return;
    }
    document.getElementById("under-way").replaceChildren(h("p", { class: "bad" }, error.message));
  }
  pause = busy ? Math.min(1.5 * pause, BUSY_MS) : FIRST_MS;
  waiting = setTimeout(look, busy ? pause : IDLE_MS);
}

/** Wait until no job of a kind runs, and return it. */
export async function finished(kind) {
  for (let between = FIRST_MS; ; between = Math.min(1.5 * between, BUSY_MS)) {
    await look();
    const job = state.now?.jobs.find((one) => one.kind === kind);
    if (!job || !job.running) return job;
    await new Promise((resolve) => setTimeout(resolve, between));
  }
}

/** Wait for a job; what kept it from its end is thrown. */
export async function ended(kind) {
  const job = await finished(kind);
  if (job?.problem) throw new Error(job.problem);
  return job;
}

/** Start a job and wait for it; what kept it from its end is thrown. */
export async function run(path, kind, send = {}) {
  await post(path, send);
  return ended(kind);
}

function underWay() {
  const lines = state.now.jobs.filter((job) => job.running).map((job) => {
    const known = job.total ? h("progress", { max: job.total, value: job.done || 0, "aria-label": JOBS[job.kind] }) : null;
    const count = job.total ? ` ${(job.done || 0).toLocaleString("en")} of ${job.total.toLocaleString("en")}` : job.done ? ` ${job.done}` : "";
    return h("p", {}, `${JOBS[job.kind] || job.kind}${job.stage ? `: ${job.stage}` : ""}${count}`, known);
  });
  const problem = state.now.problem && state.now.features ? h("p", { class: "bad" }, visible(state.now.problem)) : null;
  put(document.getElementById("under-way"), lines, problem);
}
