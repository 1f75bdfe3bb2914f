// One pointer gesture from press to release: draw, move, resize, or catch boxes in a frame.

import { around, carried, clamp, clipped, contains, fromEdges, handleAt, pushedInside, resized, touches } from "./geometry.js";
import { snapMoved, snapPoint, snapResized } from "./snapping.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Handle} Handle */
/** @typedef {import("./snapping.js").Snap} Snap */
/** @typedef {import("./snapping.js").Guide} Guide */
/** @typedef {import("./document.js").Box} Box */
/** @typedef {{kind: "handle", handle: Handle} | {kind: "box", id: string} | {kind: "empty"}} Hit */
/** @typedef {{keepAspect: boolean, fromCentre: boolean}} Modifiers */

/**
 * @typedef {object} Outcome What the gesture would leave if it ended now.
 * @property {Map<string, Rect>} rects changed boxes
 * @property {Rect} [drawn] a new box
 * @property {Rect} [frame] the selection frame
 * @property {Guide[]} guides
 */

/** @param {readonly Box[]} boxes boxes that the pointer can reach, first to last drawn */
export const reachable = (boxes) => boxes.filter((box) => !box.hidden && !box.locked);

/**
 * What lies under a point. A selected box keeps the pointer unless a smaller box lies on it.
 * @param {Point} p @param {readonly Box[]} boxes @param {ReadonlySet<string>} selection @param {Point} reach
 * @returns {Hit}
 */
export function hitTest(p, boxes, selection, reach) {
  const live = reachable(boxes);
  const chosen = live.filter((box) => selection.has(box.id));
  if (chosen.length > 0) {
    const handle = handleAt(around(chosen), p, reach);
    if (handle) return { kind: "handle", handle };
  }
  const under = stackAt(p, boxes);
  if (under.length === 0) return { kind: "empty" };
  const top = under[0];
  const held = under.find((box) => selection.has(box.id));
  const id = held && top.width * top.height >= held.width * held.height ? held.id : top.id;
  return { kind: "box", id };
}

/** Boxes under a point, topmost first. @param {Point} p @param {readonly Box[]} boxes */
export const stackAt = (p, boxes) => reachable(boxes).filter((box) => contains(box, p)).reverse();

/** Drawing of a new box from a point. */
export class DrawGesture {
  /** @param {Point} start @param {Snap | null} snap @param {Point} smallest @param {number} aspect picture width / height */
  constructor(start, snap, smallest, aspect) {
    this.start = snapPoint({ x: clamp(start.x, 0, 1), y: clamp(start.y, 0, 1) }, snap).point;
    this.smallest = smallest;
    this.aspect = aspect;
  }

  /** @param {Point} p @param {Modifiers} modifiers @param {Snap | null} snap @returns {Outcome} */
  at(p, { keepAspect, fromCentre }, snap) {
    const { point, guides } = snapPoint({ x: clamp(p.x, 0, 1), y: clamp(p.y, 0, 1) }, snap);
    let dx = point.x - this.start.x;
    let dy = point.y - this.start.y;
    if (keepAspect) {
      const side = Math.max(Math.abs(dx), Math.abs(dy) / this.aspect);
      dx = side * Math.sign(dx || 1);
      dy = side * this.aspect * Math.sign(dy || 1);
    }
    const { x, y } = this.start;
    const drawn = fromCentre ? fromEdges(x - dx, y - dy, x + dx, y + dy) : fromEdges(x, y, x + dx, y + dy);
    const inside = clipped(drawn);
    return { rects: new Map(), drawn: pushedInside(grown(inside, this.smallest)), guides };
  }
}

/** Never thinner than a pixel, so that no box vanishes. @param {Rect} r @param {Point} smallest */
const grown = (r, smallest) => ({ ...r, width: Math.max(r.width, smallest.x), height: Math.max(r.height, smallest.y) });

/** Moving of the selected boxes together. */
export class MoveGesture {
  /** @param {Point} start @param {readonly Box[]} boxes the selected ones */
  constructor(start, boxes) {
    this.start = start;
    this.boxes = boxes;
    this.group = around(boxes);
  }

  /** @param {Point} p @param {Modifiers} modifiers @param {Snap | null} snap @returns {Outcome} */
  at(p, { keepAspect }, snap) {
    let dx = p.x - this.start.x;
    let dy = p.y - this.start.y;
    if (keepAspect) Math.abs(dx) > Math.abs(dy) ? (dy = 0) : (dx = 0);
    const target = { ...this.group, x: this.group.x + dx, y: this.group.y + dy };
    const { rect, guides } = snapMoved(target, snap);
    const to = pushedInside({ ...rect, x: dx || !keepAspect ? rect.x : this.group.x, y: dy || !keepAspect ? rect.y : this.group.y });
    return { rects: new Map(this.boxes.map((box) => [box.id, shifted(box, to.x - this.group.x, to.y - this.group.y)])), guides };
  }
}

/** @param {Rect} r @param {number} dx @param {number} dy */
const shifted = (r, dx, dy) => ({ x: r.x + dx, y: r.y + dy, width: r.width, height: r.height });

/** Resizing of the selected boxes together, by a handle of the rectangle around them. */
export class ResizeGesture {
  /** @param {Point} start @param {readonly Box[]} boxes @param {Handle} handle @param {Point} smallest */
  constructor(start, boxes, handle, smallest) {
    this.start = start;
    this.boxes = boxes;
    this.handle = handle;
    this.smallest = smallest;
    this.group = around(boxes);
  }

  /** @param {Point} p @param {Modifiers} modifiers @param {Snap | null} snap @returns {Outcome} */
  at(p, modifiers, snap) {
    const by = { x: p.x - this.start.x, y: p.y - this.start.y };
    const wanted = resized(this.group, this.handle, by, { ...modifiers, smallest: this.smallest });
    const free = modifiers.keepAspect || modifiers.fromCentre;
    const { rect, guides } = free ? { rect: wanted, guides: [] } : snapResized(wanted, this.group, snap);
    const to = pushedInside(grown(clipped(rect), this.smallest));
    return { rects: new Map(this.boxes.map((box) => [box.id, carried(box, this.group, to)])), guides };
  }
}

/** A frame that selects what it touches. */
export class FrameGesture {
  /** @param {Point} start @param {ReadonlySet<string>} before what was selected already */
  constructor(start, before) {
    this.start = start;
    this.before = before;
  }

  /** @param {Point} p @returns {Outcome} */
  at(p) {
    return { rects: new Map(), frame: clipped(fromEdges(this.start.x, this.start.y, p.x, p.y)), guides: [] };
  }

  /** @param {Rect} frame @param {readonly Box[]} boxes */
  caught(frame, boxes) {
    return new Set([...this.before, ...reachable(boxes).filter((box) => touches(box, frame)).map((box) => box.id)]);
  }
}
