// What is looked at and how: the state that every part of the viewer draws from. No page, no graph.

import { PALETTE } from "../box_editor/palette.js";
import { text } from "./strings.js";

/** @typedef {import("./data.js").LensData} LensData */
/** @typedef {import("./data.js").Item} Item */
/** @typedef {import("./paint.js").Mode} Mode */
/** @typedef {{x: number, y: number}} Point fractions of the picture */
/** @typedef {{item: Item, value: number}} Ranked */

export const MOST_ZOOM = 12;
export const MODES = /** @type {const} */ (["heat", "outline", "masked", "wipe"]);

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Lens {
  constructor() {
    /** @type {LensData | null} */
    this.data = null;
    this.image = 0;
    /** @type {string | null} */
    this.hovered = null;
    /** @type {string[]} */
    this.pinned = [];
    /** @type {Point | null} */
    this.point = null;
    /** @type {Ranked[] | null} */
    this.ranked = null;
    this.look = { mode: /** @type {Mode} */ ("heat"), colormap: "turbo", opacity: 0.55, threshold: 0.2 };
    this.wipe = 0.5;
    this.view = { scale: 1, x: 0.5, y: 0.5 }; // the point of the picture in the middle
    this.status = "";
    /** @type {Item[]} */
    this.items = [];
    /** @type {Map<string, Item>} */
    this.byId = new Map();
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  notify() {
    for (const listener of this.listeners) listener();
  }

  /** @param {string} status for eyes and the live region */
  say(status) {
    this.status = status;
    this.notify();
  }

  /** Show a run. What was pinned, the place in the batch and the zoom stay where they still mean something. @param {LensData} data */
  show(data) {
    const before = this.data?.run;
    const pinned = this.pinned.map((id) => this.byId.get(id)?.label);
    this.data = data;
    const { threshold, colormap, opacity, size } = data.run;
    if (threshold !== undefined && threshold !== before?.threshold) this.look.threshold = threshold;
    if (colormap !== undefined && colormap !== before?.colormap) this.look.colormap = colormap;
    if (opacity !== undefined && opacity !== before?.opacity) this.look.opacity = opacity;
    if (String(size) !== String(before?.size)) this.view = { scale: 1, x: 0.5, y: 0.5 };
    this.hovered = this.ranked = this.point = null;
    this.#open(clamp(this.image, 0, data.count - 1));
    this.pinned = [...this.byId.values()].filter((item) => item.maps && pinned.includes(item.label)).map((item) => item.id);
    this.notify();
  }

  /** @param {number} image */
  #open(image) {
    if (!this.data) return;
    this.image = image;
    this.items = this.data.items(image);
    this.byId = new Map(this.items.flatMap((item) => [item, ...item.words]).map((item) => [item.id, item]));
  }

  /** Go to an image of the batch, or to a step. @param {number} image */
  goTo(image) {
    if (!this.data) return;
    const to = clamp(image, 0, this.data.count - 1);
    if (to === this.image) return;
    const labels = this.pinned.map((id) => this.byId.get(id)?.label);
    this.#open(to);
    if (this.data.run.by_image) // another image has other classes in these places
      this.pinned = this.items.filter((item) => item.maps && labels.includes(item.label)).map((item) => item.id);
    this.ranked = null;
    this.say(this.data.run.steps ? text().step(this.data.run.steps[to], to + 1, this.data.count) : text().image(to + 1, this.data.count));
  }

  // ---- which maps

  /** The prompt (or class) that an item belongs to. @param {string} id */
  entryOf(id) {
    return this.byId.get(id.split(".")[0]);
  }

  /** An item with a map: itself, or for a word without one its prompt. @param {string} id */
  mapped(id) {
    const item = this.byId.get(id);
    return item?.maps ? item : this.entryOf(id)?.maps ? this.entryOf(id) : undefined;
  }

  /** What is drawn: what the pointer or the focus is on, else what is pinned, else the first. @returns {Item[]} */
  get shown() {
    const ids = this.hovered !== null ? [this.hovered] : this.pinned;
    const found = ids.map((id) => this.mapped(id)).filter((item) => item !== undefined);
    if (found.length > 0) return found;
    const first = this.items.find((item) => item.maps);
    return first ? [first] : [];
  }

  /** @param {string} id */
  colourOf(id) {
    return PALETTE[this.pinned.indexOf(id) % PALETTE.length] ?? PALETTE[0];
  }

  /** @param {string | null} id */
  hover(id) {
    if (id === this.hovered) return;
    this.hovered = id;
    const item = id === null ? undefined : this.byId.get(id);
    if (item) this.status = this.describe(item);
    this.notify();
  }

  /** @param {Item} item */
  describe(item) {
    const score = item.score === null ? "" : text().score[this.data?.run.kind === "classes" ? "class" : item.id.includes(".") ? "word" : "prompt"](item.score);
    const lacks = item.maps || !this.entryOf(item.id)?.maps ? "" : text().noMap;
    return [item.label, score, lacks].filter(Boolean).join(" · ");
  }

  /** @param {string} id */
  pin(id) {
    const item = this.byId.get(id);
    if (!item?.maps) return this.say(item ? this.describe(item) : "");
    const on = !this.pinned.includes(id);
    this.pinned = on ? [...this.pinned, id] : this.pinned.filter((each) => each !== id);
    this.say(text().pinned(item.label, on));
  }

  // ---- a place in the picture

  /** @param {Point | null} point */
  pointAt(point) {
    this.point = point && { x: clamp(point.x, 0, 1), y: clamp(point.y, 0, 1) };
    this.notify();
  }

  /** Heat of an item at the point, for a pane. @param {Item} item @param {number} [pane] @returns {number | null} */
  value(item, pane = 0) {
    const map = item.maps?.[pane];
    if (!this.point || !this.data || map === undefined) return null;
    return this.data.valueAt(this.image, map, this.point);
  }

  /** The words of the prompt that is shown, by their heat at the point; the prompts where no word has a map. */
  rank() {
    if (!this.point || !this.data) return;
    const [first] = this.shown;
    const words = first ? (this.entryOf(first.id)?.words ?? []).filter((word) => word.maps) : [];
    const panes = this.data.panes.length;
    const candidates = words.length > 0 ? words : this.items.filter((item) => item.maps);
    this.ranked = candidates
      .map((item) => ({ item, value: Math.max(...Array.from({ length: panes }, (_, pane) => this.value(item, pane) ?? 0)) }))
      .sort((a, b) => b.value - a.value);
    this.say(this.ranked.length ? text().ranked(this.ranked.map(({ item, value }) => `${item.label} ${value.toFixed(2)}`).join(", ")) : text().nothingHere);
  }

  // ---- looks

  /** @param {Partial<Lens["look"]>} change */
  set(change) {
    Object.assign(this.look, change);
    this.notify();
  }

  /** @param {number} at 0..1, across the picture */
  wipeTo(at) {
    this.wipe = clamp(at, 0, 1);
    this.notify();
  }

  // ---- zoom

  /** @param {number} factor @param {Point} [about] this point of the picture stays where it is */
  zoom(factor, about = this.view) {
    const scale = clamp(this.view.scale * factor, 1, MOST_ZOOM);
    const kept = this.view.scale / scale;
    this.#look({ scale, x: about.x + (this.view.x - about.x) * kept, y: about.y + (this.view.y - about.y) * kept });
  }

  /** @param {number} right @param {number} down in fractions of the picture */
  pan(right, down) {
    this.#look({ ...this.view, x: this.view.x - right, y: this.view.y - down });
  }

  fit() {
    this.#look({ scale: 1, x: 0.5, y: 0.5 });
  }

  /** @param {{scale: number, x: number, y: number}} view */
  #look({ scale, x, y }) {
    const half = 0.5 / scale;
    this.view = { scale, x: clamp(x, half, 1 - half), y: clamp(y, half, 1 - half) };
    this.notify();
  }

  /** Esc: first the ranking, then the pins, then the zoom. @returns {boolean} whether there was something to leave */
  escape() {
    if (this.ranked) this.ranked = null;
    else if (this.pinned.length > 0) this.pinned = [];
    else if (this.view.scale > 1) this.fit();
    else return false;
    this.notify();
    return true;
  }
}
