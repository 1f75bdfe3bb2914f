// The viewer's modules that need no browser: enlarging, painting, the 16-bit PNG, the state.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inflateSync } from "node:zlib";

import { COLORMAPS, coloursOf } from "../../web/lens/colormaps.js";
import { LensData } from "../../web/lens/data.js";
import { enlarge, valueAt } from "../../web/lens/enlarge.js";
import { Lens } from "../../web/lens/model.js";
import { colourOf, leastLevel, paintHeat, paintOutline, paintWinners } from "../../web/lens/paint.js";
import { grey16 } from "../../web/lens/png.js";
import { speak, text } from "../../web/lens/strings.js";

const LEVELS = Uint8Array.from([0, 255, 30, 90, 10, 200]); // 3 x 2
// torch.nn.functional.interpolate(..., (5, 7), mode="bicubic", align_corners=False), clamped to 0..255
const ENLARGED = [
  [0.0, 28.95, 187.87, 255.0, 198.98, 47.85, 0.0],
  [0.0, 37.41, 159.43, 234.91, 178.62, 70.03, 23.06],
  [35.43, 55.82, 97.6, 132.5, 134.34, 118.27, 113.09],
  [88.36, 74.22, 35.77, 30.09, 90.06, 166.5, 203.11],
  [112.71, 82.68, 7.34, 0.0, 69.69, 188.68, 244.52],
];

describe("enlarging", () => {
  it("agrees with torch's bicubic, kept within the map's range", () => {
    const found = enlarge(LEVELS, 3, 2, 7, 5, new Float32Array(35));
    ENLARGED.flat().forEach((wanted, i) => assert.ok(Math.abs(found[i] - wanted) < 0.02, `${i}: ${found[i]} is not ${wanted}`));
  });
  it("says the same of one point", () => {
    for (const [x, y] of [[0, 0], [3, 2], [6, 4]])
      assert.ok(Math.abs(valueAt(LEVELS, 3, 2, { x: (x + 0.5) / 7, y: (y + 0.5) / 5 }) - ENLARGED[y][x] / 255) < 1e-3);
  });
  it("leaves a map of one place, or of the same size, as it is", () => {
    assert.deepEqual([...enlarge(Uint8Array.of(7), 1, 1, 3, 2, new Uint8ClampedArray(6))], [7, 7, 7, 7, 7, 7]);
    assert.deepEqual([...enlarge(LEVELS, 3, 2, 3, 2, new Uint8ClampedArray(6))], [...LEVELS]);
  });
});

describe("painting", () => {
  const look = { mode: "heat", colours: coloursOf("gray"), opacity: 0.5, threshold: 0.2 };
  const alpha = (colour) => colour >>> 24;
  it("leaves cold places as they are and gets no more opaque than asked", () => {
    assert.equal(alpha(colourOf(look, 0)), 0);
    assert.ok(alpha(colourOf(look, 30)) < alpha(colourOf(look, 255)));
    assert.equal(alpha(colourOf(look, 255)), 128);
  });
  it("a threshold of 0.2 takes the levels that the node's mask takes", () => {
    assert.equal(leastLevel(0.2), 51);
    assert.equal(leastLevel(0), 0);
    assert.equal(leastLevel(1), 255);
    assert.equal(alpha(colourOf({ ...look, mode: "masked" }, 51)), 0);
    assert.ok(alpha(colourOf({ ...look, mode: "masked" }, 50)) > 200);
  });
  it("gives every pixel to the hottest map", () => {
    const pixels = new Uint32Array(3);
    const heats = [Uint8ClampedArray.of(255, 10, 0), Uint8ClampedArray.of(0, 200, 0)];
    paintWinners(pixels, heats, ["#ff0000", "#0000ff"], look);
    assert.equal(pixels[0] & 0xffffff, 0x0000ff); // in memory r, g, b
    assert.equal(pixels[1] & 0xffffff, 0xff0000);
    assert.equal(alpha(pixels[2]), 0);
  });
  it("draws the outline where the threshold is passed and nowhere else", () => {
    const pixels = new Uint32Array(12);
    const heat = Uint8ClampedArray.of(0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0); // 4 x 3
    paintHeat(pixels, heat, { ...look, opacity: 0 });
    paintOutline(pixels, heat, 4, 0.5);
    assert.deepEqual([...pixels].map((colour) => (alpha(colour) ? 1 : 0)), [0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0]);
  });
  it("has every colormap, from its first colour to its last", () => {
    assert.equal(COLORMAPS[0], "turbo");
    for (const name of COLORMAPS) assert.equal(coloursOf(name).length, 768);
    assert.deepEqual([...coloursOf("gray")].slice(0, 3), [0, 0, 0]);
    assert.deepEqual(coloursOf("none such"), coloursOf("turbo"));
  });
});

