// How the classifier did on photographs that it had not seen.
import { ask } from "./net.js";
import { attempt, counted, h, heading, lineChart, percent, tell, track, visible } from "./dom.js";
import { cards } from "./grid.js";
import { openLarge } from "./large.js";
import { ended, run, state } from "./status.js";

export const title = "Results";
const SHOWN = 60;
const MOST_COLUMNS = 24;

export async function show(main) {
  if (!state.now.model) {
    main.append(heading("Results"), h("p", {}, "There is no classifier yet."),
      state.now.classes.length > 1 ? h("button", { type: "button", class: "main", onclick: async () => {
        if (await attempt(() => run("/api/fit", "fit"))) { main.replaceChildren(); show(main); }
      } }, "Fit a classifier") : h("a", { class: "button main", href: "#/label" }, "Label photographs"));
    return;
  }
  const found = await ask("/api/results");
  const s = found.summary;
  const shown = h("section", { class: "cell-photos", role: "region", "aria-live": "polite", "aria-label": "Photographs of a cell" });

  const level = (name, value, interval, words, style = "") => h("div", { class: `level ${style}` }, h("span", {}, name), h("b", {}, percent(value)), track(value, interval), h("small", {}, words));
  const tile = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const decimals = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

  const known = (photos) => photos.filter((photo) => photo.there);
  const photoCards = (photos) => cards(photos, (i) => openLarge((at) => photos[at], i), (one) => [
    h("div", { class: "first" }, h("span", { class: `name ${one.label === one.predicted ? "good" : "bad"}` }, visible(one.predicted)), h("span", { class: "figure" }, percent(one.probability))),
    h("div", {}, `is ${visible(one.label)}`)]);

  main.append(heading("Results", `${found.classifier}, fitted on ${counted(found.n_train ?? 0, "photograph")} and scored on ${counted(s.n, "photograph")} that it had not seen (${found.evaluated_on}).`),
    found.changed ? h("p", { class: "changed" }, "The photographs have changed since this classifier was fitted; its numbers are those of then.") : "",
    h("section", { "aria-label": "Accuracy" }, h("div", { class: "levels" },
      level("accuracy", s.accuracy, s.accuracy_interval, `${s.accuracy_interval.map((v) => percent(v)).join(" to ")} at 95% confidence`, "accuracy"),
      level("baseline", s.baseline_accuracy, null, "always the most frequent class", "baseline")),
    h("dl", { class: "tiles" }, tile("balanced accuracy", percent(s.balanced_accuracy)), tile("macro F1", percent(s.macro_f1)),
      s.roc_auc === null || s.roc_auc === undefined ? "" : tile("ROC AUC", percent(s.roc_auc)), tile("log loss", decimals(s.log_loss)), tile("calibration error", decimals(s.calibration_error)))),
    found.notes.length ? h("ul", { class: "notes" }, found.notes.map((note) => h("li", {}, visible(note)))) : "",
    h("div", { class: "beside" }, confusion(), classes()), shown, found.thresholds ? thresholds() : "", curve(), worst());

  function confusion() {
    const { true: rows, predicted: columns, counts } = found.confusion;
    if (columns.length > MOST_COLUMNS) return h("section", {}, h("h2", {}, "Confusion"), h("p", { class: "faint" }, `${columns.length} classes are too many for a matrix; the worst mistakes are below.`));
    const totals = counts.map((row) => row.reduce((a, b) => a + b, 0));
    const cell = (count, i, j) => {
      if (!count) return h("td", { class: "none" }, "·");
      const right = rows[i] === columns[j];
      const words = `${count} of ${totals[i]} ${visible(rows[i])} ${right ? "recognised" : `taken for ${visible(columns[j])}`}`;
      return h("td", { class: `${right ? "right" : "wrong"} shade-${Math.round((10 * count) / totals[i])}` },
        h("button", { type: "button", title: words, "aria-label": words, onclick: () => {
          const photos = known(found.predictions.filter((one) => one.label === rows[i] && one.predicted === columns[j]));
          shown.replaceChildren(h("h2", {}, words), photoCards(photos.slice(0, SHOWN)));
          shown.scrollIntoView({ block: "nearest" });
        } }, count.toLocaleString("en")));
    };
    return h("section", {}, h("h2", {}, "Confusion"), h("p", { class: "faint" }, "A row is the true class of photographs, a column the class predicted. A cell opens its photographs."),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Confusion" }, h("table", { class: "confusion" },
        h("thead", {}, h("tr", {}, h("td"), columns.map((name) => h("th", { scope: "col" }, h("span", {}, visible(name)))))),
        h("tbody", {}, counts.map((row, i) => h("tr", {}, h("th", { scope: "row" }, h("span", {}, visible(rows[i]))), row.map((count, j) => cell(count, i, j))))))));
  }

  function classes() {
    return h("section", {}, h("h2", {}, "Classes"), h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Classes" }, h("table", {},
      h("thead", {}, h("tr", {}, ["class", "n", "recall", "95% interval", "precision", "F1"].map((name, i) => h("th", { scope: "col", class: i ? "number" : "" }, name)))),
      h("tbody", {}, found.classes.map((row) => h("tr", {}, h("th", { scope: "row" }, visible(row.class)), h("td", { class: "number" }, row.n), h("td", { class: "number" }, percent(row.recall)),
        h("td", { class: "number faint" }, `${percent(row.recall_low, 0)}–${percent(row.recall_high, 0)}`), h("td", { class: "number" }, percent(row.precision)), h("td", { class: "number" }, percent(row.f1))))))));
  }

  function thresholds() {
    const t = found.thresholds;
    const [first, second] = found.confusion.predicted;
    const slider = h("input", { type: "range", min: 1, max: 99, value: Math.round(100 * (found.threshold ?? 0.5)), id: "threshold", oninput: draw });
    const words = h("p", { role: "status" });
    function draw() {
      const i = slider.value - 1;
      words.textContent = `From ${percent(t.threshold[i], 0)} a photograph is called ${visible(second)}: accuracy ${percent(t.accuracy[i])}, `
        + `${visible(first)} recognised ${percent(t[`recall(${first})`][i])}, ${visible(second)} ${percent(t[`recall(${second})`][i])}.`;
    }
    draw();
    return h("section", {}, h("h2", {}, "Threshold"), h("label", { htmlFor: "threshold" }, `Probability from which a photograph is called ${visible(second)}`), slider, words,
      h("button", { type: "button", onclick: async () => {
        if (await attempt(() => run("/api/fit", "fit", { threshold: slider.value / 100 }))) { tell("The classifier has that threshold now."); main.replaceChildren(); show(main); }
      } }, "Use this threshold"));
  }

  function curve() {
    const place = h("div");
    const draw = async () => {
      const { curve: rows } = await ask("/api/curve");
      if (!rows) return false;
      place.replaceChildren(h("figure", {}, lineChart(rows.map((row) => ({ y: row.accuracy, low: row.low, high: row.high })),
        { xName: "photographs of each class", yName: "accuracy", label: "Accuracy by the number of photographs of each class", names: rows.map((row) => row.per_class ?? "all") })));
      return true;
    };
    const drawAfter = async (work) => {
      button.disabled = true;
      await attempt(async () => {
        await work();
        if (!(await draw())) tell("Labels or the classifier changed while it was computed: compute it once more.", true);
      });
      button.disabled = false;
    };
    const button = h("button", { type: "button", onclick: () => drawAfter(() => run("/api/curve", "curve")) }, "Compute the learning curve");
    draw().then((there) => {
      if (there) return;
      place.append(button);
      if (state.now.jobs.some((job) => job.kind === "curve" && job.running)) drawAfter(() => ended("curve"));
    }).catch(() => {});
    return h("section", {}, h("h2", {}, "Would more labels help?"), h("p", { class: "faint" }, "The accuracy with fewer photographs of each class says whether it is still growing."), place);
  }

  function worst() {
    const photos = known(found.predictions.filter((one) => one.label !== one.predicted)).slice(0, SHOWN);
    if (!photos.length) return "";
    return h("section", {}, h("h2", {}, "Mistakes"), h("p", { class: "faint" }, "Those whose true class was given the least probability come first."), photoCards(photos));
  }
}
