// The editor without its looks: boxes, selection and every command. Views read it and call it.

import { MOST_BOXES, UnreadableState, newId, problems, read, write } from "./document.js";
import { PICTURE, around, carried, clamp, clipped, pushedInside } from "./geometry.js";
import { DrawGesture, FrameGesture, MoveGesture, ResizeGesture, hitTest, reachable, stackAt } from "./gestures.js";
import { History } from "./history.js";
import { colorFor } from "./palette.js";
import { snapLines } from "./snapping.js";
import { text } from "./strings.js";

/** @typedef {import("./document.js").Box} Box */
/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./gestures.js").Outcome} Outcome */
/** @typedef {"select"|"draw"} Tool */
/** @typedef {"auto"|"input"|"result"|"none"} BackgroundChoice */
/** @typedef {"px"|"%"} Unit */
/** @typedef {{grid: number, snap: boolean, unit: Unit, brightness: number, background: BackgroundChoice}} Settings */
/** @typedef {{width: number, height: number}} Size */
/** @typedef {{shift: boolean, alt: boolean, ctrl: boolean}} Keys */
/** @typedef {{text: string, message: string, replaced: boolean}} Broken */

/**
 * What the editor needs of the world around it.
 * @typedef {object} Surroundings
 * @property {() => void} changed the saved text is another one
 * @property {() => void} settled a good moment for the graph's undo to take its snapshot
 * @property {(settings: Settings) => void} keepSettings
 * @property {(broken: string | null) => void} keepBroken
 */

const PULL_PX = 7; // how near, on the screen, a line pulls
const HANDLE_PX = 8; // how near a handle is caught by a mouse
const FINGER_PX = 18; // and by a finger
const CLICK_PX = 4; // less movement than this is a click

/** @type {Settings} */
export const DEFAULT_SETTINGS = { grid: 0, snap: true, unit: "px", brightness: 0.8, background: "auto" };

export class BoxEditor {
  /** @param {Surroundings} surroundings */
  constructor(surroundings) {
    this.surroundings = surroundings;
    /** @type {Box[]} */
    this.boxes = [];
    /** @type {Set<string>} */
    this.selection = new Set();
    /** @type {Tool} */
    this.tool = "select";
    this.settings = { ...DEFAULT_SETTINGS };
    this.history = new History();
    /** @type {Size} */
    this.size = { width: 512, height: 512 };
    /** @type {Broken | null} */
    this.broken = null;
    this.saved = "";
    /** @type {string | null} */
    this.editingLabel = null;
    this.status = "";
    this.trouble = ""; // what went wrong, until something is done about it
    this.showsKeys = false;
    this.linked = false; // the value comes over a link: nothing to edit here
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {{gesture: DrawGesture|MoveGesture|ResizeGesture|FrameGesture, from: Point, view: Size, outcome: Outcome|null, moved: boolean, press: {id: string|null, wasSelected: boolean}} | null} */
    this.active = null;
  }

  // ---- what views read

  /** Boxes as they look right now, a running gesture included. @returns {Box[]} */
  get shown() {
    const changed = this.active?.outcome?.rects;
    return changed?.size ? this.boxes.map((box) => ({ ...box, ...changed.get(box.id) })) : this.boxes;
  }

  get outcome() {
    return this.active?.outcome ?? null;
  }

  get selected() {
    return this.shown.filter((box) => this.selection.has(box.id));
  }

  /** Selected boxes that may be changed. */
  get movable() {
    return this.selected.filter((box) => !box.locked);
  }

  /** @param {string} id */
  box(id) {
    return this.boxes.find((box) => box.id === id);
  }

  /** One picture pixel, as fractions. @returns {Point} */
  get pixel() {
    return { x: 1 / this.size.width, y: 1 / this.size.height };
  }

  /** The step of a nudge: a pixel, or a cell of the grid. @returns {Point} */
  get step() {
    const cells = this.settings.grid || 1;
    return { x: cells / this.size.width, y: cells / this.size.height };
  }

  // ---- telling

  notify() {
    for (const listener of this.listeners) listener();
  }

  /** A sentence for the status line, which screen readers speak. @param {string} sentence */
  say(sentence) {
    this.status = sentence;
    this.notify();
  }

  /** A sentence that stays until it is dismissed or the boxes change. @param {string} sentence "" takes it away */
  warn(sentence) {
    this.trouble = sentence;
    this.notify();
  }

