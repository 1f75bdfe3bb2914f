// The saved state: a JSON text with a version. Also what travels in the API prompt and on the clipboard.

import { isInsidePicture } from "./geometry.js";
import { colorFor } from "./palette.js";
import { text } from "./strings.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/**
 * @typedef {object} BoxExtra
 * @property {string} id
 * @property {string} label
 * @property {number} weight
 * @property {string} color "#rrggbb"
 * @property {boolean} locked
 * @property {boolean} hidden
 */
/** @typedef {Rect & BoxExtra} Box */

export const VERSION = 1;
export const MOST_BOXES = 256;
export const HIGHEST_WEIGHT = 100;
const COLOR = /^#[0-9a-f]{6}$/i;

/** A saved state that can't be read; the message is for the user. */
export class UnreadableState extends Error {}

/** Ten digits: whole pixels of the largest picture stay whole. @param {number} value */
const rounded = (value) => Math.round(value * 1e10) / 1e10;

/**
 * @param {unknown} saved text as saved; nothing at all is an empty editor
 * @returns {Box[]}
 * @throws {UnreadableState}
 */
export function read(saved) {
  if (saved === undefined || saved === null || saved === "") return [];
  if (typeof saved !== "string") throw new UnreadableState(text.broken.notText);
  if (saved.trim() === "") return [];
  let data;
  try {
    data = JSON.parse(saved);
  } catch {
    throw new UnreadableState(text.broken.notJson);
  }
  if (!isRecord(data)) throw new UnreadableState(text.broken.notObject);
  if (data.version !== VERSION) throw new UnreadableState(text.broken.version(String(data.version), VERSION));
  if (!Array.isArray(data.boxes)) throw new UnreadableState(text.broken.noBoxes);
  if (data.boxes.length > MOST_BOXES) throw new UnreadableState(text.broken.tooMany(data.boxes.length, MOST_BOXES));
  /** @type {Box[]} */
  const boxes = [];
  data.boxes.forEach((raw, index) => boxes.push(readBox(raw, index, boxes)));
  return boxes;
}

/**
 * Boxes of a text from anywhere: the saved state; JSON of one box or a list of them, each an object or four numbers; or
 * lines like "a cat: (120, 80, 200, 100)". Numbers above 1 can only be pixels. What is unusable is left out and named.
 * @param {string} pasted @param {{width: number, height: number}} size of the picture
 * @returns {{boxes: Box[], refused: string[]}}
 * @throws {UnreadableState} it holds nothing like boxes
 */
export function readPasted(pasted, size) {
  /** @type {Box[]} */
  const boxes = [];
  /** @type {string[]} */
  const refused = [];
  rawPasted(pasted).forEach((raw, index) => {
    try {
      boxes.push(insidePicture(readBox(asBox(raw), index, boxes), index + 1, size));
    } catch (error) {
      if (!(error instanceof UnreadableState)) throw error;
      refused.push(error.message);
    }
  });
  return { boxes, refused };
}

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const LINE = new RegExp(String.raw`^(?:(.*?)[:=]\s*)?[([]?\s*(${NUMBER})[\s,;]+(${NUMBER})[\s,;]+(${NUMBER})[\s,;]+(${NUMBER})\s*[)\]]?[,;]?$`, "i");

