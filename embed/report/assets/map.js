"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("map");
const tip = document.getElementById("tip");
const legend = document.getElementById("legend");
const context = canvas.getContext("2d");
const hidden = new Set();
const count = data.x.length;
const MOST = 60; // times as large as the whole map
const LOOSE = 150; // photographs in view from which on there is room to show them
const ORIGINALS = 40; // photographs without a small picture that are loaded for one view
let scale = 1, left = 0, top_ = 0; // what part of the map is shown
let chosen = -1; // the photograph that is pointed at
let waiting = 0;

// ---- places

// The map is a square in the middle of the canvas.
function square() {
  const full = Math.min(canvas.clientWidth, canvas.clientHeight), side = full * 0.92;
  return { side, x: (canvas.clientWidth - side) / 2, y: (canvas.clientHeight - side) / 2 };
}
function place(i) {
  const { side, x, y } = square();
  return [x + (data.x[i] * side - left) * scale, y + ((1 - data.y[i]) * side - top_) * scale];
}
function nearest(x, y) {
  const reach = shown.size ? shown.side / 2 : 20; // pixels
  let best = -1, least = reach * reach;
  for (let i = 0; i < count; i++) {
    if (hidden.has(data.label[i])) continue;
    const [a, b] = place(i);
    const d = (a - x) * (a - x) + (b - y) * (b - y);
    if (d < least) { least = d; best = i; }
  }
  // Of what lies close together, the photograph that can be seen.
  for (const i of shown) {
    const [a, b] = place(i);
    if (Math.max(Math.abs(a - x), Math.abs(b - y)) < shown.side / 2) return i;
  }
  return best;
}

// ---- photographs

function address(i) {
  if (!data.base) return "";
  return data.link[i] ?? data.base + data.path[i].split("/").map(encodeURIComponent).join("/");
}
const pictures = new Map(); // photograph → its picture, once it was needed
const shown = new Set(); // photographs that are drawn as such
function picture(i) {
  let image = pictures.get(i);
  if (!image) {
    image = new Image();
    image.onload = draw;
    image.onerror = () => { image.broken = true; };
    image.src = data.picture[i] || address(i);
    pictures.set(i, image);
  }
  return image.complete && image.naturalWidth ? image : null;
}

// ---- drawing

function draw() {
  if (!waiting) waiting = requestAnimationFrame(paint);
}
function paint() {
  waiting = 0;
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const radius = Math.max(count > 20000 ? 1.5 : 3, Math.min(8, 3 * Math.sqrt(scale)));
  const inside = [];
  for (let i = 0; i < count; i++) {
    if (hidden.has(data.label[i])) continue;
    const [x, y] = place(i);
    if (x < -radius || y < -radius || x > width + radius || y > height + radius) continue;
    inside.push([i, x, y]);
  }
  context.globalAlpha = 0.85;
  for (const [i, x, y] of inside) {
    context.fillStyle = data.colours[data.label[i]];
    if (radius < 2) { context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius); continue; }
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
  shown.clear();
  if (scale >= 3 || inside.length <= LOOSE) paintPhotographs(inside);
  if (chosen >= 0) mark();
}
// As many of the photographs in view as have room.
function paintPhotographs(inside) {
  const side = Math.max(44, Math.min(96, 30 * Math.sqrt(scale)));
  const cells = new Map();
  let originals = 0;
  shown.side = side;
  for (const [i, x, y] of inside) {
    const column = Math.floor(x / side), row = Math.floor(y / side);
    let free = true;
    for (let c = column - 1; free && c <= column + 1; c++) {
      for (let r = row - 1; free && r <= row + 1; r++) {
        const other = cells.get(c + ":" + r);
        if (other && Math.abs(other[0] - x) < side + 3 && Math.abs(other[1] - y) < side + 3) free = false;
      }
    }
    if (!free || (!data.picture[i] && !pictures.has(i) && originals++ >= ORIGINALS)) continue;
    const image = picture(i);
    if (!image) continue;
    cells.set(column + ":" + row, [x, y]);
    shown.add(i);
    const fit = (side - 4) / Math.max(image.naturalWidth, image.naturalHeight);
    const w = image.naturalWidth * fit, h = image.naturalHeight * fit;
    context.fillStyle = data.colours[data.label[i]];
    context.fillRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
    context.drawImage(image, x - w / 2, y - h / 2, w, h);
  }
}
// What is pointed at, and the words that stay beside it.
function mark() {
  const [x, y] = place(chosen);
  const reach = shown.has(chosen) ? shown.side / 2 : 8;
  context.lineWidth = 2.5;
  context.strokeStyle = getComputedStyle(canvas).color;
  context.strokeRect(x - reach, y - reach, 2 * reach, 2 * reach);
  const away = reach + 8, room = canvas.clientWidth - tip.offsetWidth - 4;
  const beside = x + away <= room ? x + away : x - away - tip.offsetWidth;
  tip.style.left = Math.max(4, Math.min(beside, room)) + "px";
  tip.style.top = Math.max(4, Math.min(y + away, canvas.clientHeight - tip.offsetHeight - 4)) + "px";
  tip.hidden = x < 0 || y < 0 || x > canvas.clientWidth || y > canvas.clientHeight;
}
function choose(i) {
  if (i === chosen) return;
  chosen = i;
  canvas.style.cursor = i < 0 ? "" : "pointer";
  tip.hidden = i < 0;
  if (i >= 0) {
    const image = tip.querySelector("img");
    image.hidden = true;
    image.onload = () => { image.hidden = false; draw(); };
    image.src = data.picture[i] || address(i);
    tip.querySelector(".name").textContent = data.names[data.label[i]];
    tip.querySelector(".path").textContent = data.path[i];
  }
  draw();
}