  toggleKeys() {
    this.showsKeys = !this.showsKeys;
    this.notify();
  }

  // ---- the saved text

  /** Text to be saved: a broken one stays as it was until something is drawn over it. */
  get value() {
    return this.saved;
  }

  /** Someone sets the saved text: a load, an undo of the graph, a paste of the node. @param {unknown} value */
  load(value) {
    const saved = typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
    if (saved === this.saved && !this.active) return;
    this.active = null;
    try {
      this.boxes = read(saved);
      if (this.broken && !this.broken.replaced) this.broken = null;
    } catch (error) {
      if (!(error instanceof UnreadableState)) throw error;
      this.boxes = [];
      this.broken = { text: saved, message: error.message, replaced: false };
    }
    this.saved = saved;
    const isFirst = !this.history.canUndo && !this.history.canRedo; // what a file brings is no step to undo
    if (isFirst) this.history = new History(saved);
    else this.history.follow(saved);
    this.#keepSelectionReal();
    this.notify();
  }

  /** Broken text from an earlier session, drawn over since. @param {string} brokenText */
  remember(brokenText) {
    this.broken = { text: brokenText, message: text.broken.kept, replaced: true };
    this.notify();
  }

  forgetBroken() {
    const wasShown = this.broken && !this.broken.replaced;
    this.broken = null;
    this.surroundings.keepBroken(null);
    if (wasShown) this.#save("", "");
    this.notify();
    this.surroundings.settled();
  }

