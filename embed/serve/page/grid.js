// A grid that scrolls through any number of photographs: only what is seen is fetched, and only that is in the page.
import { ask, pictureOf, query } from "./net.js";
import { attempt, h, nameOf, percent, visible } from "./dom.js";

const PAGE = 200; // photographs fetched at a time
const SPARE = 2; // rows above and below what is seen
const SETTLE_MS = 60; // that the scroll rests before anything is fetched
const LEAST = 120; // pixels of a cell, at least

export class Grid {
  /** @param open called with the place of a photograph that is chosen, and this grid */
  constructor(label, open) {
    this.open = open;
    this.total = 0;
    this.filter = {};
    this.pages = new Map();
    this.rows = new Map();
    this.at = 0; // the place that has the focus
    this.element = h("div", { class: "grid", role: "grid", "aria-label": label, "aria-rowcount": 0,
      onkeydown: (event) => this.key(event) });
    this.watch = new ResizeObserver(() => this.lay());
    this.scrolled = () => this.show();
  }

  connect() {
    this.watch.observe(this.element);
    addEventListener("scroll", this.scrolled, { passive: true });
    return () => {
      this.watch.disconnect();
      removeEventListener("scroll", this.scrolled);
      clearTimeout(this.settle);
      this.fetching?.abort();
    };
  }

  /** Show the photographs that a filter leaves. Returns how many there are. */
  async load(filter) {
    this.filter = filter;
    this.fetching?.abort();
    this.fetching = new AbortController();
    this.pages.clear();
    const first = await ask(`/api/photos?${query({ ...filter, offset: 0, limit: PAGE })}`, { signal: this.fetching.signal });
    this.total = first.total;
    this.pages.set(0, first.photographs);
    this.at = Math.min(this.at, Math.max(0, this.total - 1));
    this.clear();
    this.lay();
    return this.total;
  }

  /** The photograph at a place, once it is there. */
  async photo(place) {
    const page = Math.floor(place / PAGE);
    if (!this.pages.has(page)) await this.fetch(page);
    return this.pages.get(page)?.[place % PAGE];
  }

  async fetch(page) {
    const { signal } = this.fetching;
    const found = await ask(`/api/photos?${query({ ...this.filter, offset: page * PAGE, limit: PAGE })}`, { signal });
    if (!signal.aborted) this.pages.set(page, found.photographs);
  }

  clear() {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
  }

  lay() {
    const width = this.element.clientWidth;
    if (!width) return;
    const columns = Math.max(3, Math.floor(width / (width < 500 ? LEAST : 150)));
    if (columns !== this.columns || width !== this.width) this.clear();
    this.columns = columns;
    this.width = width;
    this.side = width / columns;
    const rows = Math.ceil(this.total / columns);
    this.element.style.setProperty("--columns", columns);
    this.element.style.height = `${rows * this.side}px`;
    this.element.setAttribute("aria-rowcount", rows);
    this.element.setAttribute("aria-colcount", columns);
    this.show();
  }

  show() {
    if (!this.columns) return;
    const top = -this.element.getBoundingClientRect().top;
    const rows = Math.ceil(this.total / this.columns);
    const first = Math.max(0, Math.floor(top / this.side) - SPARE);
    const last = Math.min(rows - 1, Math.ceil((top + innerHeight) / this.side) + SPARE);
    for (const [number, row] of this.rows) {
      if ((number < first || number > last) && !row.contains(document.activeElement)) {
        row.remove();
        this.rows.delete(number);
      }
    }
    const missing = new Set();
    let before = null;
    for (let number = first; number <= last; number++) {
      let row = this.rows.get(number);
      if (!row) {
        row = h("div", { class: "row", role: "row", "aria-rowindex": number + 1 });
        row.style.transform = `translateY(${number * this.side}px)`;
        row.style.height = `${this.side}px`;
        this.rows.set(number, row);
        if (before) before.after(row);
        else this.element.prepend(row);
      }
      before = row;
      const start = number * this.columns, end = Math.min(this.total, start + this.columns);
      const pages = [Math.floor(start / PAGE), Math.floor((end - 1) / PAGE)];
      if (pages.every((page) => this.pages.has(page))) this.fill(row, start, end);
      else pages.filter((page) => !this.pages.has(page)).forEach((page) => missing.add(page));
    }
    if (!this.element.querySelector('[tabindex="0"]')) this.element.querySelector(".photo")?.setAttribute("tabindex", "0");
    if (missing.size) {
      clearTimeout(this.settle);
      this.settle = setTimeout(() => attempt(async () => {
        await Promise.all([...missing].map((page) => this.fetch(page)));
        this.show();
      }), SETTLE_MS);
    }
  }

