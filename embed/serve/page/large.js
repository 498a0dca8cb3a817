// One photograph, large: what is said of it, what looks like it, and what can be done with it.
import { ask, inAddress, post } from "./net.js";
import { attempt, h, nameField, nameOf, percent, put, size, tell, track, visible } from "./dom.js";
import { toBin } from "./bin.js";
import { cards, picture } from "./grid.js";
import { state } from "./status.js";

const FOR = [255, 92, 20], AGAINST = [40, 110, 255];

/**
 * Open a photograph.
 * @param get gives the photograph of a place, or nothing @param place where to begin @param closed called once it is closed
 */
export async function openLarge(get, place, closed = () => {}) {
  let shown = null;
  const before = document.activeElement;
  const body = h("div", { class: "large-body" });
  const dialog = h("dialog", { class: "large", "aria-label": "Photograph", onclose: () => {
    const told = dialog.querySelector("#told");
    if (told) document.body.append(told);
    dialog.remove();
    before?.focus?.();
    closed();
  } },
    h("div", { class: "bar" },
      h("button", { type: "button", "aria-label": "Previous photograph", onclick: () => go(-1) }, "←"),
      h("button", { type: "button", "aria-label": "Next photograph", onclick: () => go(1) }, "→"),
      h("span", { class: "name" }), h("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×")), body);
  dialog.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select")) return;
    if (event.key === "ArrowRight") go(1);
    else if (event.key === "ArrowLeft") go(-1);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();

  async function go(step) {
    const photo = await attempt(() => get(place + step));
    if (!photo) return false;
    place += step;
    await show(photo);
    return true;
  }

  async function putAside(path) {
    if (!(await toBin([path], "")).length || shown !== path) return;
    if (!(await go(1)) && !(await go(-1))) dialog.close();
  }

  async function show(photo) {
    shown = photo.path;
    dialog.querySelector(".name").textContent = nameOf(photo.path);
    const view = h("div", { class: "view" }, picture(photo, "large", nameOf(photo.path)));
    const side = h("div", { class: "side" }, h("p", { class: "faint" }, "…"));
    body.replaceChildren(view, side);
    const found = await attempt(() => ask(`/api/photos/${inAddress(photo.path)}`));
    if (!found || shown !== photo.path) return;
    put(side, about(found, view));
  }

  function about(found, view) {
    const { field, options } = nameField("Label", state.now.classes, "large-label");
    field.value = found.by_hand ?? "";
    const save = h("form", { class: "inline", onsubmit: async (event) => {
      event.preventDefault();
      const label = field.value.trim() || null;
      const done = await attempt(() => post("/api/labels", { labels: { [found.path]: label } }));
      if (done) tell(label ? `Labelled ${visible(label)}.` : "Its label is taken away.");
    } }, h("label", { htmlFor: "large-label" }, "Label by hand"), field, options, h("button", {}, "Save"));
    const facts = [["file", found.file], ["size", size(found.bytes)], ["label", found.label ?? "none"], ["split", found.split ?? "none"]];
    return [
      found.predicted.length ? h("section", {}, h("h2", {}, "Predicted"), h("div", { class: "bars" }, found.predicted.map((one) =>
        h("div", {}, h("span", { class: "name" }, visible(one.label)), track(one.probability), h("b", {}, percent(one.probability))))),
      found.unlike ? h("p", { class: "bad" }, "Unlike everything that the classifier was fitted on: no class may be right.") : null,
      h("button", { type: "button", onclick: (event) => explain(found, view, event.target) }, "Why?")) : null,
      state.now.by_hand || !state.now.classes.length ? h("section", {}, save) : null,
      h("section", {}, h("dl", { class: "facts-list" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, visible(value))])),
        h("p", { class: "actions" },
          h("a", { class: "button", href: `#/search?like=${encodeURIComponent(inAddress(found.path))}`, onclick: () => dialog.close() }, "Search like this"),
          state.now.here ? h("button", { type: "button", onclick: () => attempt(() => post(`/api/show/${inAddress(found.path)}`)) }, "Show in folder") : null,
          h("button", { type: "button", onclick: () => putAside(found.path) }, "To the bin"))),
      h("section", {}, h("h2", {}, "Looks like it"), cards(found.neighbours, (i) => show(found.neighbours[i]), (one) => [
        h("div", { class: "first" }, h("span", { class: "name" }, visible(one.label ?? "")), h("span", { class: "figure" }, one.similarity.toFixed(3)))])),
    ];
  }

  async function explain(found, view, button) {
    button.disabled = true;
    const map = await attempt(() => ask(`/api/explanations/${inAddress(found.path)}`));
    button.disabled = false;
    if (!map || shown !== found.path) return;
    view.querySelector("canvas")?.remove();
    view.append(heat(map, view.querySelector("img")));
    button.replaceWith(h("p", { class: "legend faint" }, h("span", { class: "swatch for" }), `speaks for ${visible(map.class)}`,
      h("span", { class: "swatch against" }), "against it", h("span", {}, map.method)));
  }

  const first = await attempt(() => get(place));
  if (first) await show(first);
  else dialog.close();
}

/** The cells of a map, painted over a photograph as it was made square. */
function heat(map, image) {
  const rows = map.cells.length, columns = map.cells[0].length;
  const small = h("canvas", { width: columns, height: rows });
  const strongest = Math.max(...map.cells.flat().map(Math.abs)) || 1;
  const context = small.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  map.cells.flat().forEach((cell, i) => {
    const strength = Math.max(0, Math.abs(cell) / strongest - 0.12) / 0.88;
    pixels.data.set([...(cell > 0 ? FOR : AGAINST), 185 * strength], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  const width = image.naturalWidth, height = image.naturalHeight;
  const canvas = h("canvas", { class: "heat-map", width, height, role: "img", "aria-label": `What speaks for ${map.class}` });
  const on = canvas.getContext("2d");
  const side = map.fit === "crop" ? Math.min(width, height) : map.fit === "pad" ? Math.max(width, height) : 0;
  on.imageSmoothingQuality = "high";
  if (side) on.drawImage(small, (width - side) / 2, (height - side) / 2, side, side);
  else on.drawImage(small, 0, 0, width, height);
  return canvas;
}
