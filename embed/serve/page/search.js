// More like these, less like those: photographs that are dropped, pasted, picked, or there already.
import { ask } from "./net.js";
import { attempt, dropPlace, h, heading, nameOf, visible } from "./dom.js";
import { cards, picture } from "./grid.js";
import { openLarge } from "./large.js";
import { state } from "./status.js";

export const title = "Search";
const SHOWN = 60;

export async function show(main, asked) {
  const terms = []; // { file, url } or { path, version }, each with less
  const chosen = h("ul", { class: "terms", "aria-label": "Searched for" });
  const answers = h("div", { class: "answers", role: "region", "aria-label": "Answers", "aria-live": "polite" });
  let found = [], running = null;

  const { place, listen } = dropPlace("Find photographs like these", (files) => add(files.map((file) => ({ file, url: URL.createObjectURL(file) }))));
  const label = h("select", { name: "label", onchange: () => search() }, h("option", { value: "" }, "all labels"),
    state.now.classes.map((name) => h("option", { value: name }, visible(name))));

  function add(more) {
    terms.push(...more.map((one) => ({ less: false, ...one })));
    draw();
    search();
  }

  function draw() {
    chosen.replaceChildren(...terms.map((term, i) => {
      const name = term.file ? visible(term.file.name || "pasted photograph") : nameOf(term.path);
      const image = term.file ? h("img", { src: term.url, alt: "" }) : picture(term);
      image.addEventListener("error", () => image.replaceWith(h("span", { class: "no-picture" }, "no preview")), { once: true });
      return h("li", { class: term.less ? "less" : "" }, image, h("span", { class: "path" }, name),
        h("button", { type: "button", "aria-pressed": String(term.less), title: "more like this, or less", "aria-label": `Less like ${name}`,
          onclick: () => { term.less = !term.less; draw(); search(); chosen.children[i]?.querySelector("button").focus(); } }, term.less ? "less" : "more"),
        h("button", { type: "button", "aria-label": `Remove ${name}`, onclick: () => {
          if (term.url) URL.revokeObjectURL(term.url);
          terms.splice(i, 1); draw(); search(); } }, "×"));
    }));
  }

  async function search() {
    running?.abort();
    if (!terms.some((term) => !term.less)) { answers.replaceChildren(terms.length ? h("p", { class: "faint" }, "At least one photograph has to be one to look like.") : ""); return; }
    running = new AbortController();
    const form = new FormData();
    form.append("together", "true");
    form.append("k", SHOWN);
    if (label.value) form.append("label", label.value);
    for (const term of terms) {
      if (term.file) form.append(term.less ? "less" : "photographs", term.file, "photograph");
      else form.append(term.less ? "less_paths" : "paths", term.path);
    }
    const started = performance.now();
    const answer = await attempt(() => ask("/api/similar", { method: "POST", form, signal: running.signal }));
    if (!answer) return;
    found = answer.neighbours;
    const problems = answer.problems.map((one) => h("p", { class: "bad" }, `${visible(one.photograph)} ${visible(one.problem)}`));
    answers.replaceChildren(...problems,
      h("p", { class: "faint", "data-ms": Math.round(performance.now() - started) }, found.length ? `${found.length} photographs, the most similar first, in ${Math.round(performance.now() - started)} ms.` : "Nothing is like that."),
      cards(found, (i) => openLarge((at) => found[at], i), (one) => [
        h("div", { class: "first" }, h("span", { class: "name" }, visible(one.label ?? "")), h("span", { class: "figure" }, one.similarity.toFixed(3))),
        h("div", { class: "pair" },
          h("button", { type: "button", "aria-label": `More like ${nameOf(one.path)}`, onclick: () => add([{ path: one.path, version: one.version }]) }, "more"),
          h("button", { type: "button", "aria-label": `Less like ${nameOf(one.path)}`, onclick: () => add([{ path: one.path, version: one.version, less: true }]) }, "less"))]));
  }

  main.append(heading("Search"), place, h("div", { class: "filters" }, h("label", {}, "Among", label)), chosen, answers);
  const like = asked.get("like");
  if (like) {
    const photo = await attempt(() => ask(`/api/photos/${like}`));
    if (photo) add([{ path: photo.path, version: photo.version }]);
  }
  const stop = listen();
  return () => { stop(); running?.abort(); for (const term of terms) if (term.url) URL.revokeObjectURL(term.url); };
}
