// What is there twice, doubtfully labelled, unlike everything else, or cannot be read.
import { ask, post } from "./net.js";
import { attempt, counted, h, heading, percent, put, size, tell, visible } from "./dom.js";
import { cards, picture } from "./grid.js";
import { openLarge } from "./large.js";
import { finished, state } from "./status.js";

export const title = "Tidy";
const PARTS = [["duplicates", "Duplicates"], ["mislabelled", "Doubtful labels"], ["outliers", "Outliers"], ["failures", "Unreadable"]];
const SHOWN = 60; // groups, or photographs, shown at a time

/** Ask for something that takes a while, until it is there. */
async function computed(kind) {
  for (;;) {
    const answer = await ask(`/api/${kind}`);
    if (answer.found) return answer.found;
    const job = await finished(kind);
    if (job?.problem) throw new Error(job.problem);
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
    const drawn = await attempt(() => ({ duplicates, mislabelled, outliers, failures }[part])());
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
    const spare = groups.reduce((sum, group) => sum + group.length - 1, 0);
    return [h("p", { class: "hint" }, `${counted(groups.length, "picture is", "pictures are")} there more than once, ${counted(spare, "file")} too many. The largest file of each comes first; the figure is the similarity.`),
      ...pieces(groups, (group) => h("section", { class: "pair-group" }, cards(group, (i) => openLarge((at) => group[at], i), (one, i) => [
        h("div", { class: "first" }, h("span", { class: "name" }, visible(one.label ?? "")), h("span", { class: "figure" }, one.similarity.toFixed(3))),
        h("div", { class: "faint" }, `${size(one.bytes)}${i === 0 ? ", the largest" : ""}`)])))];
  }

  async function mislabelled() {
    const found = await computed("mislabelled");
    if (found.reason) return [h("p", { class: "hint" }, found.reason)];
    const photos = found.photographs;
    if (!photos.length) return [h("p", { class: "done" }, "No label is contradicted by the others.")];
    const editable = state.now.by_hand;
    const one = (photo, i) => {
      const given = async (label) => {
        const done = await attempt(() => post("/api/labels", { labels: { [photo.path]: label }, expected: { [photo.path]: photo.label } }));
        if (!done) return;
        tell(done.left.length ? "It had another label given meanwhile, and kept it." : `Labelled ${visible(label)}.`);
        row.classList.add("settled");
      };
      const row = h("li", { class: "doubt" }, h("button", { type: "button", class: "picture", "aria-label": `Open ${visible(photo.path)}`, onclick: () => openLarge((at) => photos[at], i) }, picture(photo)),
        h("div", {}, h("p", {}, "labelled ", h("b", {}, visible(photo.label)), ` (${percent(photo.probability, 0)}), probably `, h("b", {}, visible(photo.suggested)), ` (${percent(photo.suggested_probability, 0)})`,
          photo.probably_wrong ? "" : h("span", { class: "faint" }, " – less likely wrong")),
          h("p", { class: "path" }, visible(photo.path)),
          editable ? h("p", { class: "actions" }, h("button", { type: "button", class: "main", onclick: () => given(photo.suggested) }, `It is ${visible(photo.suggested)}`),
            h("button", { type: "button", onclick: () => row.classList.add("settled") }, `Keep ${visible(photo.label)}`)) : null));
      return row;
    };
    const [list, more] = pieces(photos, one, h("ul", { class: "doubts" }));
    return [h("p", { class: "hint" }, `${counted(found.wrong, "label is", "labels are")} probably wrong; the most doubtful come first.`),
      editable ? null : h("p", { class: "faint" }, "The labels come from the folders: they can be changed once they have been copied on the page Label."), list, more];
  }

  async function outliers() {
    const { photographs } = await computed("outliers");
    return [h("p", { class: "hint" }, "The photographs least like any other; the figure is the mean similarity to the ten nearest."),
      cards(photographs.slice(0, SHOWN), (i) => openLarge((at) => photographs[at], i), (photo) => [
        h("div", { class: "first" }, h("span", { class: "name" }, visible(photo.label ?? "")), h("span", { class: "figure" }, photo.similarity.toFixed(3)))])];
  }

  async function failures() {
    const { count, failures: found } = await ask("/api/failures");
    if (!count) return [h("p", { class: "done" }, "Every file could be read.")];
    return [h("p", { class: "hint" }, `${counted(count, "file")} could not be used.`),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Files that could not be used" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "file"), h("th", { scope: "col" }, "reason"))),
        h("tbody", {}, found.map((one) => h("tr", {}, h("td", {}, visible(one.path)), h("td", {}, visible(one.reason)))))))];
  }

  tabs.append(...PARTS.map(([name, words]) => h("button", { type: "button", value: name, onclick: () => open(name) }, words)));
  main.append(heading("Tidy"), tabs, place);
  await open(part);
  return () => { asking += 1; };
}
