// The modules that need no browser: geometry, snapping, the saved state, history.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { UnreadableState, newId, problems, read, write } from "../../web/box_editor/document.js";
import { BoxEditor } from "../../web/box_editor/editor.js";
import { carried, clipped, handleAt, pushedInside, resized } from "../../web/box_editor/geometry.js";
import { hitTest } from "../../web/box_editor/gestures.js";
import { History } from "../../web/box_editor/history.js";
import { PALETTE, colorFor, inkOn } from "../../web/box_editor/palette.js";
import { snapLines, snapMoved, snapPoint, snapResized } from "../../web/box_editor/snapping.js";

const rect = (x, y, width, height) => ({ x, y, width, height });
const close = (a, b) => {
  for (const key of ["x", "y", "width", "height"]) assert.ok(Math.abs(a[key] - b[key]) < 1e-9, `${key}: ${a[key]} is not ${b[key]}`);
};
const box = (change = {}) => ({ id: "b1", label: "a cat", ...rect(0.1, 0.2, 0.3, 0.4), weight: 1, color: PALETTE[0], locked: false, hidden: false, ...change });
const SIZE = { width: 512, height: 512 };

describe("geometry", () => {
  it("cuts at the picture's edge, or pushes inside whole", () => {
    close(clipped(rect(-0.1, 0.5, 0.3, 0.9)), rect(0, 0.5, 0.2, 0.5));
    close(pushedInside(rect(-0.1, 0.8, 0.3, 0.4)), rect(0, 0.6, 0.3, 0.4));
  });
  it("turns over when a handle passes the other side", () => {
    close(resized(rect(0.4, 0.4, 0.2, 0.2), "e", { x: -0.3, y: 0 }), rect(0.3, 0.4, 0.1, 0.2));
  });
  it("keeps aspect and centre when told so", () => {
    close(resized(rect(0.4, 0.4, 0.2, 0.1), "se", { x: 0.2, y: 0 }, { keepAspect: true }), rect(0.4, 0.4, 0.4, 0.2));
    close(resized(rect(0.4, 0.4, 0.2, 0.2), "se", { x: 0.1, y: 0.1 }, { fromCentre: true }), rect(0.3, 0.3, 0.4, 0.4));
  });
  it("carries members of a group along", () => {
    close(carried(rect(0.5, 0.5, 0.1, 0.1), rect(0, 0, 1, 1), rect(0.5, 0.5, 0.5, 0.5)), rect(0.75, 0.75, 0.05, 0.05));
  });
  it("prefers a corner where handles lie together", () => {
    assert.equal(handleAt(rect(0.5, 0.5, 0.01, 0.01), { x: 0.51, y: 0.51 }, { x: 0.02, y: 0.02 }), "nw");
    assert.equal(handleAt(rect(0.1, 0.1, 0.8, 0.8), { x: 0.5, y: 0.9 }, { x: 0.02, y: 0.02 }), "s");
  });
});

describe("snapping", () => {
  const snap = { lines: snapLines([rect(0.2, 0.2, 0.1, 0.1)], SIZE), reach: { x: 0.02, y: 0.02 }, grid: { x: 8 / 512, y: 8 / 512 } };
  it("pulls points to lines, else to the grid", () => {
    assert.deepEqual(snapPoint({ x: 0.49, y: 0.205 }, snap).point, { x: 0.5, y: 0.2 });
    assert.equal(snapPoint({ x: 0.412, y: 0.5 }, snap).point.x, 0.40625 + 8 / 512 * 0);
  });
  it("moves without resizing, resizes only what moves", () => {
    close(snapMoved(rect(0.688, 0.43, 0.3, 0.05), snap).rect, { ...rect(0.7, 0, 0.3, 0.05), y: snapMoved(rect(0.688, 0.43, 0.3, 0.05), snap).rect.y });
    const { rect: after } = snapResized(rect(0.1, 0.1, 0.405, 0.2), rect(0.1, 0.1, 0.3, 0.2), snap);
    close(after, rect(0.1, 0.1, 0.4, 0.2));
  });
  it("does nothing when switched off", () => {
    assert.deepEqual(snapPoint({ x: 0.49, y: 0.49 }, null), { point: { x: 0.49, y: 0.49 }, guides: [] });
  });
});

