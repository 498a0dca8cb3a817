// Elements, and words in them: text is never read as markup.
const SVG = "http://www.w3.org/2000/svg";

/** An element with properties (on… listens, aria-… and data-… are attributes) and children. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key in element && !key.includes("-") && key !== "list" && key !== "role") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put children in the place of whatever is there; what is nothing is left out. */
export function put(place, ...children) {
  place.replaceChildren(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
}

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat(4));
  return element;
}

/** What cannot be seen, or turns others around, is written out. */
export function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu,
    (sign) => `\\u${sign.codePointAt(0).toString(16).padStart(4, "0")}`);
}

export const nameOf = (path) => visible(path.slice(path.lastIndexOf("/") + 1));
export const percent = (value, digits = 1) =>
  value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)}%`;
export const counted = (number, noun, plural = `${noun}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
export const size = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);

let hush;
/** Say a sentence at the edge of the page, and to who listens to it; with something that can be done then: { words, act }. */
export function tell(words, bad = false, action = null) {
  const place = document.getElementById("told");
  const host = document.querySelector("dialog[open]") ?? document.body; // what is outside an open dialog cannot be seen
  if (place.parentElement !== host) host.append(place);
  const button = action && h("button", { type: "button", onclick: () => { place.replaceChildren(); action.act(); } }, action.words);
  place.replaceChildren(h("p", { class: bad ? "bad" : "" }, h("span", {}, words), button || ""));
  clearTimeout(hush);
  hush = setTimeout(() => place.replaceChildren(), bad || action ? 12000 : 5000);
}

/** Do something that may fail, and say so where it does. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message, true);
    return undefined;
  }
}

export const heading = (title, ...words) =>
  h("div", { class: "heading" }, h("h1", {}, title), words.length ? h("p", { class: "faint" }, words) : null);

/** A bar for a share, with an interval where there is one. */
export function track(share, interval) {
  const at = (value) => `${(100 * value).toFixed(2)}%`;
  const marks = [svg("rect", { width: at(share || 0), height: "100%" })];
  if (interval) {
    marks.push(svg("line", { x1: at(interval[0]), x2: at(interval[1]), y1: "50%", y2: "50%" }));
    for (const end of interval) marks.push(svg("line", { x1: at(end), x2: at(end), y1: "25%", y2: "75%" }));
  }
  return svg("svg", { class: "track", "aria-hidden": "true" }, marks);
}

/** A field to type a name into, with those that are there. */
export function nameField(label, names, id) {
  const field = h("input", { type: "text", id, "aria-label": label, placeholder: label, autocomplete: "off", maxLength: 200 });
  const options = h("datalist", { id: `${id}-names` }, names.map((name) => h("option", { value: name })));
  field.setAttribute("list", `${id}-names`);
  return { field, options };
}

/** A place to drop photographs on, paste them into, or pick them with. */
export function dropPlace(words, take) {
  const pick = h("input", { type: "file", multiple: true, accept: "image/*,.heic,.tif,.tiff,.dng,.cr2,.nef,.arw", class: "hidden-input", tabIndex: -1,
    "aria-label": words, onchange: () => { if (pick.files.length) take([...pick.files]); pick.value = ""; } });
  const place = h("div", { class: "drop" }, h("p", {}, words),
    h("p", { class: "faint" }, "drop them here, paste with Ctrl+V, or "),
    h("button", { type: "button", class: "main", onclick: () => pick.click() }, "Choose photographs"), pick);
  place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("over"); });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
  const paste = (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) { event.preventDefault(); take(files); }
  };
  return { place, listen: () => { document.addEventListener("paste", paste); return () => document.removeEventListener("paste", paste); } };
}

/** A line over numbers: [{x, y, low, high}], x spread evenly, y from 0 to 1. */
export function lineChart(points, { xName, yName, label, names }) {
  const width = 560, height = 250, left = 48, right = 544, top = 14, bottom = 200;
  const low = Math.max(0, Math.floor(10 * Math.min(...points.map((p) => p.low ?? p.y)) - 0.5) / 10);
  const x = (i) => (points.length > 1 ? left + 18 + (i * (right - left - 36)) / (points.length - 1) : (left + right) / 2);
  const y = (value) => bottom - ((value - low) / (1 - low || 1)) * (bottom - top);
  const parts = [];
  for (let tick = low; tick <= 1.0001; tick += (1 - low) / 4 || 1) {
    parts.push(svg("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
      svg("text", { class: "tick", "text-anchor": "end", x: left - 7, y: y(tick) + 4 }, percent(tick, 0)));
  }
  const every = Math.ceil(points.length / 10);
  points.forEach((point, i) => {
    if (i % every === 0 || i === points.length - 1) parts.push(svg("text", { class: "tick", "text-anchor": "middle", x: x(i), y: bottom + 17 }, names[i]));
    if (point.low !== undefined) parts.push(svg("line", { class: "mark thin", x1: x(i), x2: x(i), y1: y(point.low), y2: y(point.high) }));
  });
  parts.push(svg("polyline", { class: "mark first", points: points.map((p, i) => `${x(i)},${y(p.y)}`).join(" ") }));
  points.forEach((point, i) => parts.push(svg("circle", { class: "dot", cx: x(i), cy: y(point.y), r: 4 },
    svg("title", {}, `${names[i]}: ${percent(point.y)}`))));
  parts.push(svg("text", { "text-anchor": "middle", x: (left + right) / 2, y: bottom + 37 }, xName),
    svg("text", { "text-anchor": "middle", transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)` }, yName));
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, parts);
}
