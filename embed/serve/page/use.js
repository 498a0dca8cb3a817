// What the classifier is for: photographs that are dropped, a folder in order, a file to take along, a line for other programs.
import { address, ask, post, secret } from "./net.js";
import { attempt, counted, dropPlace, h, heading, percent, tell, track, visible } from "./dom.js";
import { run, state } from "./status.js";

export const title = "Use it";

export async function show(main) {
  const now = state.now;
  if (!now.model) {
    main.append(heading("Use it"), h("p", {}, "There is no classifier yet."), h("a", { class: "button main", href: now.classes.length > 1 ? "#/results" : "#/label" }, now.classes.length > 1 ? "Fit a classifier" : "Label photographs"));
    return undefined;
  }
  const answers = h("ul", { class: "answers-list", "aria-live": "polite", "aria-label": "Classes of the photographs" });
  const addresses = [];
  const { place, listen } = dropPlace("What is in these photographs?", async (files) => {
    const form = new FormData();
    for (const file of files) form.append("photographs", file, "photograph");
    form.append("top", "3");
    const found = await attempt(() => ask("/api/predict", { method: "POST", form }));
    if (!found) return;
    answers.prepend(...found.photographs.map((one, i) => {
      const url = URL.createObjectURL(files[i]);
      addresses.push(url);
      const image = h("img", { src: url, alt: "" });
      image.addEventListener("error", () => image.replaceWith(h("span", { class: "no-picture" }, "no preview")), { once: true });
      return h("li", { class: "answer" }, h("div", { class: "picture" }, image), h("div", {}, h("p", { class: "path" }, visible(files[i].name || "pasted photograph")),
        one.problem ? h("p", { class: "bad" }, visible(one.problem)) : h("div", { class: "bars" }, one.top.map((row) =>
          h("div", {}, h("span", { class: "name" }, visible(row.label)), track(row.probability), h("b", {}, percent(row.probability))))),
        one.unlike ? h("p", { class: "bad" }, "Unlike everything that the classifier was fitted on: no class may be right.") : null));
    }));
  });

  const plan = h("div", { role: "status" });
  const folder = h("input", { type: "text", id: "folder", autocomplete: "off", value: `${now.root.slice(now.root.lastIndexOf("/") + 1)}-sorted` });
  const least = h("input", { type: "number", id: "least", class: "short", min: 0, max: 100, step: 5, value: 0 });
  const asked = (carry_out) => ({ folder: folder.value, min_probability: least.value / 100, carry_out });
  const told = (found) => h("ul", {}, Object.entries(found.folders).map(([name, count]) => h("li", {}, `${visible(name)}/: ${counted(count, "photograph")}`)),
    found.there ? h("li", {}, `${found.there} are there already`) : null, found.left_out ? h("li", {}, `${found.left_out} stay where they are: unsure, or unlike all others`) : null);
  const sort = h("section", {}, h("h2", {}, "Sort into folders"),
    h("p", { class: "faint" }, "Copies every photograph into a folder of its class, beside the folder of the photographs: by its label, or else by what the classifier says. Nothing is moved, and nothing replaced."),
    h("form", { class: "inline", onsubmit: async (event) => {
      event.preventDefault();
      const found = await attempt(() => post("/api/sort", asked(false)));
      if (!found) return;
      plan.replaceChildren(h("p", {}, "Into ", h("code", {}, visible(found.into)), ":"), told(found),
        h("button", { type: "button", class: "main", onclick: async (click) => {
          click.target.disabled = true;
          const job = await attempt(() => run("/api/sort", "sort", asked(true)));
          if (!job) { click.target.disabled = false; return; }
          plan.replaceChildren(h("p", { class: "done" }, `Done: ${counted(job.result.new, "photograph")} copied into `, h("code", {}, visible(job.result.into)), "."), told(job.result));
        } }, `Copy ${counted(found.new, "photograph")}`));
    } }, h("label", { htmlFor: "folder" }, "Folder"), folder, h("label", { htmlFor: "least" }, "at least so sure (%)"), least, h("button", {}, "Show what would be done")), plan);

  const format = h("select", { id: "format" }, [["onnx", "ONNX"], ["keras", "Keras"], ["tflite", "LiteRT"]].map(([value, words]) => h("option", { value }, words)));
  const take = h("section", {}, h("h2", {}, "Take it along"), h("p", { class: "faint" }, "The classifier in one file, from pixels to probabilities; it is compared with this one before you get it."),
    h("form", { class: "inline", onsubmit: async (event) => {
      event.preventDefault();
      const button = event.submitter;
      button.disabled = true;
      const file = await attempt(async () => {
        await run("/api/model", "export", { format: format.value });
        return ask(`/api/model?format=${format.value}`);
      });
      button.disabled = false;
      if (!file) return;
      const link = h("a", { href: URL.createObjectURL(file), download: `classifier.${format.value}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      tell("The file is in your downloads.");
    } }, h("label", { htmlFor: "format" }, "Format"), format, h("button", {}, "Download")));

  const line = `curl -H 'Authorization: Bearer ${secret()}' -F photographs=@photo.jpg ${address()}/api/predict`;
  const other = h("section", {}, h("h2", {}, "From another program"), h("p", { class: "faint" }, "The same over HTTP; ", h("a", { href: "/openapi.json", target: "_blank", rel: "noreferrer" }, "openapi.json"), " describes all of it. The token holds until the server stops, unless you gave one."),
    h("pre", { tabIndex: 0 }, h("code", {}, line)), h("button", { type: "button", onclick: () => attempt(async () => { await navigator.clipboard.writeText(line); tell("Copied."); }) }, "Copy"));

  main.append(heading("Use it", `${now.model.classifier}, ${counted(now.model.classes.length, "class", "classes")}, right about ${percent(now.model.accuracy)} of ${counted(now.model.n, "photograph")} that it had not seen (${now.model.evaluated_on}).`),
    place, answers, sort, take, other);
  const stop = listen();
  return () => { stop(); addresses.forEach((url) => URL.revokeObjectURL(url)); };
}