describe("the saved state", () => {
  it("comes back as it was", () => {
    const boxes = [box(), box({ id: "b2", weight: 2.5, locked: true, hidden: true, label: "<b>&\u2028" })];
    assert.deepEqual(read(write(boxes)), boxes);
    assert.equal(write([]), "");
  });
  it("fills in what a hand left out", () => {
    const [one, two] = read('{"version":1,"boxes":[{"x":0,"y":0,"width":1,"height":1},{"x":0,"y":0,"width":1,"height":1}]}');
    assert.equal(one.weight, 1);
    assert.notEqual(one.id, two.id);
    assert.notEqual(one.color, two.color);
  });
  it("refuses what it can't read, and nothing else happens", () => {
    const bad = ["{", "[]", "7", '{"version":2,"boxes":[]}', '{"version":1}', '{"version":1,"boxes":[{}]}', '{"version":1,"boxes":[{"x":1e999,"y":0,"width":1,"height":1}]}',
      '{"version":1,"boxes":[{"__proto__":{"x":1},"y":0,"width":1,"height":1}]}'];
    for (const state of bad) assert.throws(() => read(state), UnreadableState, state);
    assert.throws(() => read(5), UnreadableState);
  });
  it("survives random damage", () => {
    const good = write([box(), box({ id: "b2" })]);
    let seed = 1;
    const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
    for (let i = 0; i < 5000; i += 1) {
      const at = random(good.length);
      const damaged = good.slice(0, at) + String.fromCharCode(32 + random(95)) + good.slice(at + random(4));
      try {
        for (const each of read(damaged)) assert.ok(Number.isFinite(each.x + each.y + each.width + each.height + each.weight));
      } catch (error) {
        assert.ok(error instanceof UnreadableState, String(error));
      }
    }
  });
  it("names problems", () => {
    const all = [box(), box({ id: "b2" }), box({ id: "b3", label: "", x: 0.9, width: 0 })];
    assert.deepEqual(problems(all[0], all).map((p) => p.kind), ["warning"]);
    assert.deepEqual(problems(all[2], all).map((p) => p.kind), ["error", "error"]);
    assert.equal(problems(box({ hidden: true, label: "" }), all).length, 0);
  });
  it("gives new names and colours", () => {
    assert.equal(newId([{ id: "b2" }]), "b3");
    assert.equal(colorFor([{ color: PALETTE[0] }]), PALETTE[1]);
    assert.equal(inkOn("#ffffff"), "#111111");
  });
});

describe("history", () => {
  it("goes back and forth", () => {
    const history = new History("");
    history.push("a");
    history.push("b");
    assert.equal(history.undo(), "a");
    assert.equal(history.redo(), "b");
    history.undo();
    history.push("c");
    assert.equal(history.redo(), undefined);
    assert.equal(history.undo(), "a");
    assert.equal(history.undo(), "");
    assert.equal(history.undo(), undefined);
  });
  it("makes one step of changes of one kind, until it is sealed", () => {
    const history = new History("");
    history.push("a", "nudge");
    history.push("b", "nudge");
    history.push("c", "label");
    history.push("d", "label");
    history.seal();
    history.push("e", "label");
    assert.deepEqual([history.undo(), history.undo(), history.undo(), history.undo()], ["d", "b", "", undefined]);
  });
  it("follows the graph's undo along its own steps", () => {
    const history = new History("");
    history.push("a");
    history.follow("");
    assert.deepEqual([history.canUndo, history.canRedo], [false, true]);
    history.follow("a");
    assert.deepEqual([history.canUndo, history.canRedo], [true, false]);
  });
  it("follows a step of the graph that is several of its own, to the nearest such state", () => {
    const history = new History("");
    for (const state of ["a", "b", "a", "c", "d"]) history.push(state);
    history.follow("a");
    assert.deepEqual([history.past, history.present, history.future], [["", "a", "b"], "a", ["d", "c"]]);
    history.follow("d");
    assert.deepEqual([history.past, history.present, history.future], [["", "a", "b", "a", "c"], "d", []]);
    history.follow("elsewhere");
    assert.equal(history.undo(), "d");
  });
});