describe("the 16-bit PNG", () => {
  it("holds the values, big end first, with every checksum", async () => {
    const bytes = Buffer.from(await (await grey16(Float32Array.of(0, 0.5, 1, 2, -1, 0.25), 3, 2)).arrayBuffer());
    assert.equal(bytes.subarray(1, 4).toString(), "PNG");
    assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[24], bytes[25]], [3, 2, 16, 0]);
    const at = bytes.indexOf("IDAT");
    const lines = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)));
    const values = [1, 3, 5, 8, 10, 12].map((offset) => lines.readUInt16BE(offset));
    assert.deepEqual(values, [0, 32768, 65535, 65535, 0, 16384]);
    assert.equal(bytes.subarray(-8).toString("hex"), "49454e44ae426082"); // IEND and its well-known checksum
  });
});

/** A run with two prompts; the first's second word has a map, and so has the second prompt. */
const run = (change = {}) => new LensData({
  version: 1, kind: "prompts", size: [40, 20], map_size: [3, 2], columns: 2, pictures: ["a.png", "b.png"], sheets: ["c.png", "d.png"],
  threshold: 0.3, colormap: "magma", opacity: 0.5,
  entries: [
    { label: "a cat", maps: [0], scores: [0.2, 0.3], words: [{ label: "a", maps: null, scores: [0, 0] }, { label: "cat", maps: [2], scores: [1, 1] }] },
    { label: "sky", maps: [1], scores: [0.1, 0.1] },
  ],
  ...change,
}, (name) => name);

describe("the state", () => {
  const shown = (lens) => lens.shown.map((item) => item.label);
  it("shows what is hovered, else what is pinned, else the first", () => {
    const lens = new Lens();
    lens.show(run());
    assert.deepEqual(shown(lens), ["a cat"]);
    lens.pin("0.1");
    lens.pin("1");
    assert.deepEqual(shown(lens), ["cat", "sky"]);
    assert.notEqual(lens.colourOf("0.1"), lens.colourOf("1"));
    lens.hover("0.0");
    assert.deepEqual(shown(lens), ["a cat"]); // the word has no map: its prompt's
    lens.hover(null);
    lens.pin("0.0");
    assert.deepEqual(shown(lens), ["cat", "sky"]);
  });
  it("keeps pins and looks over a run, and takes a changed widget", () => {
    const lens = new Lens();
    lens.show(run());
    lens.pin("1");
    lens.set({ threshold: 0.7, colormap: "jet" });
    lens.goTo(1);
    lens.show(run({ colormap: "hot" }));
    assert.deepEqual([lens.look.threshold, lens.look.colormap, lens.image], [0.7, "hot", 1]);
    assert.deepEqual(shown(lens), ["sky"]);
    lens.show(run({ pictures: ["a.png"], entries: [{ label: "other", maps: [0], scores: [0.2] }] }));
    assert.deepEqual([lens.image, lens.pinned.length, shown(lens)], [0, 0, ["other"]]);
  });
  it("zooms about a point and never leaves the picture", () => {
    const lens = new Lens();
    lens.show(run());
    const before = { x: 0.25, y: 0.5 };
    lens.zoom(2, before);
    assert.ok(Math.abs((before.x - lens.view.x) * lens.view.scale + 0.25) < 1e-9); // it stays a quarter left of the middle
    lens.pan(5, -5);
    assert.deepEqual(lens.view, { scale: 2, x: 0.25, y: 0.75 });
    lens.zoom(0.01);
    assert.deepEqual(lens.view, { scale: 1, x: 0.5, y: 0.5 });
    lens.zoom(1e9);
    assert.equal(lens.view.scale, 12);
  });
  it("leaves one thing at a time", () => {
    const lens = new Lens();
    lens.show(run());
    lens.pin("1");
    lens.zoom(2);
    assert.deepEqual([lens.escape(), lens.pinned.length, lens.view.scale], [true, 0, 2]);
    assert.deepEqual([lens.escape(), lens.view.scale, lens.escape()], [true, 1, false]);
  });
  it("speaks three languages, each with every sentence", () => {
    const keys = (sentences) => Object.entries(sentences).flatMap(([key, value]) => (typeof value === "object" ? keys(value).map((each) => `${key}.${each}`) : [key]));
    const english = keys(text());
    for (const language of ["zh", "ja"]) {
      speak(language);
      assert.deepEqual(keys(text()), english);
      assert.notEqual(text().waiting, "Run the workflow to look around here.");
    }
    speak("xx");
    assert.equal(text().use, "Use");
  });
});
