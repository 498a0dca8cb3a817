// All photographs, and some of them by label, split, folder, confidence, or any column of a table.
import { ask } from "./net.js";
import { attempt, counted, h, heading, visible } from "./dom.js";
import { Grid } from "./grid.js";
import { openLarge } from "./large.js";
import { onStatus, state } from "./status.js";

export const title = "Browse";
const NONE = "(none)";

export async function show(main, asked) {
  const facets = await ask("/api/folders");
  const filter = Object.fromEntries(asked);
  const count = h("p", { class: "faint", role: "status" }, "");
  let stale = false; // what was shown when a photograph was opened has changed since
  const grid = new Grid("Photographs", (place) => openLarge((at) => grid.photo(at), place, () => { if (stale) change(); }));
  const choose = (name, label, values, all) => {
    const entries = Array.isArray(values) ? values.map((value) => [value, null]) : Object.entries(values);
    return h("label", {}, label, h("select", { name, onchange: change }, h("option", { value: "" }, all),
      entries.map(([value, n]) => h("option", { value, selected: filter[name] === value }, n === null ? visible(value) : `${visible(value)} (${n.toLocaleString("en")})`))));
  };
  const model = facets.classes.length > 0;
  const columns = Object.keys(facets.columns).filter((name) => facets.columns[name] !== null);
  const cells = h("select", { name: "value", onchange: () => change() });
  const offer = (name) => cells.replaceChildren(h("option", { value: "" }, "any"), ...Object.entries(facets.columns[name] ?? {}).map(([value, n]) =>
    h("option", { value, selected: filter.value === value }, `${visible(value) || "(empty)"} (${n.toLocaleString("en")})`)));
  offer(filter.column);
  const form = h("form", { class: "filters", "aria-label": "Which photographs", onsubmit: (event) => { event.preventDefault(); change(); } },
    choose("label", "Label", { ...facets.labels, [NONE]: facets.photographs - Object.values(facets.labels).reduce((a, b) => a + b, 0) }, "all"),
    Object.keys(facets.splits).length ? choose("split", "Split", facets.splits, "all") : null,
    Object.keys(facets.folders).length > 1 ? choose("folder", "Folder", facets.folders, "all") : null,
    model ? choose("predicted", "Predicted", facets.classes, "all") : null,
    model ? h("label", {}, "Confidence", h("select", { name: "confidence", onchange: change }, [["", "any"], ["0-0.6", "below 60%"], ["0.6-0.9", "60 to 90%"], ["0.9-1", "90% and more"]]
      .map(([value, words]) => h("option", { value }, words)))) : null,
    model ? h("label", {}, "Order", h("select", { name: "order", onchange: change }, [["path", "by name"], ["unsure", "least sure first"], ["sure", "surest first"]]
      .map(([value, words]) => h("option", { value, selected: filter.order === value }, words)))) : null,
    columns.length ? choose("column", "Column", columns, "any") : null,
    columns.length ? h("label", {}, "Value", cells) : null,
    h("label", { class: "wide" }, "Condition", h("input", { name: "where", type: "text", value: filter.where || "", placeholder: "label == 'cat' and split == 'test'", autocomplete: "off" })));

  async function change(event) {
    if (event?.target.name === "column") offer(event.target.value);
    stale = false;
    const values = Object.fromEntries(new FormData(form));
    if (!values.value) delete values.column;
    const [from, to] = (values.confidence || "").split("-");
    delete values.confidence;
    if (from) Object.assign(values, { from_probability: from, to_probability: to });
    for (const key of Object.keys(values)) if (values[key] === "") delete values[key];
    const total = await attempt(() => grid.load(values));
    if (total !== undefined) count.textContent = counted(total, "photograph");
  }

  main.append(heading("Browse"), form, count, grid.element);
  const leave = grid.connect();
  await change();
  let snapshot = state.now.snapshot;
  const stop = onStatus((now) => {
    if (now.snapshot === snapshot) return;
    snapshot = now.snapshot;
    if (document.querySelector("dialog[open]")) stale = true;
    else change();
  });
  return () => { leave(); stop(); };
}