/** @param {string} pasted @returns {unknown[]} */
function rawPasted(pasted) {
  const lines = pasted.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  const numbers = lines.map((line) => LINE.exec(line));
  if (lines.length && lines.length <= MOST_BOXES && numbers.every(Boolean))
    return numbers.map((found) => [...(found?.slice(2) ?? []).map(Number), found?.[1]?.trim().replace(/^["']|["']$/g, "") ?? ""]);
  let data;
  try {
    data = JSON.parse(pasted);
  } catch {
    throw new UnreadableState(text.broken.notJson);
  }
  if (isRecord(data) && "boxes" in data) {
    if (data.version !== undefined && data.version !== VERSION) throw new UnreadableState(text.broken.version(String(data.version), VERSION));
    data = data.boxes;
  }
  if (Array.isArray(data) && data.length === 1 && Array.isArray(data[0]) && isRecord(data[0][0])) [data] = data; // the host's list of one frame
  if (isRecord(data) || (Array.isArray(data) && data.length >= 4 && data.slice(0, 4).every((each) => typeof each === "number"))) data = [data];
  if (!Array.isArray(data)) throw new UnreadableState(text.broken.noBoxes);
  if (data.length > MOST_BOXES) throw new UnreadableState(text.broken.tooMany(data.length, MOST_BOXES));
  return data;
}

/** @param {unknown} raw @returns {unknown} */
function asBox(raw) {
  if (!Array.isArray(raw)) return raw;
  const [x, y, width, height, label] = raw;
  return { x, y, width, height, ...(label === undefined ? {} : { label }) };
}

/** @param {Box} box @param {number} place @param {{width: number, height: number}} size @returns {Box} */
function insidePicture(box, place, size) {
  const numbers = [box.x, box.y, box.width, box.height];
  const inPixels = numbers.some((value) => value > 1 + 1e-6);
  const placed = inPixels
    ? { ...box, x: box.x / size.width, y: box.y / size.height, width: box.width / size.width, height: box.height / size.height }
    : box;
  if (placed.width <= 0 || placed.height <= 0) throw new UnreadableState(text.refused.noArea(place));
  if (!isInsidePicture(placed)) throw new UnreadableState(inPixels ? text.refused.outsidePixels(place, size.width, size.height) : text.refused.outside(place));
  return placed;
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {unknown} raw @param {number} index @param {readonly Box[]} earlier @returns {Box} */
function readBox(raw, index, earlier) {
  const place = index + 1;
  if (!isRecord(raw)) throw new UnreadableState(text.broken.box(place));
  const box = { ...raw };
  /** @param {string} key */
  const number = (key) => {
    const value = box[key];
    if (typeof value !== "number" || !Number.isFinite(value)) throw new UnreadableState(text.broken.number(place, key));
    return value;
  };
  if (box.label !== undefined && typeof box.label !== "string") throw new UnreadableState(text.broken.label(place));
  const weight = box.weight === undefined ? 1 : number("weight");
  if (weight < 0 || weight > HIGHEST_WEIGHT) throw new UnreadableState(text.broken.number(place, "weight"));
  const usedId = typeof box.id === "string" && box.id && earlier.every((other) => other.id !== box.id);
  return {
    id: usedId ? /** @type {string} */ (box.id) : newId(earlier),
    label: typeof box.label === "string" ? box.label : "",
    x: number("x"),
    y: number("y"),
    width: number("width"),
    height: number("height"),
    weight,
    color: typeof box.color === "string" && COLOR.test(box.color) ? box.color.toLowerCase() : colorFor(earlier),
    locked: box.locked === true,
    hidden: box.hidden === true,
  };
}

/** @param {readonly Box[]} boxes @returns {string} */
export function write(boxes) {
  if (boxes.length === 0) return "";
  return JSON.stringify({ version: VERSION, boxes: boxes.map(written) });
}

/** @param {Box} box */
function written(box) {
  return {
    id: box.id,
    label: box.label,
    x: rounded(box.x),
    y: rounded(box.y),
    width: rounded(box.width),
    height: rounded(box.height),
    weight: rounded(box.weight),
    color: box.color,
    ...(box.locked ? { locked: true } : {}),
    ...(box.hidden ? { hidden: true } : {}),
  };
}

/** The smallest unused name "b1", "b2"... @param {readonly {id: string}[]} boxes */
export function newId(boxes) {
  const used = new Set(boxes.map((box) => box.id));
  let number = boxes.length + 1;
  while (used.has(`b${number}`)) number += 1;
  return `b${number}`;
}

/**
 * What keeps a box from being used, or deserves a second look; empty if nothing does.
 * @param {Box} box @param {readonly Box[]} all @returns {{kind: "error"|"warning", message: string}[]}
 */
export function problems(box, all) {
  const found = [];
  if (box.hidden) return [];
  const label = box.label.trim().toLowerCase();
  if (!label) found.push({ kind: /** @type {const} */ ("error"), message: text.problems.noLabel });
  if (box.width <= 0 || box.height <= 0) found.push({ kind: /** @type {const} */ ("error"), message: text.problems.noArea });
  if (!isInsidePicture(box)) found.push({ kind: /** @type {const} */ ("error"), message: text.problems.outside });
  const twin = all.findIndex((other) => other !== box && !other.hidden && label && other.label.trim().toLowerCase() === label);
  if (twin >= 0) found.push({ kind: /** @type {const} */ ("warning"), message: text.problems.sameLabel(twin + 1) });
  return found;
}
