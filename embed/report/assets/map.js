"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("map");
const tip = document.getElementById("tip");
const legend = document.getElementById("legend");
const context = canvas.getContext("2d");
const hidden = new Set();
let scale = 1, left = 0, top_ = 0; // what part of the map is shown
let chosen = -1;

// The map is a square in the middle of the canvas.
function square() {
  const full = Math.min(canvas.clientWidth, canvas.clientHeight), side = full * 0.94;
  return { side, x: (canvas.clientWidth - side) / 2, y: (canvas.clientHeight - side) / 2 };
}
function place(i) {
  const { side, x, y } = square();
  return [x + (data.x[i] * side - left) * scale, y + ((1 - data.y[i]) * side - top_) * scale];
}
function draw() {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const radius = Math.max(3, Math.min(8, 3 * Math.sqrt(scale)));
  for (let i = 0; i < data.x.length; i++) {
    if (hidden.has(data.label[i])) continue;
    const [x, y] = place(i);
    context.globalAlpha = 0.85;
    context.fillStyle = data.colours[data.label[i]];
    context.beginPath();
    context.arc(x, y, i === chosen ? radius * 1.8 : radius, 0, 2 * Math.PI);
    context.fill();
  }
}
function nearest(x, y) {
  let best = -1, least = 20 * 20; // pixels
  for (let i = 0; i < data.x.length; i++) {
    if (hidden.has(data.label[i])) continue;
    const [a, b] = place(i);
    const d = (a - x) * (a - x) + (b - y) * (b - y);
    if (d < least) { least = d; best = i; }
  }
  return best;
}
function show(event) {
  const box = canvas.getBoundingClientRect();
  const i = nearest(event.clientX - box.left, event.clientY - box.top);
  if (i === chosen) return;
  chosen = i;
  draw();
  tip.hidden = i < 0;
  if (i < 0) return;
  tip.querySelector("img").src = data.picture[i];
  tip.querySelector("img").hidden = !data.picture[i];
  tip.querySelector(".name").textContent = data.names[data.label[i]];
  tip.querySelector(".path").textContent = data.path[i];
  const [x, y] = place(i);
  tip.style.left = Math.max(4, Math.min(x + 14, canvas.clientWidth - tip.offsetWidth - 4)) + "px";
  tip.style.top = Math.max(4, Math.min(y + 14, canvas.clientHeight - tip.offsetHeight - 4)) + "px";
}
canvas.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); else show(event); });
canvas.addEventListener("pointerdown", show);
canvas.addEventListener("pointerleave", () => { tip.hidden = true; chosen = -1; draw(); });
function drag(event) {
  left -= event.movementX / scale;
  top_ -= event.movementY / scale;
  draw();
}
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = canvas.getBoundingClientRect(), middle = square();
  const x = event.clientX - box.left - middle.x, y = event.clientY - box.top - middle.y;
  const factor = Math.exp(-event.deltaY / 400), next = Math.max(1, Math.min(40, scale * factor));
  left += x / scale - x / next;
  top_ += y / scale - y / next;
  scale = next;
  if (scale === 1) left = top_ = 0;
  draw();
}, { passive: false });
data.names.forEach((name, label) => {
  const button = document.createElement("button");
  const dot = document.createElement("i");
  dot.style.background = data.colours[label];
  button.append(dot, name);
  button.addEventListener("click", () => {
    if (hidden.delete(label)) button.classList.remove("off");
    else { hidden.add(label); button.classList.add("off"); }
    draw();
  });
  legend.append(button);
});
window.addEventListener("resize", draw);
draw();