  /** @param {string} saved @param {string} mergeKey */
  #save(saved, mergeKey) {
    if (saved === this.saved) return;
    if (this.broken && !this.broken.replaced) {
      this.broken = { ...this.broken, message: text.broken.kept, replaced: true };
      this.surroundings.keepBroken(this.broken.text);
    }
    this.saved = saved;
    this.trouble = "";
    this.history.push(saved, mergeKey);
    this.surroundings.changed();
  }

  /** @param {Box[]} boxes @param {{merge?: string, settle?: boolean}} [how] */
  commit(boxes, { merge = "", settle = true } = {}) {
    if (this.linked) return;
    this.boxes = boxes;
    this.#keepSelectionReal();
    this.#save(write(boxes), merge);
    this.notify();
    if (settle) this.surroundings.settled();
  }

  #keepSelectionReal() {
    const ids = new Set(this.boxes.map((box) => box.id));
    this.selection = new Set([...this.selection].filter((id) => ids.has(id)));
    if (this.editingLabel && !ids.has(this.editingLabel)) this.editingLabel = null;
  }

  /** @param {string | undefined} saved */
  #goTo(saved) {
    if (saved === undefined) return;
    this.saved = saved;
    try {
      this.boxes = read(saved);
    } catch {
      this.boxes = [];
    }
    this.#keepSelectionReal();
    this.surroundings.changed();
    this.notify();
    this.surroundings.settled();
  }

  undo() {
    this.cancel();
    this.#goTo(this.history.undo());
    this.say(text.said.undone);
  }

  redo() {
    this.cancel();
    this.#goTo(this.history.redo());
    this.say(text.said.redone);
  }

  // ---- selection

  /** @param {Iterable<string>} ids */
  select(ids) {
    this.selection = new Set(ids);
    this.#keepSelectionReal();
    this.say(this.describeSelection());
  }

  /** @param {string} id */
  toggle(id) {
    const next = new Set(this.selection);
    if (!next.delete(id)) next.add(id);
    this.select(next);
  }

  selectAll() {
    this.select(reachable(this.boxes).map((box) => box.id));
  }

  /** The next (+1) or previous (-1) box, as Tab does; false at the end, so that focus can move on. @param {1 | -1} way */
  selectNext(way) {
    const visible = this.boxes.filter((box) => !box.hidden);
    const last = visible.findLastIndex((box) => this.selection.has(box.id));
    const first = visible.findIndex((box) => this.selection.has(box.id));
    const from = way > 0 ? last : first;
    const next = from < 0 ? (way > 0 ? 0 : visible.length - 1) : from + way;
    if (!visible[next]) return false;
    this.select([visible[next].id]);
    return true;
  }

  describeSelection() {
    const chosen = this.selected;
    if (chosen.length === 0) return text.said.nothing(this.boxes.length);
    if (chosen.length > 1) return text.said.several(chosen.length);
    const [box] = chosen;
    const place = this.shown.indexOf(box) + 1;
    const percent = (/** @type {number} */ part) => Math.round(part * 100);
    return text.said.one(
      box.label.trim() || text.unnamed,
      place,
      this.boxes.length,
      `${percent(box.x)} % / ${percent(box.y)} %`,
      `${Math.round(box.width * this.size.width)} × ${Math.round(box.height * this.size.height)} px`,
    );
  }

  // ---- commands

  /** @param {Partial<Settings>} change @param {{settle?: boolean}} [how] */
  set(change, { settle = true } = {}) {
    this.settings = { ...this.settings, ...change };
    this.surroundings.keepSettings(this.settings);
    this.notify();
    if (settle) this.surroundings.settled();
  }

  /** @param {Tool} tool */
  use(tool) {
    this.tool = tool;
    this.say(tool === "draw" ? text.said.drawTool : text.said.selectTool);
  }

  /** @param {Rect} rect @param {boolean} [thenName] open the new box's label for typing */
  add(rect, thenName = true) {
    if (this.linked) return;
    if (this.boxes.length >= MOST_BOXES) return this.say(text.said.full(MOST_BOXES));
    const box = { id: newId(this.boxes), label: "", weight: 1, color: colorFor(this.boxes), locked: false, hidden: false, ...rect };
    this.selection = new Set([box.id]);
    this.editingLabel = thenName ? box.id : null;
    this.boxes = [...this.boxes, box];
    this.commit(this.boxes);
    this.say(this.describeSelection());
  }

  /** A box in the middle, a little aside for each one already there: drawing without a pointer. */
  addInMiddle() {
    const aside = ((this.boxes.length % 5) * 0.04) - 0.08;
    this.add({ x: 0.3 + aside, y: 0.3 + aside, width: 0.4, height: 0.4 });
  }

  /** @param {string} id @param {Partial<Box>} change @param {{merge?: string, settle?: boolean}} [how] */
  change(id, change, how) {
    this.commit(this.boxes.map((box) => (box.id === id ? { ...box, ...change } : box)), how);
  }

  /** @param {ReadonlyMap<string, Rect>} rects @param {{merge?: string, settle?: boolean}} [how] */
  place(rects, how) {
    const placed = (/** @type {Box} */ box) => {
      const rect = rects.get(box.id);
      return rect ? { ...box, ...this.#real(rect) } : box;
    };
    this.commit(this.boxes.map(placed), how);
  }

  /** Inside the picture and at least a pixel each way: members of a shrinking group must not vanish. @param {Rect} r */
  #real(r) {
    return pushedInside({ ...r, width: Math.max(r.width, this.pixel.x), height: Math.max(r.height, this.pixel.y) });
  }

  remove() {
    const gone = this.boxes.filter((box) => this.selection.has(box.id) && !box.locked);
    if (gone.length === 0) return this.say(this.selection.size ? text.said.locked : text.said.nothing(this.boxes.length));
    const next = this.boxes.filter((box) => !gone.includes(box));
    const place = this.boxes.indexOf(gone[0]);
    this.selection = new Set();
    this.commit(next);
    const neighbour = next[Math.min(place, next.length - 1)];
    if (neighbour && gone.length === 1) this.selection = new Set([neighbour.id]);
    this.say(text.said.removed(gone.length));
  }

  /** Every box but locked ones. */
  clear() {
    this.selection = new Set(this.boxes.map((box) => box.id));
    this.remove();
  }

  /** Copies of boxes, put in with new names and a little aside if the place is taken. @param {readonly Box[]} copies @param {string} sentence */
  insert(copies, sentence) {
    if (this.linked || copies.length === 0) return;
    if (this.boxes.length + copies.length > MOST_BOXES) return this.say(text.said.full(MOST_BOXES));
    const group = around(copies);
    const shift = { x: 16 / this.size.width, y: 16 / this.size.height };
    let at = pushedInside(group);
    const taken = (/** @type {Rect} */ r) =>
      this.boxes.some((box) => Math.abs(box.x - r.x) < 1e-6 && Math.abs(box.y - r.y) < 1e-6);
    for (let tries = 0; tries < 40 && copies.some((copy) => taken(carried(copy, group, at))); tries += 1) {
      const moved = pushedInside({ ...at, x: at.x + shift.x, y: at.y + shift.y });
      if (moved.x === at.x && moved.y === at.y) at = pushedInside({ ...at, x: shift.x * tries, y: 0 });
      else at = moved;
    }
    const boxes = [...this.boxes];
    const ids = [];
    for (const copy of copies) {
      const id = newId(boxes);
      ids.push(id);
      boxes.push({ ...copy, ...this.#real(carried(copy, group, at)), id, locked: false, hidden: false, color: colorFor(boxes) });
    }
    this.selection = new Set(ids);
    this.commit(boxes);
    this.say(sentence);
  }

  duplicate() {
    const chosen = this.selected;
    this.insert(chosen, text.said.duplicated(chosen.length));
  }

  /** Arrow keys. @param {number} right @param {number} down @param {{tenfold: boolean, resize: boolean}} how */
  nudge(right, down, { tenfold, resize }) {
    const chosen = this.movable;
    if (chosen.length === 0) return this.say(this.selection.size ? text.said.locked : text.said.nothing(this.boxes.length));
    const group = around(chosen);
    const dx = right * this.step.x * (tenfold ? 10 : 1);
    const dy = down * this.step.y * (tenfold ? 10 : 1);
    const grown = {
      ...group,
      width: clamp(group.width + dx, this.pixel.x, 1 - group.x),
      height: clamp(group.height + dy, this.pixel.y, 1 - group.y),
    };
    const to = resize ? grown : pushedInside({ ...group, x: group.x + dx, y: group.y + dy });
    this.place(new Map(chosen.map((box) => [box.id, carried(box, group, to)])), { merge: "nudge", settle: false });
    this.say(this.describeSelection());
  }

  /** Numbers typed for the selected boxes together. @param {Partial<Rect>} change */
  placeByNumber(change) {
    const chosen = this.movable;
    if (chosen.length === 0) return;
    const group = around(chosen);
    const wanted = { ...group, ...change };
    wanted.width = Math.max(wanted.width, this.pixel.x);
    wanted.height = Math.max(wanted.height, this.pixel.y);
    const to = pushedInside(wanted);
    this.place(new Map(chosen.map((box) => [box.id, carried(box, group, to)])));
    this.say(this.describeSelection());
  }

  /** Later boxes lie on top, and come later in every output. @param {"forward"|"backward"|"front"|"back"} where */
  reorder(where) {
    const chosen = new Set(this.selection);
    if (chosen.size === 0) return this.say(text.said.nothing(this.boxes.length));
    let boxes = [...this.boxes];
    const picked = boxes.filter((box) => chosen.has(box.id));
    const rest = boxes.filter((box) => !chosen.has(box.id));
    if (where === "front") boxes = [...rest, ...picked];
    if (where === "back") boxes = [...picked, ...rest];
    if (where === "forward" || where === "backward") {
      if (where === "forward") boxes.reverse();
      for (let i = 1; i < boxes.length; i += 1)
        if (chosen.has(boxes[i].id) && !chosen.has(boxes[i - 1].id)) [boxes[i - 1], boxes[i]] = [boxes[i], boxes[i - 1]];
      if (where === "forward") boxes.reverse();
    }
    this.commit(boxes);
    this.say(text.said.reordered[where]);
  }

  /** @param {"locked"|"hidden"} flag @param {readonly string[]} [ids] the selected ones by default */
  flip(flag, ids = [...this.selection]) {
    const boxes = this.boxes.filter((box) => ids.includes(box.id));
    if (boxes.length === 0) return;
    const on = !boxes.every((box) => box[flag]);
    this.commit(this.boxes.map((box) => (ids.includes(box.id) ? { ...box, [flag]: on } : box)));
    this.say(text.said.flipped[flag](on, boxes.length));
  }

  /** Esc: first the gesture, then the tool, then the selection. */
  escape() {
    if (this.showsKeys) return this.toggleKeys();
    if (this.active) return this.cancel();
    if (this.tool === "draw") return this.use("select");
    return this.select([]);
  }

  // ---- pointer

  /**
   * @param {Point} p @param {Size} view size of the picture on the screen, in pixels
   * @param {Keys} keys @param {boolean} finger
   */
  hover(p, view, keys, finger) {
    if (this.linked) return "default";
    if (this.tool === "draw" || keys.alt) return "crosshair";
    const hit = hitTest(p, this.boxes, this.selection, this.#reach(view, finger));
    if (hit.kind === "handle") return `${hit.handle}-resize`;
    return hit.kind === "box" ? "move" : "crosshair";
  }

  /** @param {Size} view @param {boolean} finger @returns {Point} */
  #reach(view, finger) {
    const px = finger ? FINGER_PX : HANDLE_PX;
    return { x: px / view.width, y: px / view.height };
  }

  /** Whole pixels at least. @param {Size} view @param {ReadonlySet<string>} moving @returns {import("./snapping.js").Snap} */
  #snap(view, moving) {
    const { snap, grid } = this.settings;
    const others = this.boxes.filter((box) => !moving.has(box.id) && !box.hidden);
    return {
      lines: snap ? snapLines(others, this.size) : { x: [0, 1], y: [0, 1] },
      reach: { x: PULL_PX / view.width, y: PULL_PX / view.height },
      grid: { x: (grid || 1) / this.size.width, y: (grid || 1) / this.size.height },
    };
  }

  /** @param {Point} p @param {Size} view @param {Keys} keys @param {boolean} finger */
  press(p, view, keys, finger) {
    if (this.linked) return;
    const draws = this.tool === "draw" || keys.alt;
    /** @type {import("./gestures.js").Hit} */
    const hit = draws ? { kind: "empty" } : hitTest(p, this.boxes, this.selection, this.#reach(view, finger));
    const press = { id: hit.kind === "box" ? hit.id : null, wasSelected: hit.kind === "box" && this.selection.has(hit.id) };
    let gesture;
    if (hit.kind === "handle") gesture = new ResizeGesture(p, this.movable, hit.handle, this.pixel);
    else if (hit.kind === "box") {
      if (keys.shift) return this.toggle(hit.id);
      if (!press.wasSelected) this.select([hit.id]);
      gesture = new MoveGesture(p, this.movable);
    } else if (keys.shift && !draws) gesture = new FrameGesture(p, new Set(this.selection));
    else gesture = new DrawGesture(p, this.#snapUnless(keys, view, new Set()), this.pixel, this.size.width / this.size.height);
    this.active = { gesture, from: p, view, outcome: null, moved: false, press };
    this.notify();
  }

  /** Ctrl frees a gesture from snapping. @param {Keys} keys @param {Size} view @param {ReadonlySet<string>} moving */
  #snapUnless(keys, view, moving) {
    return keys.ctrl ? null : this.#snap(view, moving);
  }

  /** @param {Point} p @param {Keys} keys */
  drag(p, keys) {
    const active = this.active;
    if (!active) return;
    const { from, view, gesture } = active;
    if (!active.moved && Math.hypot((p.x - from.x) * view.width, (p.y - from.y) * view.height) < CLICK_PX) return;
    active.moved = true;
    const moves = gesture instanceof MoveGesture || gesture instanceof ResizeGesture;
    const snap = this.#snapUnless(keys, view, moves ? this.selection : new Set());
    const modifiers = { keepAspect: keys.shift, fromCentre: keys.alt && !(gesture instanceof DrawGesture) };
    active.outcome = gesture.at(p, modifiers, snap);
    this.notify();
  }

  /** @param {Point} p @param {Keys} keys */
  release(p, keys) {
    const active = this.active;
    if (!active) return;
    this.drag(p, keys);
    const { gesture, outcome, moved, press } = active;
    this.active = null;
    if (!moved || !outcome) this.#click(p, press, gesture);
    else if (gesture instanceof FrameGesture) this.select(gesture.caught(outcome.frame ?? PICTURE, this.boxes));
    else if (outcome.drawn) this.add(clipped(outcome.drawn));
    else {
      this.place(outcome.rects);
      this.say(this.describeSelection());
    }
    this.notify();
  }

  /** @param {Point} p @param {{id: string|null, wasSelected: boolean}} press @param {object} gesture */
  #click(p, press, gesture) {
    if (gesture instanceof DrawGesture && this.tool === "select") this.select([]);
    if (!press.id || !press.wasSelected) return;
    if (this.selection.size > 1) return this.select([press.id]);
    const stack = stackAt(p, this.boxes).map((box) => box.id); // a click on the selected box reaches the one beneath
    this.select([stack[(stack.indexOf(press.id) + 1) % stack.length]]);
  }

  cancel() {
    if (!this.active) return;
    this.active = null;
    this.say(text.said.cancelled);
  }

  // ---- labels in place

  /** @param {string | null} id */
  editLabel(id) {
    if (this.linked) return;
    if (id === this.editingLabel) return;
    this.editingLabel = id;
    if (id) this.selection = new Set([id]);
    this.say(this.describeSelection());
  }

  /** @param {Box} box */
  problems(box) {
    return problems(box, this.shown);
  }
}
