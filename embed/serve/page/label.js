// Labels by clicking: whole groups first, then what the classifier is least sure of, then some drawn at random for an honest number.
import { ask, pictureOf, post } from "./net.js";
import { attempt, counted, h, heading, lineChart, nameField, nameOf, percent, put, tell, visible } from "./dom.js";
import { picture } from "./grid.js";
import { onStatus, run, state } from "./status.js";

export const title = "Label";
const STEPS = [["groups", "1 Groups"], ["unsure", "2 Unsure"], ["check", "3 Check"]];
const WORDS = {
  groups: "Photographs that are alike are together. Click away those that do not belong, and name the others.",
  unsure: "The photographs that the classifier is least sure of teach it most. It is fitted anew after every ten.",
  check: "Photographs drawn at random, without what the classifier says of them: they are kept aside as the test part, and the accuracy is about them. Forty are a good start.",
};
const BATCH = 10; // labels after which the classifier is fitted anew
const ENOUGH = 40; // photographs of the test part, for a start

const undone = []; // what was given, the latest last: { given, former, split }

/** Move the focus among the buttons of a sheet with the arrow keys; Tab leaves it. */
function roving(sheet) {
  sheet.addEventListener("keydown", (event) => {
    const buttons = [...sheet.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const columns = Math.max(1, buttons.filter((one) => one.offsetTop === buttons[0].offsetTop).length);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (at < 0 || !step || !buttons[at + step]) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    buttons[at + step].tabIndex = 0;
    buttons[at + step].focus();
  });
}

export async function show(main, asked) {
  let labels = await ask("/api/labels");
  let step = asked.get("step") || (labels.labelled ? "unsure" : "groups");
  let leaveStep = () => {};
  let opened = 0; // how often a step was opened: one that is left while it waits does nothing more
  let sinceFit = 0;
  const part = h("div");
  const score = h("section", { class: "score", "aria-label": "How far it is" });
  const tabs = h("div", { class: "choices-row", role: "group", "aria-label": "Steps" });

  const known = [];
  /** The names in the order in which they came, so that each keeps its key. */
  const names = () => {
    known.push(...Object.keys(labels.counts).filter((name) => !known.includes(name)));
    return known;
  };

  /** Give labels; they are on the disk when this returns. Returns the paths of those that had not been given another one meanwhile. */
  async function give(given, { split, expected, remember = true } = {}) {
    const answer = await post("/api/labels", { labels: given, split, expected });
    const mine = Object.keys(given).filter((path) => !answer.left.includes(path));
    const of = (value) => Object.fromEntries(mine.map((path) => [path, value(path)]));
    if (remember && mine.length) undone.push({ given: of((path) => given[path]), former: of((path) => (path in answer.former ? answer.former[path] : given[path])), split });
    labels = await ask("/api/labels");
    drawScore();
    return mine;
  }

  /** Say what was done of some photographs, or that others had another label given meanwhile. */
  function report(done, all, words, action) {
    const left = all - done;
    if (left) tell(`${counted(left, "photograph")} had another label given meanwhile, and kept it.`, true, done ? action : null);
    else if (words) tell(words, false, action);
  }

  async function undo() {
    const last = undone.pop();
    if (!last) { tell("There is nothing to take back."); return; }
    const paths = Object.keys(last.given);
    const done = await attempt(async () => {
      if (!last.split) return give(last.former, { expected: last.given, remember: false });
      // A label that is taken away takes its split along.
      const taken = await give(Object.fromEntries(paths.map((path) => [path, null])), { expected: last.given, remember: false });
      const back = Object.fromEntries(taken.map((path) => [path, last.former[path]]).filter(([, label]) => label !== null));
      if (Object.keys(back).length) await give(back, { expected: Object.fromEntries(Object.keys(back).map((path) => [path, null])), remember: false });
      return taken;
    });
    if (!done) { undone.push(last); return; }
    report(done.length, paths.length, `Taken back: ${counted(done.length, "photograph")}.`);
    await open(step, done);
  }

  async function fit() {
    sinceFit = 0;
    const counts = Object.values(labels.counts);
    if (counts.length < 2 || counts.some((n) => n < 2)) return;
    await attempt(() => post("/api/fit"));
  }

  function drawScore() {
    const model = state.now.model;
    const test = labels.splits.test || 0;
    const fits = labels.fits;
    put(score,
      h("p", {}, h("b", {}, labels.labelled.toLocaleString("en")), ` of ${counted(labels.photographs, "photograph")} labelled`,
        model && Object.keys(labels.counts).length > 1 ? [", accuracy ", h("b", {}, percent(model.accuracy)), ` (${model.accuracy_interval.map((v) => percent(v, 0)).join(" to ")} at 95% confidence; ${counted(model.n, "photograph")}, ${model.evaluated_on})`] : "",
        test ? `; ${test} in the test part` : "", "."),
      h("progress", { max: labels.photographs || 1, value: labels.labelled, "aria-label": "Labelled" }),
      fits.length > 1 ? h("details", {}, h("summary", {}, "How the accuracy went"), lineChart(
        fits.map((one) => ({ y: one.accuracy, low: one.low, high: one.high })),
        { xName: "photographs labelled", yName: "accuracy", label: "Accuracy by the number of photographs labelled", names: fits.map((one) => one.labelled) })) : "");
  }

  async function open(name, first = []) {
    const mine = ++opened;
    leaveStep();
    leaveStep = () => {};
    step = name;
    for (const button of tabs.children) button.setAttribute("aria-pressed", String(button.value === step));
    const box = h("div", { class: "step" });
    part.replaceChildren(h("p", { class: "hint" }, WORDS[step]), box);
    const leave = await attempt(() => (step === "groups" ? groups(box) : singles(box, () => mine === opened, step, first)));
    if (leave && mine === opened) leaveStep = leave;
    else leave?.();
  }

  async function groups(box) {
    let found = await ask("/api/groups");
    if (found.groups === null) {
      box.append(h("p", { class: "faint" }, "Grouping the photographs …"));
      await run("/api/groups", "group");
      found = await ask("/api/groups");
      box.lastChild.remove();
    }
    const number = h("input", { type: "number", min: 1, max: labels.photographs, value: found.groups.length, "aria-label": "Number of groups", class: "short" });
    box.append(h("form", { class: "inline again", onsubmit: async (event) => {
      event.preventDefault();
      const done = await attempt(() => run("/api/groups", "group", { groups: Number(number.value) }));
      if (done) open("groups");
    } }, h("span", {}, "Groups:"), number, h("button", {}, "Group again")));
    if (found.outdated) box.append(h("p", { class: "changed" }, found.outdated));
    const unnamed = (group) => Object.values(group.labels).reduce((a, b) => a + b, 0) < group.count ? 0 : 1;
    for (const group of [...found.groups].sort((a, b) => unnamed(a) - unnamed(b) || a.number - b.number)) box.append(sheet(group));
  }

  function sheet(group) {
    const id = `group-${group.number}`;
    const before = { ...Object.fromEntries(group.photographs.map((photo) => [photo.path, photo.label])), ...group.more }; // path → label
    const out = new Set(group.photographs.filter((photo) => photo.split).map((photo) => photo.path));
    const { field, options } = nameField(`Name of group ${group.number}`, names(), `${id}-name`);
    const given = Object.entries(group.labels).map(([name, n]) => `${visible(name)}${n < group.count ? ` (${n})` : ""}`).join(", ");
    const named = h("b", {}, given);
    const list = h("ul", { class: "thumbnails" }, group.photographs.map((photo, i) => {
      const toggle = h("button", { type: "button", tabIndex: i ? -1 : 0, "aria-pressed": String(!out.has(photo.path)), title: visible(photo.path),
        "aria-label": `${nameOf(photo.path)} belongs to group ${group.number}`, onclick: () => {
          if (!out.delete(photo.path)) out.add(photo.path);
          toggle.setAttribute("aria-pressed", String(!out.has(photo.path)));
          belongs();
        } }, picture(photo));
      return h("li", {}, toggle);
    }));
    roving(list);
    const button = h("button", { class: "main" }, "Name them");
    const form = h("form", { class: "inline", onsubmit: async (event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (!name) { field.focus(); return; }
      const members = Object.keys(before).filter((path) => !out.has(path));
      const expected = Object.fromEntries(members.map((path) => [path, before[path]]));
      button.disabled = true;
      const done = await attempt(() => give(Object.fromEntries(members.map((path) => [path, name])), { expected }));
      button.disabled = false;
      if (!done) return;
      named.textContent = `${visible(name)}${done.length < group.count ? ` (${done.length})` : ""}`;
      section.classList.add("named");
      for (const path of done) before[path] = name;
      report(done.length, members.length, `${counted(done.length, "photograph")} named ${visible(name)}.`, { words: "Undo", act: undo });
      for (const data of part.querySelectorAll("datalist")) data.replaceChildren(...names().map((one) => h("option", { value: one })));
      fit();
      section.nextElementSibling?.querySelector("input[type=text]")?.focus();
    } }, field, options, button);
    const words = h("span", { class: "faint" });
    const belongs = () => {
      words.textContent = out.size ? `${group.count - out.size} of ${group.count} photographs` : counted(group.count, "photograph");
    };
    belongs();
    const section = h("section", { class: `sheet group${given ? " named" : ""}`, id, "aria-label": `Group ${group.number}` },
      h("h2", {}, `Group ${group.number} `, named), h("p", {}, words), form, list);
    return section;
  }

  async function singles(box, open_, which, first) {
    const check = which === "check";
    let queue = [], saving = Promise.resolve(), current = null;
    const skipped = new Set();
    const stage = h("div", { class: "stage" });
    const bar = h("div", { class: "names", role: "group", "aria-label": "Names" });
    const { field, options } = nameField("Another name", names(), "single-name");
    const form = h("form", { class: "inline", onsubmit: (event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (!name) return;
      field.value = "";
      field.blur();
      choose(name);
    } }, field, options, h("button", {}, "Give"));
    const tools = h("p", { class: "actions" },
      h("button", { type: "button", onclick: skip }, "Skip ", h("kbd", {}, "S")),
      h("button", { type: "button", onclick: undo }, "Undo ", h("kbd", {}, "U")));
    const left = h("p", { class: "faint", role: "status" });
    box.append(stage, bar, form, tools, left);

    async function fill() {
      const found = await ask(`/api/labels/next?order=${check ? "random" : "unsure"}&limit=${24 + Math.min(400, skipped.size)}`);
      queue = found.photographs.filter((photo) => !skipped.has(photo.path));
      if (first.length) {
        queue.sort((a, b) => first.includes(b.path) - first.includes(a.path));
        first = [];
      }
      howFar();
    }

    function howFar() {
      const test = labels.splits.test || 0;
      left.textContent = check
        ? test >= ENOUGH ? `${test} photographs are in the test part: that is enough for a start.` : `${test} of ${Math.min(ENOUGH, labels.photographs)} photographs.`
        : `${counted(labels.photographs - labels.labelled, "photograph")} without a label.`;
    }

    async function advance() {
      current = queue.shift() || null;
      if (!current) {
        stage.replaceChildren(h("p", { class: "faint" }, "One moment …")); // what was shown has its label
        if (!await attempt(async () => { await saving; await fill(); return true; })) {
          stage.replaceChildren(h("p", { class: "actions" }, h("button", { type: "button", class: "main", onclick: advance }, "Try again")));
          return;
        }
        current = queue.shift() || null;
      }
      draw();
    }

    function draw() {
      stage.replaceChildren();
      if (!current) { stage.append(h("p", { class: "done" }, skipped.size ? `Nothing is left but ${counted(skipped.size, "photograph")} that you skipped.` : "Every photograph has a label.")); }
      else stage.append(picture(current, "large", nameOf(current.path)), h("p", { class: "path" }, visible(current.path)),
        !check && current.predicted ? h("p", { class: "faint" }, `The classifier says ${visible(current.predicted)}, ${percent(current.probability, 0)}.`) : null);
      for (const photo of queue.slice(0, 2)) new Image().src = pictureOf(photo, "large");
      bar.replaceChildren(...names().map((name, i) => h("button", { type: "button", disabled: !current, onclick: () => choose(name) },
        i < 9 ? h("kbd", {}, i + 1) : null, ` ${visible(name)}`)));
    }

    function choose(name) {
      if (!current) return;
      const photo = current;
      const isNew = !names().includes(name);
      saving = saving.then(() => attempt(async () => {
        const done = await give({ [photo.path]: name }, { split: check ? "test" : undefined, expected: { [photo.path]: photo.label } });
        report(done.length, 1);
        sinceFit += 1;
        const test = labels.splits.test || 0;
        howFar();
        if (sinceFit >= BATCH || (check && test === ENOUGH)) {
          await fit();
          if (!check) queue.length = Math.min(queue.length, 1); // the next ones are those that the new one is unsure of
        }
        return done;
      }));
      if (isNew) saving.then(draw);
      advance();
    }

    function skip() {
      if (!current) return;
      skipped.add(current.path);
      advance();
    }

    function key(event) {
      if (!open_() || event.target.matches?.("input, select, textarea") || event.altKey || document.querySelector("dialog[open]")) return;
      const name = names()[Number(event.key) - 1];
      if (/^[1-9]$/.test(event.key) && name !== undefined && !event.ctrlKey && !event.metaKey) choose(name);
      else if (event.key === "s" && !event.ctrlKey && !event.metaKey) skip();
      else if (event.key === "u" || (event.key === "z" && (event.ctrlKey || event.metaKey))) saving.then(undo);
      else if (event.key === "n" && !event.ctrlKey && !event.metaKey) field.focus();
      else return;
      event.preventDefault();
    }
    document.addEventListener("keydown", key);
    await advance();
    return () => {
      document.removeEventListener("keydown", key);
      if (sinceFit) saving.then(fit);
    };
  }

  tabs.append(...STEPS.map(([name, words]) => h("button", { type: "button", value: name, onclick: () => open(name) }, words)));
  main.append(heading("Label"));
  if (!state.now.by_hand && state.now.classes.length) {
    main.append(h("p", { class: "changed" }, "The labels come from the folders of the photographs. To change them here they are copied into labels given by hand; no file is moved. "),
      h("p", { class: "actions" }, h("button", { type: "button", class: "main", onclick: async () => {
        if (await attempt(() => post("/api/labels/adopt"))) location.reload();
      } }, "Copy the labels of the folders")));
    return undefined;
  }
  main.append(score, tabs, part);
  drawScore();
  await open(step);
  const stop = onStatus(async () => {
    const found = await ask("/api/labels").catch(() => null);
    if (!found) return;
    labels = found;
    drawScore();
  });
  return () => { stop(); leaveStep(); };
}