  fill(row, start, end) {
    if (row.childElementCount) return;
    for (let place = start; place < end; place++) {
      const photo = this.pages.get(Math.floor(place / PAGE))[place % PAGE];
      if (photo) row.append(h("div", { class: "slot", role: "gridcell" }, this.cell(photo, place)));
    }
  }

  cell(photo, place) {
    const words = [photo.label && visible(photo.label), photo.predicted && `predicted ${visible(photo.predicted)} ${percent(photo.probability, 0)}`];
    const wrong = photo.label && photo.predicted && photo.label !== photo.predicted;
    const button = h("button", { type: "button", class: "photo", tabIndex: place === this.at ? 0 : -1, "data-place": place,
      "aria-label": [nameOf(photo.path), ...words.filter(Boolean)].join(", "), title: visible(photo.path),
      onclick: () => { this.focus(place); this.open(place, this); } },
      picture(photo),
      photo.label || photo.predicted ? h("span", { class: `tag${wrong ? " bad" : photo.label ? "" : " faint"}` },
        visible(wrong ? `${photo.label} ≠ ${photo.predicted}` : photo.label || `${photo.predicted}?`)) : null);
    return button;
  }

  async focus(place) {
    if (place < 0 || place >= this.total) return;
    this.element.querySelector(`[data-place="${this.at}"]`)?.setAttribute("tabindex", "-1");
    this.at = place;
    const number = Math.floor(place / this.columns);
    const top = this.element.getBoundingClientRect().top + number * this.side;
    if (top < 90) scrollBy(0, top - 90);
    else if (top + this.side > innerHeight) scrollBy(0, top + this.side - innerHeight + 8);
    if (!this.pages.has(Math.floor(place / PAGE))) await attempt(() => this.fetch(Math.floor(place / PAGE)));
    this.show();
    const button = this.element.querySelector(`[data-place="${place}"]`);
    button?.setAttribute("tabindex", "0");
    button?.focus({ preventScroll: true });
  }

  key(event) {
    const page = this.columns * Math.max(1, Math.floor(innerHeight / this.side) - 1);
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: page, PageUp: -page };
    let place = this.at + (steps[event.key] ?? 0);
    if (event.key === "Home") place = 0;
    else if (event.key === "End") place = this.total - 1;
    else if (!(event.key in steps)) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(this.total - 1, place)));
  }
}

/** The picture of a photograph, or the reason why there is none. */
export function picture(photo, size = "small", alt = "") {
  const image = h("img", { alt, src: pictureOf(photo, size), decoding: "async", draggable: false });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "no-picture" }, "cannot be shown")), { once: true });
  return image;
}

/** A few photographs as cards, each with words below. */
export function cards(photos, open, words = () => []) {
  return h("ul", { class: "cards" }, photos.map((photo, place) => h("li", { class: "card" },
    h("button", { type: "button", class: "picture", "aria-label": nameOf(photo.path), onclick: () => open(place) }, picture(photo)),
    h("div", { class: "words" }, words(photo, place), h("div", { class: "path" }, visible(photo.path))))));
}
