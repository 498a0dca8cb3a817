// What is there twice, doubtfully labelled, unlike everything else, or cannot be read; and the bin.
import { ask, post } from "./net.js";
import { attempt, counted, h, heading, nameField, percent, put, size, tell, visible } from "./dom.js";
import { fromBin, toBin } from "./bin.js";
import { cards, picture } from "./grid.js";
import { openLarge } from "./large.js";
import { ended, finished, state } from "./status.js";

export const title = "Tidy";
const PARTS = [["duplicates", "Duplicates"], ["mislabelled", "Doubtful labels"], ["outliers", "Outliers"], ["failures", "Unreadable"], ["bin", "Bin"]];
const SHOWN = 60; // groups, or photographs, shown at a time

/** Ask for something that takes a while, until it is there. */
async function computed(kind) {
  for (;;) {
    const answer = await ask(`/api/${kind}`);
    if (answer.found) return answer.found;
    await ended(kind);
  }
}

export async function show(main, asked) {
  let part = asked.get("part") || "duplicates";
  const tabs = h("div", { class: "choices-row", role: "group", "aria-label": "What to tidy" });
  const place = h("div");
  let asking = 0;

  async function open(name) {
    part = name;
    const mine = ++asking;
    for (const button of tabs.children) button.setAttribute("aria-pressed", String(button.value === part));
    place.replaceChildren(h("p", { class: "faint" }, "Looking …"));
    const drawn = await attempt(() => ({ duplicates, mislabelled, outliers, failures, bin })[part]());
    if (mine === asking) put(place, drawn || h("p", { class: "faint" }, "This could not be found out."));
  }

  /** Show a list a piece at a time. */
  function pieces(list, draw, box = h("div")) {
    const more = h("button", { type: "button", onclick: () => next() }, "More");
    let at = 0;
    function next() {
      box.append(...list.slice(at, at + SHOWN).map((one, i) => draw(one, at + i)));
      at += SHOWN;
      more.hidden = at >= list.length;
    }
    next();
    return [box, more];
  }

  async function duplicates() {
    const { groups } = await computed("duplicates");
    if (!groups.length) return [h("p", { class: "done" }, "Nothing is there twice.")];
    const drawn = [];
    const all = h("button", { type: "button", class: "main", onclick: async () => {
      const left = drawn.filter((group) => group.going.size && !group.settled());
      const gone = new Set(await toBin(left.flatMap((group) => [...group.going]), "a duplicate; largest kept", () => left.forEach((group) => group.settle(false))));
      for (const group of left) group.settle([...group.going].every((path) => gone.has(path)));
    } });
    const count = () => {
      const open_ = drawn.filter((group) => !group.settled());
      const spare = open_.reduce((sum, group) => sum + group.going.size, 0);
      all.textContent = `Move ${spare.toLocaleString("en")} to the bin`;
      all.disabled = !spare;
    };
    groups.forEach((group, i) => drawn.push(twice(group, i + 1, count)));
    count();
    const [list, more] = pieces(drawn, (group) => group.element(), h("div", { class: "pairs" }));
    return [h("p", { class: "hint" }, `${counted(groups.length, "picture is", "pictures are")} there more than once. The largest file of each comes first and is kept; the others can be moved into the bin, from which they come back. `
      + "The figure is the similarity to the first."), h("p", { class: "actions" }, all), list, more];
  }

  /** A group of duplicates: which go, and its section once it is asked for. */
  function twice(group, number, changed) {
    const going = new Set(group.filter((one) => one.kept === false).map((one) => one.path));
    const names = [...new Set(group.map((one) => one.label).filter((label) => label !== null))];
    let section = null;
    const move = h("button", { type: "button", class: "main", onclick: async () => {
      const gone = await toBin([...going], "a duplicate", () => settle(false));
      settle(gone.length === going.size && gone.length > 0);
    } });
    const keep = h("button", { type: "button", onclick: () => { settle(!settled()); keep.disabled = false; keep.focus(); } });
    const settled = () => section?.classList.contains("settled") ?? false;
    const settle = (done) => {
      element().classList.toggle("settled", done);
      for (const one of section.querySelectorAll("button.choice, .actions button")) one.disabled = done;
      count();
    };
    const count = () => {
      move.textContent = `Move ${going.size} to the bin`;
      keep.textContent = settled() ? "Not settled yet" : "Keep all";
      if (!settled()) move.disabled = !going.size;
      changed();
    };
    const choice = (one) => h("button", { type: "button", class: "choice", "aria-pressed": String(going.has(one.path)), "aria-label": `To the bin: ${visible(one.path)}`, onclick: (event) => {
      if (!going.delete(one.path)) going.add(one.path);
      event.currentTarget.setAttribute("aria-pressed", String(going.has(one.path)));
      count();
    } }, "to the bin");
    function element() {
      if (section) return section;
      section = h("section", { class: "pair-group", "aria-label": `Picture ${number}` },
        names.length > 1 ? h("p", { class: "changed" }, `The labels disagree (${names.map(visible).join(", ")}): keep the photograph whose label is right.`) : null,
        cards(group, (i) => openLarge((at) => group[at], i), (one, i) => [
          h("div", { class: "first" }, h("span", { class: "name" }, visible(one.label ?? "")), h("span", { class: "figure" }, one.similarity.toFixed(3))),
          h("div", { class: "faint" }, size(one.bytes), one.kept ? ", the largest" : i > 0 && one.grade === "identical" ? ", the same file" : ""),
          choice(one)]),
        h("p", { class: "actions" }, move, keep));
      count();
      return section;
    }
    count();
    return { going, element, settle, settled };
  }

  async function mislabelled() {
    const found = await computed("mislabelled");
    if (found.reason) return [h("p", { class: "hint" }, found.reason)];
    const photos = found.photographs;
    if (!photos.length) return [h("p", { class: "done" }, "No label is contradicted by the others.")];
    const editable = state.now.by_hand;
    const one = (photo, i) => {
      const settle = (done) => row.classList.toggle("settled", done);
      const given = async (label) => {
        const done = await attempt(() => post("/api/labels", { labels: { [photo.path]: label }, expected: { [photo.path]: photo.label } }));
        if (!done) return;
        settle(true);
        if (done.left.length) { tell("It had another label given meanwhile, and kept it.", true); return; }
        tell(`Labelled ${visible(label)}.`, false, { words: "Undo", act: async () => {
          const back = await attempt(() => post("/api/labels", { labels: { [photo.path]: photo.label }, expected: { [photo.path]: label } }));
          if (!back) return;
          settle(false);
          tell(`Labelled ${visible(photo.label)} again.`);
        } });
      };
      const { field, options } = nameField("Another label", state.now.classes, `doubt-${i}`);
      const other = h("form", { class: "inline", onsubmit: (event) => { event.preventDefault(); if (field.value.trim()) given(field.value.trim()); } }, field, options, h("button", {}, "Give"));
      const row = h("li", { class: "doubt" }, h("button", { type: "button", class: "picture", "aria-label": `Open ${visible(photo.path)}`, onclick: () => openLarge((at) => photos[at], i) }, picture(photo)),
        h("div", {}, h("p", {}, "labelled ", h("b", {}, visible(photo.label)), ` (${percent(photo.probability, 0)}), probably `, h("b", {}, visible(photo.suggested)), ` (${percent(photo.suggested_probability, 0)})`,
          photo.probably_wrong ? "" : h("span", { class: "faint" }, " – less likely wrong")),
          h("p", { class: "path" }, visible(photo.path)),
          h("p", { class: "actions" }, editable ? h("button", { type: "button", class: "main", onclick: () => given(photo.suggested) }, `It is ${visible(photo.suggested)}`) : null,
            h("button", { type: "button", onclick: () => settle(true) }, `Keep ${visible(photo.label)}`),
            h("button", { type: "button", onclick: async () => settle((await toBin([photo.path], "a doubtful label", () => settle(false))).length > 0) }, "To the bin")),
          editable ? other : null));
      return row;
    };
    const [list, more] = pieces(photos, one, h("ul", { class: "doubts" }));
    return [h("p", { class: "hint" }, `${counted(found.wrong, "label is", "labels are")} probably wrong; the most doubtful come first.`),
      editable ? null : h("div", {}, h("p", { class: "changed" }, "The labels come from the folders of the photographs. To change them here they are copied into labels given by hand; no file is moved. "),
        h("p", { class: "actions" }, h("button", { type: "button", class: "main", onclick: async () => {
          if (!(await attempt(() => post("/api/labels/adopt")))) return;
          await finished("mislabelled");
          open("mislabelled");
        } }, "Copy the labels of the folders"))), list, more];
  }

  async function outliers() {
    const { photographs } = await computed("outliers");
    if (!photographs.length) return [h("p", { class: "done" }, "There are too few photographs to say which is unlike the others.")];
    const box = cards(photographs.slice(0, SHOWN), (i) => openLarge((at) => photographs[at], i), (photo) => [
      h("div", { class: "first" }, h("span", { class: "name" }, visible(photo.label ?? "")), h("span", { class: "figure" }, photo.similarity.toFixed(3))),
      h("button", { type: "button", class: "choice", "aria-label": `To the bin: ${visible(photo.path)}`, onclick: async (event) => {
        const button = event.currentTarget, card = button.closest(".card");
        const settle = (done) => { card.classList.toggle("settled", done); button.disabled = done; };
        settle((await toBin([photo.path], "an outlier", () => settle(false))).length > 0);
      } }, "to the bin")]);
    return [h("p", { class: "hint" }, "The photographs least like any other; the figure is the mean similarity to the ten nearest."), box];
  }

  async function failures() {
    const { count, failures: found } = await ask("/api/failures");
    if (!count) return [h("p", { class: "done" }, "Every file could be read.")];
    return [h("p", { class: "hint" }, `${counted(count, "file")} could not be used.`),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Files that could not be used" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "file"), h("th", { scope: "col" }, "reason"))),
        h("tbody", {}, found.map((one) => h("tr", {}, h("td", {}, visible(one.path)), h("td", {}, visible(one.reason)))))))];
  }

  async function bin() {
    const { batches } = await ask("/api/bin");
    if (!batches.length) return [h("p", { class: "done" }, "The bin is empty.")];
    const back = async (which) => { if ((await fromBin(which)).length) open("bin"); };
    const [list, more] = pieces(batches, (one) => h("section", { class: "pair-group", "aria-label": `Put aside ${one.batch}` },
      h("h2", {}, `${counted(one.count, "photograph")}, ${size(one.bytes)}`),
      h("p", { class: "faint" }, one.time, one.reason ? ` – ${visible(one.reason)}` : ""),
      h("p", { class: "actions" }, h("button", { type: "button", class: "main", onclick: () => back({ batch: one.batch }) }, one.count > 1 ? "Put all back" : "Put it back")),
      h("ul", { class: "cards" }, one.photographs.slice(0, SHOWN).map((photo) => h("li", { class: "card" }, h("div", { class: "picture" }, picture({ ...photo, batch: one.batch })),
        h("div", { class: "words" }, h("div", { class: "faint" }, size(photo.bytes)), h("div", { class: "path" }, visible(photo.path)),
          one.count > 1 ? h("button", { type: "button", class: "choice", "aria-label": `Put back ${visible(photo.path)}`, onclick: () => back({ batch: one.batch, paths: [photo.path] }) }, "put back") : null))))));
    return [h("p", { class: "hint" }, "What was put aside lies in .embed-bin beside the photographs. Nothing in it is deleted, and nothing of it is looked at."), list, more];
  }

  tabs.append(...PARTS.map(([name, words]) => h("button", { type: "button", value: name, onclick: () => open(name) }, words)));
  main.append(heading("Tidy"), tabs, place);
  await open(part);
  return () => { asking += 1; };
}