// ---- what people do

function zoom(x, y, factor) {
  const middle = square(), next = Math.max(1, Math.min(MOST, scale * factor));
  left += (x - middle.x) / scale - (x - middle.x) / next;
  top_ += (y - middle.y) / scale - (y - middle.y) / next;
  scale = next;
  if (scale === 1) left = top_ = 0;
  canvas.style.touchAction = scale === 1 ? "pan-y" : "none"; // the page scrolls past the whole map
  draw();
}
function move(x, y) {
  left -= x / scale;
  top_ -= y / scale;
  draw();
}
function at(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
const held = new Map(); // pointers that are down → where they are
let moved = 0, before = -1;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  held.set(event.pointerId, at(event));
  moved = held.size > 1 ? Infinity : 0;
  before = event.pointerType === "touch" ? chosen : -2; // a finger points first, and opens at the second touch
  choose(nearest(...at(event)));
});
canvas.addEventListener("pointermove", (event) => {
  const [x, y] = at(event), last = held.get(event.pointerId);
  if (!last) { choose(nearest(x, y)); return; }
  held.set(event.pointerId, [x, y]);
  if (held.size === 2) {
    const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
    zoom((x + other[0]) / 2, (y + other[1]) / 2, apart([x, y]) / apart(last));
    return;
  }
  moved += Math.hypot(x - last[0], y - last[1]);
  move(x - last[0], y - last[1]);
});
canvas.addEventListener("pointerup", (event) => {
  held.delete(event.pointerId);
  if (moved < 5 && chosen >= 0 && (before === -2 || before === chosen) && address(chosen)) window.open(address(chosen), "_blank", "noopener");
});
canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
canvas.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") choose(-1); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(...at(event), Math.exp(-event.deltaY / 400));
}, { passive: false });
function closer(factor) { zoom(canvas.clientWidth / 2, canvas.clientHeight / 2, factor); }
const keys = {
  "+": () => closer(1.5), "=": () => closer(1.5), "-": () => closer(1 / 1.5), "0": () => closer(0),
  ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
};
canvas.parentElement.addEventListener("keydown", (event) => {
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
document.getElementById("closer").addEventListener("click", () => closer(1.8));
document.getElementById("further").addEventListener("click", () => closer(1 / 1.8));
document.getElementById("whole").addEventListener("click", () => closer(0));
data.names.forEach((name, label) => {
  const button = document.createElement("button");
  const dot = document.createElement("i");
  const number = document.createElement("span");
  dot.style.background = data.colours[label];
  number.textContent = data.counts[label].toLocaleString("en");
  button.type = "button";
  button.setAttribute("aria-pressed", "true");
  button.append(dot, name, " ", number);
  button.addEventListener("click", () => {
    const on = hidden.delete(label);
    if (!on) hidden.add(label);
    button.setAttribute("aria-pressed", String(on));
    button.classList.toggle("off", !on);
    draw();
  });
  legend.append(button);
});
window.addEventListener("resize", draw);
draw();
