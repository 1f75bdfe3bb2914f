// Rectangles as fractions of the picture: what a drag, a handle or a number makes of them.

/** @typedef {{x: number, y: number, width: number, height: number}} Rect */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {"n"|"s"|"e"|"w"|"ne"|"nw"|"se"|"sw"} Handle */

/** @type {readonly Handle[]} Corners first: where handles lie close together, a corner is the better guess. */
export const HANDLES = ["nw", "ne", "se", "sw", "n", "e", "s", "w"];

/** @type {Readonly<Rect>} */
export const PICTURE = { x: 0, y: 0, width: 1, height: 1 };

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** @param {number} left @param {number} top @param {number} right @param {number} bottom @returns {Rect} */
export function fromEdges(left, top, right, bottom) {
  const x = Math.min(left, right);
  const y = Math.min(top, bottom);
  return { x, y, width: Math.abs(right - left), height: Math.abs(bottom - top) };
}

/** @param {Rect} r */
export const edges = (r) => ({ left: r.x, top: r.y, right: r.x + r.width, bottom: r.y + r.height });

/** The part of a rectangle inside the picture. @param {Rect} r @returns {Rect} */
export function clipped(r) {
  const e = edges(r);
  return fromEdges(clamp(e.left, 0, 1), clamp(e.top, 0, 1), clamp(e.right, 0, 1), clamp(e.bottom, 0, 1));
}

/** The rectangle pushed inside the picture, its size kept where it fits. @param {Rect} r @returns {Rect} */
export function pushedInside(r) {
  const width = Math.min(r.width, 1);
  const height = Math.min(r.height, 1);
  return { x: clamp(r.x, 0, 1 - width), y: clamp(r.y, 0, 1 - height), width, height };
}

/** @param {Rect} r @returns {boolean} */
export function isInsidePicture(r) {
  const slack = 1e-6;
  return r.x >= -slack && r.y >= -slack && r.x + r.width <= 1 + slack && r.y + r.height <= 1 + slack;
}

/** Smallest rectangle around several. @param {readonly Rect[]} rects @returns {Rect} */
export function around(rects) {
  return fromEdges(
    Math.min(...rects.map((r) => r.x)),
    Math.min(...rects.map((r) => r.y)),
    Math.max(...rects.map((r) => r.x + r.width)),
    Math.max(...rects.map((r) => r.y + r.height)),
  );
}

/** @param {Rect} r @param {Point} p @param {Point} [slack] */
export function contains(r, p, slack = { x: 0, y: 0 }) {
  const e = edges(r);
  return p.x >= e.left - slack.x && p.x <= e.right + slack.x && p.y >= e.top - slack.y && p.y <= e.bottom + slack.y;
}

/** @param {Rect} a @param {Rect} b */
export function touches(a, b) {
  const p = edges(a);
  const q = edges(b);
  return p.left < q.right && q.left < p.right && p.top < q.bottom && q.top < p.bottom;
}

/** @param {Rect} r @param {Handle} handle @returns {Point} */
export function handlePoint(r, handle) {
  const e = edges(r);
  return {
    x: handle.includes("w") ? e.left : handle.includes("e") ? e.right : r.x + r.width / 2,
    y: handle.includes("n") ? e.top : handle.includes("s") ? e.bottom : r.y + r.height / 2,
  };
}

/** The handle under a point, within reach (in fractions, each way). @param {Rect} r @param {Point} p @param {Point} reach */
export function handleAt(r, p, reach) {
  return HANDLES.find((handle) => {
    const at = handlePoint(r, handle);
    return Math.abs(at.x - p.x) <= reach.x && Math.abs(at.y - p.y) <= reach.y;
  });
}

/**
 * A rectangle with one handle dragged by (dx, dy).
 *
 * `smallest` is the least size each way; a handle dragged past the other side turns the rectangle over.
 * `keepAspect` and `fromCentre` do what Shift and Alt do in drawing programs.
 *
 * @param {Rect} r @param {Handle} handle @param {Point} by
 * @param {{keepAspect?: boolean, fromCentre?: boolean, smallest?: Point}} [options]
 * @returns {Rect}
 */
export function resized(r, handle, by, { keepAspect = false, fromCentre = false, smallest = { x: 0, y: 0 } } = {}) {
  const e = edges(r);
  const factor = fromCentre ? 2 : 1;
  const right = handle.includes("e") ? 1 : handle.includes("w") ? -1 : 0;
  const down = handle.includes("s") ? 1 : handle.includes("n") ? -1 : 0;
  let width = r.width + right * by.x * factor;
  let height = r.height + down * by.y * factor;
  if (keepAspect && right && down && r.width > 0 && r.height > 0) {
    const scale = Math.max(Math.abs(width) / r.width, Math.abs(height) / r.height);
    width = Math.sign(width || 1) * r.width * scale;
    height = Math.sign(height || 1) * r.height * scale;
  }
  width = right ? atLeast(width, smallest.x) : width;
  height = down ? atLeast(height, smallest.y) : height;
  const cx = r.x + r.width / 2;
  const cy = r.y + r.height / 2;
  const [left, farX] = fromCentre && right ? [cx - width / 2, cx + width / 2] : right < 0 ? [e.right - width, e.right] : [e.left, e.left + width];
  const [top, farY] = fromCentre && down ? [cy - height / 2, cy + height / 2] : down < 0 ? [e.bottom - height, e.bottom] : [e.top, e.top + height];
  return fromEdges(left, top, farX, farY);
}

/** @param {number} length @param {number} least */
const atLeast = (length, least) => (Math.abs(length) >= least ? length : Math.sign(length || 1) * least);

/** Where a member of a group lands when the group's rectangle changes. @param {Rect} r @param {Rect} from @param {Rect} to @returns {Rect} */
export function carried(r, from, to) {
  const sx = from.width > 0 ? to.width / from.width : 1;
  const sy = from.height > 0 ? to.height / from.height : 1;
  return { x: to.x + (r.x - from.x) * sx, y: to.y + (r.y - from.y) * sy, width: r.width * sx, height: r.height * sy };
}
