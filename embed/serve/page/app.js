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
let routes = 0; // how often a page was asked for

function locked() {
  leave();
  document.getElementById("main").replaceChildren(h("h1", {}, "This page is locked"),
    h("p", {}, "Open the address that ", h("code", {}, "embed serve"), " printed, with all that is behind the #. Each start of the server has a new one."));
}

async function route() {
  takeToken();
  if (location.hash === "#main") return;
  const mine = ++routes;
  const [name, rest = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const page = PAGES[name] ? name : "home";
  leave();
  leave = () => {};
  const main = document.getElementById("main");
  for (const link of document.querySelectorAll("#pages a")) {
    if (link.hash === `#/${page}`) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" }); // where they do not all fit
    } else link.removeAttribute("aria-current");
  }
  document.title = `${PAGES[page].title} · embed`;
  await look();
  if (!state.now || mine !== routes) return;
  // A page that is left while it waits for something goes on drawing where nobody sees it.
  const place = h("div");
  main.replaceChildren(place);
  main.className = page;
  scrollTo(0, 0);
  if (routes > 1) main.focus({ preventScroll: true });
  const left = (await attempt(() => PAGES[page].show(place, new URLSearchParams(rest)))) || (() => {});
  if (mine === routes) leave = left;
  else left();
}

document.getElementById("pages").append(...Object.entries(PAGES).map(([name, page]) => h("a", { href: `#/${name}` }, page.title)));
addEventListener("hashchange", route);
// A file that misses the place for it must not take the page's.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
state.locked = locked;
route();