describe("the editor without a page", () => {
  const quiet = { changed() {}, settled() {}, keepSettings() {}, keepBroken() {} };
  const view = { width: 512, height: 512 };
  const keys = { shift: false, alt: false, ctrl: false };
  const drag = (editor, from, to, held = keys) => {
    editor.press({ x: from[0], y: from[1] }, view, held, false);
    editor.drag({ x: to[0], y: to[1] }, held);
    editor.release({ x: to[0], y: to[1] }, held);
  };
  it("lets a small box on a large selected one be reached", () => {
    const boxes = [box({ id: "big", ...rect(0.1, 0.1, 0.8, 0.8) }), box({ id: "small", ...rect(0.4, 0.4, 0.1, 0.1) })];
    assert.deepEqual(hitTest({ x: 0.45, y: 0.45 }, boxes, new Set(["big"]), { x: 0, y: 0 }), { kind: "box", id: "small" });
  });
  it("does not undo what a file brought", () => {
    const editor = new BoxEditor(quiet);
    editor.load(write([box()]));
    assert.equal(editor.history.canUndo, false);
    editor.select(["b1"]);
    editor.remove();
    editor.undo();
    assert.equal(editor.boxes.length, 1);
    assert.equal(editor.history.canUndo, false);
  });
  it("keeps locked boxes where they are", () => {
    const editor = new BoxEditor(quiet);
    editor.load(write([box({ locked: true })]));
    editor.select(["b1"]);
    editor.nudge(1, 0, { tenfold: false, resize: false });
    editor.remove();
    assert.deepEqual(editor.boxes, [box({ locked: true })]);
  });
  it("reorders several at once", () => {
    const editor = new BoxEditor(quiet);
    editor.load(write(["a", "b", "c", "d"].map((id) => box({ id }))));
    const order = () => editor.boxes.map((each) => each.id).join("");
    editor.select(["a", "b"]);
    editor.reorder("forward");
    assert.equal(order(), "cabd");
    editor.reorder("front");
    assert.equal(order(), "cdab");
    editor.reorder("backward");
    assert.equal(order(), "cabd");
    editor.reorder("back");
    assert.equal(order(), "abcd");
  });
  it("never lets a random storm of commands break its state", () => {
    const editor = new BoxEditor(quiet);
    let seed = 7;
    const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
    const part = () => random(1400) / 1000 - 0.2;
    const commands = [
      () => drag(editor, [part(), part()], [part(), part()], { shift: !random(4), alt: !random(4), ctrl: !random(2) }),
      () => editor.nudge(random(3) - 1, random(3) - 1, { tenfold: !random(2), resize: !random(2) }),
      () => editor.duplicate(), () => editor.undo(), () => editor.redo(), () => editor.selectAll(), () => editor.escape(),
      () => editor.reorder(["forward", "backward", "front", "back"][random(4)]),
      () => editor.flip(random(2) ? "locked" : "hidden"), () => editor.selectNext(random(2) ? 1 : -1),
      () => editor.placeByNumber({ [["x", "y", "width", "height"][random(4)]]: part() }),
      () => (random(4) ? undefined : editor.remove()), () => editor.set({ grid: [0, 8, 16][random(3)] }),
    ];
    for (let i = 0; i < 3000; i += 1) {
      commands[random(commands.length)]();
      for (const each of read(editor.value)) {
        assert.ok(each.width > 0 && each.height > 0, `step ${i}: ${JSON.stringify(each)}`);
        assert.ok(each.x >= -1e-6 && each.y >= -1e-6 && each.x + each.width <= 1 + 2e-6 && each.y + each.height <= 1 + 2e-6, `step ${i}: ${JSON.stringify(each)}`);
      }
    }
  });
});
