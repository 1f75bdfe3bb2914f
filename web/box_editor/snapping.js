// Pull a dragged rectangle to nearby lines: the picture's edges, centre and thirds, other boxes, the latent grid.

import { edges, fromEdges } from "./geometry.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {"x"|"y"} Axis */
/** @typedef {{axis: Axis, at: number}} Guide A line that something snapped to, to be shown. */
/** @typedef {{x: number[], y: number[]}} Lines */

/**
 * What to snap to.
 * @typedef {object} Snap
 * @property {Lines} lines
 * @property {Point} reach how near a line pulls, as fractions of the picture
 * @property {Point} grid spacing of the grid as fractions, 0 for none
 */

const PICTURE_LINES = [0, 1 / 3, 1 / 2, 2 / 3, 1];

/** @param {readonly Rect[]} others @param {{width: number, height: number}} size of the picture: its thirds fall on whole pixels @returns {Lines} */
export function snapLines(others, { width, height }) {
  const whole = (/** @type {number} */ pixels) => PICTURE_LINES.map((line) => Math.round(line * pixels) / pixels);
  const lines = { x: whole(width), y: whole(height) };
  for (const r of others) {
    lines.x.push(r.x, r.x + r.width / 2, r.x + r.width);
    lines.y.push(r.y, r.y + r.height / 2, r.y + r.height);
  }
  return lines;
}

/**
 * The shift that brings one of `features` onto a line, or the first of them onto the grid.
 * @param {readonly number[]} features @param {Axis} axis @param {Snap} snap
 * @returns {{shift: number, line: number | undefined}}
 */
function pull(features, axis, snap) {
  let best = { shift: 0, line: /** @type {number | undefined} */ (undefined) };
  let nearest = snap.reach[axis];
  for (const feature of features) {
    for (const line of snap.lines[axis]) {
      const distance = Math.abs(line - feature);
      if (distance < nearest) {
        nearest = distance;
        best = { shift: line - feature, line };
      }
    }
  }
  if (best.line === undefined && snap.grid[axis] > 0) {
    const step = snap.grid[axis];
    best.shift = Math.round(features[0] / step) * step - features[0];
  }
  return best;
}

/** @param {Axis} axis @param {number | undefined} line @returns {Guide[]} */
const guide = (axis, line) => (line === undefined ? [] : [{ axis, at: line }]);

/**
 * A moved rectangle, pulled as a whole by its edges and centre.
 * @param {Rect} r @param {Snap | null} snap @returns {{rect: Rect, guides: Guide[]}}
 */
export function snapMoved(r, snap) {
  if (!snap) return { rect: r, guides: [] };
  const x = pull([r.x, r.x + r.width, r.x + r.width / 2], "x", snap);
  const y = pull([r.y, r.y + r.height, r.y + r.height / 2], "y", snap);
  return {
    rect: { ...r, x: r.x + x.shift, y: r.y + y.shift },
    guides: [...guide("x", x.line), ...guide("y", y.line)],
  };
}

/** One point, pulled both ways. @param {Point} p @param {Snap | null} snap @returns {{point: Point, guides: Guide[]}} */
export function snapPoint(p, snap) {
  if (!snap) return { point: p, guides: [] };
  const x = pull([p.x], "x", snap);
  const y = pull([p.y], "y", snap);
  return { point: { x: p.x + x.shift, y: p.y + y.shift }, guides: [...guide("x", x.line), ...guide("y", y.line)] };
}

/**
 * A resized rectangle, only its moving edges pulled.
 * @param {Rect} r @param {Rect} before @param {Snap | null} snap @returns {{rect: Rect, guides: Guide[]}}
 */
export function snapResized(r, before, snap) {
  if (!snap) return { rect: r, guides: [] };
  const now = edges(r);
  const was = edges(before);
  /** @type {Guide[]} */
  const guides = [];
  /** @param {"left"|"top"|"right"|"bottom"} side @param {Axis} axis */
  const edge = (side, axis) => {
    if (Math.abs(now[side] - was[side]) < 1e-9) return now[side];
    const { shift, line } = pull([now[side]], axis, snap);
    guides.push(...guide(axis, line));
    return now[side] + shift;
  };
  const rect = fromEdges(edge("left", "x"), edge("top", "y"), edge("right", "x"), edge("bottom", "y"));
  if (rect.width <= 0 || rect.height <= 0) return { rect: r, guides: [] };
  return { rect, guides };
}
