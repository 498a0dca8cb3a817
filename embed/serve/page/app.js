// The frame: which page is shown, what goes on, and what there is.
import { ask, post, status, takeToken } from "./net.js";
import { attempt, h, visible } from "./dom.js";
import * as home from "./home.js";
import * as browse from "./browse.js";
import * as search from "./search.js";
import * as label from "./label.js";
import * as tidy from "./tidy.js";
import * as map from "./map.js";
import * as results from "./results.js";
import * as use from "./use.js";

const PAGES = { home, browse, search, label, tidy, map, results, use };
const BUSY_MS = 600, IDLE_MS = 2500; // between two looks at the status
const JOBS = { extract: "Extracting", group: "Grouping", fit: "Fitting", duplicates: "Looking for duplicates", curve: "Learning curve",
  mislabelled: "Judging labels", outliers: "Looking for outliers", map: "Drawing the map", sort: "Sorting" };

/** What all pages share. */
export const state = { now: null };
let leave = () => {};
let shown = "";
let waiting;
const listeners = new Set();

/** Call back whenever the status has changed, until the page is left. */
export function onStatus(listen) {
  listeners.add(listen);
  return () => listeners.delete(listen);
}

/** Look at the status at once. */
export async function look() {
  clearTimeout(waiting);
  let busy = false;
  try {
    const before = JSON.stringify(state.now);
    state.now = await status();
    busy = state.now.jobs.some((job) => job.running);
    if (JSON.stringify(state.now) !== before) {
      underWay();
      for (const listen of [...listeners]) listen(state.now);
    }
    document.body.classList.remove("gone");
  } catch (error) {
    document.body.classList.add("gone");
    document.getElementById("under-way").replaceChildren(h("p", { class: "bad" }, error.message));
    if (error.status === 401) {
      locked();
      return;
    }
  }
  waiting = setTimeout(look, busy ? BUSY_MS : IDLE_MS);
}

/** Wait until no job of a kind runs, and return it. */
export async function finished(kind) {
  for (;;) {
    await look();
    const job = state.now?.jobs.find((one) => one.kind === kind);
    if (!job || !job.running) return job;
    await new Promise((resolve) => setTimeout(resolve, BUSY_MS / 2));
  }
}

/** Start a job and wait for it; what kept it from its end is thrown. */
export async function run(path, kind, send = {}) {
  await post(path, send);
  const job = await finished(kind);
  if (job?.problem) throw new Error(job.problem);
  return job;
}

function underWay() {
  const lines = state.now.jobs.filter((job) => job.running).map((job) => {
    const known = job.total ? h("progress", { max: job.total, value: job.done || 0, "aria-label": JOBS[job.kind] }) : null;
    const count = job.total ? ` ${(job.done || 0).toLocaleString("en")} of ${job.total.toLocaleString("en")}` : job.done ? ` ${job.done}` : "";
    return h("p", {}, `${JOBS[job.kind] || job.kind}${job.stage ? `: ${job.stage}` : ""}${count}`, known);
  });
  const problem = state.now.problem && state.now.features ? h("p", { class: "bad" }, visible(state.now.problem)) : null;
  document.getElementById("under-way").replaceChildren(...[...lines, problem].filter(Boolean));
}

function locked() {
  leave();
  document.getElementById("main").replaceChildren(h("h1", {}, "This page is locked"),
    h("p", {}, "Open the address that ", h("code", {}, "embed serve"), " printed, with all that is behind the #. Each start of the server has a new one."));
}

async function route() {
  takeToken();
  if (location.hash === "#main") return;
  const [name, rest = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const page = PAGES[name] ? name : "home";
  leave();
  listeners.clear();
  leave = () => {};
  const main = document.getElementById("main");
  for (const link of document.querySelectorAll("#pages a")) {
    if (link.hash === `#/${page}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${PAGES[page].title} · embed`;
  if (!state.now) await look();
  if (!state.now) return;
  main.replaceChildren();
  main.className = page;
  scrollTo(0, 0);
  const moved = shown !== "" && shown !== page;
  shown = page;
  const left = await attempt(() => PAGES[page].show(main, new URLSearchParams(rest)));
  if (shown === page && left) leave = left;
  if (moved) main.focus({ preventScroll: true });
}

document.getElementById("pages").append(...Object.entries(PAGES).map(([name, page]) => h("a", { href: `#/${name}` }, page.title)));
addEventListener("hashchange", route);
// A file that misses the place for it must not take the page's.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
route();
