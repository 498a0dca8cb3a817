// What there is, what goes on, and one next step.
import { ask } from "./net.js";
import { attempt, counted, h, heading, percent, put, visible } from "./dom.js";
import { onStatus, run, state } from "./status.js";

export const title = "Home";
const CHECKED = 40; // photographs drawn at random that make a number honest

/** The one thing to do next. */
function next(now) {
  const extracting = now.jobs.some((job) => job.kind === "extract" && job.running);
  if (!now.photographs) return extracting ? ["", "The first photographs are being looked at.", ""]
    : ["", now.problem || "There are no photographs yet.", ""];
  if (extracting && now.classes.length < 2) return ["#/browse", `${counted(now.photographs, "photograph is", "photographs are")} there, and others are being looked at. Meanwhile you can look, too.`, "Look at the photographs"];
  if (now.classes.length < 2) return ["#/label", "Name the groups of photographs: two names make a classifier.", "Label photographs"];
  if (!now.model || now.model.outdated) return ["fit", `There are ${now.classes.length} classes: fit a classifier, which takes seconds.`, "Fit a classifier"];
  if (now.by_hand && now.model.evaluated_on !== "test")
    return ["#/label?step=check", `Look at ${CHECKED} photographs drawn at random: the number is then an honest one.`, "Check the classifier"];
  return ["#/use", `The classifier is right about ${percent(now.model.accuracy, 0)} of photographs that it had not seen. Use it.`, "Use the classifier"];
}

export async function show(main) {
  const extra = { groups: null, duplicates: null };
  let drawn = "";
  const draw = (now) => {
    const key = JSON.stringify([{ ...now, jobs: now.jobs.map((job) => [job.kind, job.running]) }, extra]);
    if (key === drawn) return; // what has the focus keeps it
    drawn = key;
    const [where, words, button] = next(now);
    const tile = (name, value, link) => h("div", {}, h("dt", {}, name), h("dd", {}, link ? h("a", { href: link }, value) : value));
    const count = (value) => (value === null ? "…" : value.toLocaleString("en"));
    put(main,
      heading(now.root ? visible(now.root.slice(now.root.lastIndexOf("/") + 1)) : "embed", now.root ? visible(now.root) : ""),
      h("section", { class: "next" }, h("h2", {}, "Next"), h("p", {}, visible(words)),
        button ? (where === "fit" ? h("button", { type: "button", class: "main", onclick: () => attempt(() => run("/api/fit", "fit")) }, button)
          : h("a", { class: "button main", href: where }, button)) : null),
      now.features ? h("dl", { class: "tiles" },
        tile("photographs", count(now.photographs), "#/browse"),
        tile("groups", count(extra.groups), "#/label"),
        tile("with a label", count(now.labelled), now.labelled ? "#/browse" : "#/label"),
        tile("duplicates", count(extra.duplicates), "#/tidy"),
        tile("unreadable", count(now.failures), now.failures ? "#/tidy?part=failures" : ""),
        tile("accuracy", now.model ? percent(now.model.accuracy) : "–", now.model ? "#/results" : "")) : null,
      now.model ? h("p", { class: "faint" }, `${now.model.classifier}: 95% interval ${now.model.accuracy_interval.map((v) => percent(v)).join(" to ")}, `
        + `${counted(now.model.n, "photograph")} (${now.model.evaluated_on}); always the most frequent class: ${percent(now.model.baseline)}.`) : null,
      h("section", {}, h("h2", {}, "Find photographs like one"), h("p", {}, "Drop a photograph onto the ", h("a", { href: "#/search" }, "search"), " page, or paste it there.")),
      now.features ? h("section", {}, h("h2", {}, "New photographs"),
        h("p", {}, "Photographs that were added to the folder since are looked for when you ask."),
        h("button", { type: "button", onclick: () => attempt(() => run("/api/extract", "extract")) }, "Look again")) : null,
      now.notes?.length ? h("ul", { class: "notes" }, now.notes.map((note) => h("li", {}, visible(note)))) : null);
  };
  draw(state.now);
  let asked = null;
  const more = async (now) => {
    draw(now);
    if (!now.photographs || now.jobs.some((job) => job.kind === "extract" && job.running) || asked === `${now.snapshot}${now.jobs.length}`) return;
    asked = `${now.snapshot}${now.jobs.length}`;
    const [groups, twice] = await Promise.all([ask("/api/groups"), ask("/api/duplicates")]).catch(() => [null, null]);
    extra.groups = groups?.groups ? groups.groups.length : "–";
    if (twice?.found) extra.duplicates = twice.found.groups.reduce((sum, group) => sum + group.length - 1, 0);
    else asked = null;
    if (main.isConnected) draw(state.now);
  };
  more(state.now);
  return onStatus(more);
}
