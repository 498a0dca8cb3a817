// All photographs on a plane: what is alike is close together. Near enough, they are pictures; what a line goes round is chosen.
import { ask, pictureOf, post } from "./net.js";
import { attempt, counted, h, heading, nameField, nameOf, tell, visible } from "./dom.js";
import { openLarge } from "./large.js";
import { run, state } from "./status.js";

export const title = "Map";
const COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf", "#4c5fd7", "#b5651d", "#5f9e4a"];
const NONE = "#8a8f96"; // of a photograph without a label
const FURTHEST = 200; // times as large
const PICTURES = 250; // photographs in view, at most, that are shown as pictures
const LEAST = 26, MOST = 64; // pixels of a picture, by how many there are
const KEPT = 600; // pictures kept

export async function show(main) {
  let data = (await ask("/api/map")).map;
  main.append(heading("Map", "What is alike is close together. Drag to move, scroll to come nearer; with the lasso, go round photographs to choose them."));
  if (!data) {
    const waiting = h("p", { class: "faint" }, "Drawing the map, once for these photographs …");
    main.append(waiting);
    await attempt(() => run("/api/map", "map"));
    data = (await ask("/api/map")).map;
    waiting.remove();
    if (!data) { main.append(h("p", {}, "The map could not be drawn.")); return undefined; }
  }
  const n = data.paths.length;
  const hidden = new Set();
  let only = null; // those that alone are shown
  let chosen = new Set();
  let scale = 1, left = 0, top = 0, hover = -1, line = null, lasso = false, frame = 0;
  const pictures = new Map();
  const canvas = h("canvas", { tabIndex: 0, role: "img", "aria-label": `Map of ${counted(n, "photograph")}; arrow keys move it, plus and minus come nearer and go away` });
  const context = canvas.getContext("2d");
  const tip = h("div", { id: "tip", hidden: true }, h("img", { alt: "" }), h("div", { class: "name" }), h("div", { class: "path" }));
  const legend = h("div", { id: "legend", role: "group", "aria-label": "Labels shown" });
  const words = h("p", { role: "status", class: "faint" }, "Nothing is chosen.");
  const colour = (label) => (label < 0 ? NONE : COLOURS[label % COLOURS.length]);
  const seen = (i) => !hidden.has(data.label[i]) && (only === null || only.has(i));

  function square() {
    const full = Math.min(canvas.clientWidth, canvas.clientHeight), side = full * 0.94;
    return { side, x: (canvas.clientWidth - side) / 2, y: (canvas.clientHeight - side) / 2 };
  }

  /** What turns places on the map into pixels: x = dx + per * place, y = dy - per * place. */
  function onScreen() {
    const { side, x, y } = square();
    return { per: (side / data.grid) * scale, dx: x - left * scale, dy: y + side * scale - top * scale };
  }

  function redraw() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const { per, dx, dy } = onScreen();
    const radius = Math.max(n > 20000 ? 1.2 : 2.5, Math.min(6, 2.5 * Math.sqrt(scale)));
    const inView = [];
    const byColour = new Map();
    for (let i = 0; i < n; i++) {
      if (!seen(i)) continue;
      const x = dx + data.x[i] * per, y = dy - data.y[i] * per;
      if (x < -MOST || y < -MOST || x > width + MOST || y > height + MOST) continue;
      if (inView.length <= PICTURES) inView.push(i);
      const key = chosen.size && !chosen.has(i) ? NONE : colour(data.label[i]);
      if (!byColour.has(key)) byColour.set(key, []);
      byColour.get(key).push(x, y);
    }
    const near = inView.length <= PICTURES;
    context.globalAlpha = 0.85;
    for (const [key, places] of byColour) {
      context.fillStyle = key;
      context.beginPath();
      for (let k = 0; k < places.length; k += 2) {
        if (radius < 2) context.rect(places[k] - radius, places[k + 1] - radius, 2 * radius, 2 * radius);
        else { context.moveTo(places[k] + radius, places[k + 1]); context.arc(places[k], places[k + 1], radius, 0, 7); }
      }
      context.fill();
    }
    context.globalAlpha = 1;
    if (near) {
      const size = Math.max(LEAST, Math.min(MOST, (0.75 * Math.min(width, height)) / Math.sqrt(inView.length || 1)));
      for (const i of inView) {
        const image = thumbnail(i);
        if (!image.complete || !image.naturalWidth) continue;
        const x = dx + data.x[i] * per, y = dy - data.y[i] * per;
        const zoom = size / Math.max(image.naturalWidth, image.naturalHeight);
        const w = image.naturalWidth * zoom, t = image.naturalHeight * zoom;
        context.drawImage(image, x - w / 2, y - t / 2, w, t);
        context.lineWidth = chosen.has(i) || i === hover ? 4 : 2;
        context.strokeStyle = colour(data.label[i]);
        context.strokeRect(x - w / 2, y - t / 2, w, t);
      }
    } else if (hover >= 0) {
      context.fillStyle = colour(data.label[hover]);
      context.beginPath();
      context.arc(dx + data.x[hover] * per, dy - data.y[hover] * per, radius * 2, 0, 7);
      context.fill();
    }
    if (line) {
      context.strokeStyle = getComputedStyle(canvas).color;
      context.lineWidth = 1.5;
      context.setLineDash([5, 4]);
      context.beginPath();
      line.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.stroke();
      context.setLineDash([]);
    }
    canvas.dataset.pictures = near ? inView.length : 0;
  }

  function thumbnail(i) {
    let image = pictures.get(i);
    if (image) return image;
    image = new Image();
    image.onload = redraw;
    image.src = pictureOf({ path: data.paths[i], version: data.version[i] });
    pictures.set(i, image);
    if (pictures.size > KEPT) pictures.delete(pictures.keys().next().value);
    return image;
  }

  function nearest(x, y) {
    const { per, dx, dy } = onScreen();
    let best = -1, least = 24 * 24;
    for (let i = 0; i < n; i++) {
      if (!seen(i)) continue;
      const d = (dx + data.x[i] * per - x) ** 2 + (dy - data.y[i] * per - y) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  }

  function show_(event) {
    const box = canvas.getBoundingClientRect();
    const i = nearest(event.clientX - box.left, event.clientY - box.top);
    if (i === hover) return;
    hover = i;
    redraw();
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.querySelector("img").src = thumbnail(i).src;
    tip.querySelector(".name").textContent = data.label[i] < 0 ? "" : visible(data.classes[data.label[i]]);
    tip.querySelector(".path").textContent = visible(data.paths[i]);
    const { per, dx, dy } = onScreen();
    const x = dx + data.x[i] * per, y = dy - data.y[i] * per;
    tip.style.left = `${Math.max(4, Math.min(x + 14, canvas.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 14, canvas.clientHeight - tip.offsetHeight - 4))}px`;
  }

  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const middle = square();
    const next = Math.max(1, Math.min(FURTHEST, scale * factor));
    const px = x - middle.x, py = y - middle.y;
    left += px / scale - px / next;
    top += py / scale - py / next;
    scale = next;
    if (scale === 1) left = top = 0;
    redraw();
  }

  function choose(found) {
    chosen = found;
    words.textContent = chosen.size ? `${counted(chosen.size, "photograph")} chosen.` : "Nothing is chosen.";
    for (const one of tools.querySelectorAll("[data-needs]")) one.disabled = !chosen.size && !(one === onlyButton && only !== null);
    redraw();
  }

  function inside(polygon) {
    const found = new Set();
    const { per, dx, dy } = onScreen();
    for (let i = 0; i < n; i++) {
      if (!seen(i)) continue;
      const x = dx + data.x[i] * per, y = dy - data.y[i] * per;
      let in_ = false;
      for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
        const [ax, ay] = polygon[a], [bx, by] = polygon[b];
        if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) in_ = !in_;
      }
      if (in_) found.add(i);
    }
    return found;
  }

  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    moved = 0;
    if (lasso || event.shiftKey) line = [[event.offsetX, event.offsetY]];
    tip.hidden = true;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) { show_(event); return; }
    moved += Math.abs(event.movementX) + Math.abs(event.movementY);
    if (line) line.push([event.offsetX, event.offsetY]);
    else { left -= event.movementX / scale; top -= event.movementY / scale; }
    redraw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (line) { const around = line; line = null; choose(around.length > 2 ? inside(around) : new Set()); return; }
    if (moved > 4) return;
    const i = nearest(event.offsetX, event.offsetY);
    if (i >= 0) openLarge((at) => (at === 0 ? { path: data.paths[i], version: data.version[i] } : null), 0);
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; hover = -1; redraw(); });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 60 / scale;
    if (event.key === "ArrowLeft") left -= step;
    else if (event.key === "ArrowRight") left += step;
    else if (event.key === "ArrowUp") top -= step;
    else if (event.key === "ArrowDown") top += step;
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "Escape") choose(new Set());
    else return;
    event.preventDefault();
    redraw();
  });

  function drawLegend() {
    legend.replaceChildren(...[...data.classes.keys(), -1].filter((label) => data.label.includes(label)).map((label) => {
      const dot = h("i");
      dot.style.background = colour(label);
      return h("button", { type: "button", "aria-pressed": String(!hidden.has(label)), onclick: (event) => {
        if (!hidden.delete(label)) hidden.add(label);
        event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(label)));
        redraw();
      } }, dot, label < 0 ? "no label" : visible(data.classes[label]));
    }));
  }

  const { field, options } = nameField("Label for those chosen", state.now.classes, "map-label");
  const lassoButton = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
    lasso = !lasso;
    lassoButton.setAttribute("aria-pressed", String(lasso));
    canvas.classList.toggle("lasso", lasso);
  } }, "Lasso");
  const onlyButton = h("button", { type: "button", "data-needs": true, disabled: true, onclick: () => {
    only = only === null ? new Set(chosen) : null;
    onlyButton.textContent = only === null ? "Only those chosen" : "All again";
    choose(chosen);
  } }, "Only those chosen");
  const tools = h("div", { class: "tools" },
    h("div", { class: "choices-row" }, lassoButton,
      h("button", { type: "button", onclick: () => zoom(1.5) }, "Nearer"), h("button", { type: "button", onclick: () => zoom(1 / 1.5) }, "Further"),
      h("button", { type: "button", onclick: () => {
        const width = canvas.clientWidth, height = canvas.clientHeight;
        choose(inside([[0, 0], [width, 0], [width, height], [0, height]]));
      } }, "Choose what is in view"),
      h("button", { type: "button", "data-needs": true, disabled: true, onclick: () => choose(new Set()) }, "Choose none"),
      onlyButton,
      h("button", { type: "button", "data-needs": true, disabled: true, onclick: () => {
        const lines = [...chosen].sort((a, b) => a - b).map((i) => data.paths[i]).join("\n");
        const link = h("a", { href: URL.createObjectURL(new Blob([`${lines}\n`], { type: "text/plain" })), download: "photographs.txt" });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      } }, "Save their names")),
    state.now.by_hand || !state.now.classes.length ? h("form", { class: "inline", onsubmit: async (event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (!name) { field.focus(); return; }
      const done = await attempt(() => post("/api/labels", { labels: Object.fromEntries([...chosen].map((i) => [data.paths[i], name])) }));
      if (!done) return;
      tell(`${counted(chosen.size, "photograph")} named ${visible(name)}.`);
      const found = (await ask("/api/map")).map;
      if (found) { data = found; drawLegend(); choose(new Set()); }
    } }, field, options, h("button", { "data-needs": true, disabled: true, class: "main" }, "Name them")) : null);

  drawLegend();
  main.append(legend, tools, words, h("div", { class: "map" }, canvas, tip));
  const watch = new ResizeObserver(redraw);
  watch.observe(canvas);
  draw();
  return () => { watch.disconnect(); cancelAnimationFrame(frame); };
}
