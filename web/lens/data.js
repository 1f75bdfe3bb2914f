// One run's files: names and scores, and each image's maps, decoded when the image is shown.

import { enlarge, valueAt } from "./enlarge.js";

const VERSION = 1;
const MOST_SHEETS = 4; // decoded at a time
const MOST_HEAT_BYTES = 96 * 2 ** 20;

/**
 * @typedef {{id: string, label: string, maps: number[] | null, score: number | null, words: Item[]}} Item
 * @typedef {{label: string, maps: number[] | null, scores: number[] | null, words?: Entry[]}} Entry
 * @typedef {{label: string, box: number[], scores: number[]}} StepBox
 * @typedef {object} Run
 * @property {number} version
 * @property {"prompts"|"methods"|"classes"|"steps"} kind
 * @property {[number, number]} size
 * @property {[number, number]} [map_size]
 * @property {number} [columns]
 * @property {string[]} pictures
 * @property {string[]} sheets
 * @property {Entry[]} [entries]
 * @property {Entry[][]} [by_image]
 * @property {{label: string, note: string}[]} [panes]
 * @property {string[]} [warnings]
 * @property {number} [threshold]
 * @property {string} [colormap]
 * @property {number} [opacity]
 * @property {StepBox[]} [boxes]
 * @property {Record<string, number[]>} [losses]
 * @property {number[]} [steps]
 * @property {number[]} [picture_of]
 */

export class FilesGone extends Error {}

/** @param {string} url */
async function get(url) {
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) throw new FilesGone(url);
  return answer;
}

/** @param {Blob} blob @returns {Promise<{levels: Uint8Array, width: number}>} the grey values of a PNG */
async function greys(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const levels = new Uint8Array(data.length / 4);
  for (let i = 0; i < levels.length; i += 1) levels[i] = data[4 * i];
  bitmap.close();
  return { levels, width: canvas.width };
}

export class LensData {
  /** @param {Run} run @param {(name: string) => string} urlOf */
  constructor(run, urlOf) {
    this.run = run;
    this.urlOf = urlOf;
    /** @type {Map<number, {levels: Uint8Array, width: number}>} */
    this.sheets = new Map();
    /** @type {Map<string, Uint8ClampedArray>} */
    this.heats = new Map();
  }

  /** @param {string} name of the JSON file @param {(name: string) => string} urlOf */
  static async load(name, urlOf) {
    const run = await (await get(urlOf(name))).json();
    if (run?.version !== VERSION) throw new FilesGone(name);
    return new LensData(run, urlOf);
  }

  /** Images of the batch, or steps. */
  get count() {
    return this.run.steps?.length ?? this.run.pictures.length;
  }

  get panes() {
    return this.run.panes ?? [{ label: "", note: "" }];
  }

  /** @param {number} image */
  pictureUrl(image) {
    return this.urlOf(this.run.pictures[this.run.picture_of?.[image] ?? image]);
  }

  /** Decode the maps of an image. @param {number} image */
  async open(image) {
    if (this.run.sheets.length === 0 || this.sheets.has(image)) return;
    const sheet = await greys(await (await get(this.urlOf(this.run.sheets[image]))).blob());
    this.sheets.set(image, sheet);
    for (const old of this.sheets.keys()) if (this.sheets.size > MOST_SHEETS) this.sheets.delete(old);
  }

  /** @param {number} image */
  isOpen(image) {
    return this.run.sheets.length === 0 || this.sheets.has(image);
  }

  /** One map at the tower's grid, if its image is open. @param {number} image @param {number} map @returns {Uint8Array | null} */
  levels(image, map) {
    const sheet = this.sheets.get(image);
    if (!sheet) return null;
    const [width, height] = this.mapSize;
    const columns = this.run.columns ?? 1;
    const [left, top] = [(map % columns) * width, Math.floor(map / columns) * height];
    const levels = new Uint8Array(width * height);
    for (let y = 0; y < height; y += 1) {
      const from = (top + y) * sheet.width + left;
      levels.set(sheet.levels.subarray(from, from + width), y * width);
    }
    return levels;
  }

  get mapSize() {
    return this.run.map_size ?? [1, 1];
  }

  /** Heat 0..255 at `width x height`, remembered. @param {number} image @param {number} map @param {number} width @param {number} height */
  heat(image, map, width, height) {
    const key = `${image} ${map} ${width} ${height}`;
    const kept = this.heats.get(key);
    if (kept) {
      this.heats.delete(key);
      this.heats.set(key, kept); // the one used last comes last
      return kept;
    }
    const levels = this.levels(image, map);
    if (!levels) return null;
    const heat = enlarge(levels, ...this.mapSize, width, height, new Uint8ClampedArray(width * height));
    this.heats.set(key, heat);
    let bytes = 0;
    for (const each of this.heats.values()) bytes += each.length;
    for (const [old, each] of this.heats) {
      if (bytes <= MOST_HEAT_BYTES || old === key) break;
      bytes -= each.length;
      this.heats.delete(old);
    }
    return heat;
  }

  /** Heat 0..1 at a point. @param {number} image @param {number} map @param {{x: number, y: number}} point */
  valueAt(image, map, point) {
    const levels = this.levels(image, map);
    return levels && valueAt(levels, ...this.mapSize, point);
  }

  /** Prompts (or classes) of an image with their words. @param {number} image @returns {Item[]} */
  items(image) {
    const entries = this.run.by_image?.[image] ?? this.run.entries ?? [];
    const place = this.run.by_image ? 0 : image;
    /** @param {Entry} entry @param {string} id @returns {Item} */
    const item = (entry, id) => ({
      id,
      label: entry.label,
      maps: entry.maps,
      score: entry.scores?.[place] ?? null,
      words: (entry.words ?? []).map((word, index) => item(word, `${id}.${index}`)),
    });
    return entries.map((entry, index) => item(entry, String(index)));
  }
}
