// The frame: which page is shown, what goes on, and what there is.
import { takeToken } from "./net.js";
import { attempt, h } from "./dom.js";
import { look, state } from "./status.js";
import * as home from "./home.js";
import * as browse from "./browse.js";
import * as search from "./search.js";
import * as label from "./label.js";
import * as tidy from "./tidy.js";
import * as map from "./map.js";
import * as results from "./results.js";
import * as use from "./use.js";

const PAGES = { home, browse, search, label, tidy, map, results, use };

let leave = () => {};
let shown = "";

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
state.locked = locked;
route();
