// The panes: picture below, heat above, both moved together by zoom and pan; pointer, wheel and touch.

import { el } from "../common/dom.js";
import { coloursOf } from "./colormaps.js";
import { clamp } from "./model.js";
import { paintHeat, paintOutline, paintWinners } from "./paint.js";
import { text } from "./strings.js";

/** @typedef {import("./model.js").Lens} Lens */
/** @typedef {import("./model.js").Point} Point */

const CLICK_PX = 4;
const SIDE = 512; // longest side of the heat's pixels in the node
const MOST_PAINTED_BYTES = 64 * 2 ** 20;
const FULL_SIDE = 1024; // and in the full view

/** Pixels of the heat: no more than the picture's own. @param {[number, number]} size @param {boolean} full */
export function heatSize([width, height], full) {
  const scale = Math.min(1, (full ? FULL_SIDE : SIDE) / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * The heat of what is shown, as pixels.
 * @param {Lens} lens @param {number} pane @param {{width: number, height: number}} size
 * @returns {ImageData | null} null where the maps are not there (yet)
 */
export function heatPixels(lens, pane, { width, height }) {
  const { data, shown, look } = lens;
  if (!data) return null;
  const heats = shown.map((item) => data.heat(lens.image, item.maps?.[pane] ?? 0, width, height)).filter((heat) => heat !== null);
  if (heats.length === 0) return null;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const paint = { ...look, colours: coloursOf(look.colormap) };
  if (heats.length === 1) paintHeat(pixels, heats[0], paint);
  else paintWinners(pixels, heats, shown.map((item) => lens.colourOf(item.id)), paint);
  if (look.mode !== "masked") for (const heat of heats) paintOutline(pixels, heat, width, look.threshold);
  return image;
}

/** @param {Lens} lens */
function createPane(lens, /** @type {number} */ index) {
  const picture = el("img", "cxl-picture", { alt: "", draggable: "false" });
  const heat = el("canvas", "cxl-heat");
  const boxes = el("div", "cxl-boxes");
  const cross = el("div", "cxl-cross");
  const wipe = el("div", "cxl-wipe");
  const scene = el("div", "cxl-scene", {}, picture, heat, boxes, wipe, cross);
  const frame = el("div", "cxl-frame", {}, scene);
  const label = el("div", "cxl-pane-label");
  const root = el("div", "cxl-pane", { "data-pane": String(index) }, frame, label);
  return { root, frame, scene, picture, heat, boxes, cross, wipe, label, drawn: "" };
}

/** The stages under the wheel, which is caught before the graph zooms. @type {WeakMap<Element, Lens>} */
const stages = new WeakMap();

/** Call it while the module loads. The wheel zooms the picture; turned back from a picture that fits, the graph. */
export function catchWheel() {
  window.addEventListener("wheel", (event) => {
    const frame = event.target instanceof Element ? event.target.closest(".cxl-frame") : null;
    const lens = frame && stages.get(frame);
    if (!frame || !lens?.data || (event.deltaY > 0 && lens.view.scale === 1)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    lens.zoom(Math.exp(-clamp(event.deltaY, -200, 200) / 300), locate(frame, event));
  }, { capture: true, passive: false });
}

/** Where on the picture. @param {Element} frame @param {{clientX: number, clientY: number}} at @returns {Point} */
function locate(frame, at) {
  const rect = /** @type {Element} */ (frame.querySelector(".cxl-scene")).getBoundingClientRect();
  return { x: (at.clientX - rect.left) / rect.width, y: (at.clientY - rect.top) / rect.height };
}

/** @param {Lens} lens @param {() => boolean} isFull */
export function createStage(lens, isFull) {
  const grid = el("div", "cxl-panes");
  const surface = el("div", "cxl-surface", { tabindex: "0", role: "application", "data-focus": "stage" }, grid);
  surface.setAttribute("aria-label", text().stage);
  surface.setAttribute("aria-description", text().stageHelp);
  const root = el("div", "cxl-stage", {}, surface);
  /** @type {ReturnType<typeof createPane>[]} */
  let panes = [];

  // ---- pointer: a drag pans (or moves the wipe), two fingers zoom, a double click ranks

  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let moved = false;
  let wiping = false;

  const frameOf = (/** @type {PointerEvent | MouseEvent} */ event) =>
    event.target instanceof Element ? event.target.closest(".cxl-frame") : null;
  /** @type {Element | null} */
  let held = null;

  surface.addEventListener("pointerdown", (event) => {
    const frame = frameOf(event);
    if (!frame || event.button !== 0 || !lens.data) return;
    event.stopPropagation(); // the node is not to be dragged
    surface.focus({ preventScroll: true });
    surface.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    held = frame;
    moved = false;
    const scene = /** @type {Element} */ (frame.querySelector(".cxl-scene")).getBoundingClientRect();
    wiping = lens.look.mode === "wipe" && down.size === 1 && Math.abs(event.clientX - (scene.left + lens.wipe * scene.width)) < 14;
    lens.pointAt(locate(frame, event));
  });
  surface.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before || !held) {
      const frame = frameOf(event);
      if (frame && lens.data) lens.pointAt(locate(frame, event));
      return;
    }
    if (!moved && down.size === 1 && Math.hypot(event.clientX - before.x, event.clientY - before.y) < CLICK_PX) return;
    moved = true;
    const scene = /** @type {Element} */ (held.querySelector(".cxl-scene")).getBoundingClientRect();
    if (wiping) lens.wipeTo(locate(held, event).x);
    else if (down.size === 2) {
      const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const ratio = Math.hypot(event.clientX - other.x, event.clientY - other.y) / Math.max(Math.hypot(before.x - other.x, before.y - other.y), 1);
      lens.zoom(ratio, locate(held, { clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 }));
    } else lens.pan((event.clientX - before.x) / scene.width, (event.clientY - before.y) / scene.height);
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"]))
    surface.addEventListener(end, (event) => {
      down.delete(event.pointerId);
      if (down.size === 0) wiping = false;
    });
  surface.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && down.size === 0 && document.activeElement !== surface) lens.pointAt(null);
  });
  surface.addEventListener("dblclick", (event) => {
    const frame = frameOf(event) ?? held; // the capture of the click gives it to the surface
    if (!frame || !lens.data) return;
    event.stopPropagation();
    lens.pointAt(locate(frame, event));
    lens.rank();
  });
  surface.addEventListener("dragstart", (event) => event.preventDefault());

  // ---- drawing

  function build() {
    const wanted = lens.data?.panes ?? [];
    if (panes.length === wanted.length) return;
    panes = wanted.map((_, index) => createPane(lens, index));
    for (const pane of panes) stages.set(pane.frame, lens);
    grid.replaceChildren(...panes.map((pane) => pane.root));
  }

  function update() {
    build();
    const { data, look, view } = lens;
    root.hidden = !data;
    if (!data) return;
    const [width, height] = data.run.size;
    grid.style.setProperty("--cxl-w", String(width));
    grid.style.setProperty("--cxl-h", String(height));
    const columns = panes.length === 1 ? 1 : Math.ceil(Math.sqrt(panes.length));
    grid.style.setProperty("--cxl-columns", String(columns));
    grid.style.setProperty("--cxl-rows", String(Math.ceil(panes.length / columns)));
    const url = data.pictureUrl(lens.image);
    const size = heatSize(data.run.size, isFull());
    const what = JSON.stringify([lens.image, data.isOpen(lens.image), lens.shown.map((item) => [item.id, lens.colourOf(item.id)]), look, size]);
    const values = lens.shown.length === 1 ? lens.shown[0] : null;
    panes.forEach((pane, index) => {
      if (pane.picture.dataset.url !== url) {
        pane.picture.dataset.url = url;
        pane.picture.src = url;
      }
      const { scale, x, y } = view;
      pane.scene.style.transform = `translate(${50 - 100 * x * scale}%, ${50 - 100 * y * scale}%) scale(${scale})`;
      pane.frame.style.setProperty("--cxl-unzoom", String(1 / scale));
      const { label, note } = data.panes[index];
      const value = values ? lens.value(values, index) : null;
      pane.label.hidden = !label;
      pane.label.textContent = [label, note, value === null ? "" : value.toFixed(2)].filter(Boolean).join(" · ");
      pane.wipe.hidden = look.mode !== "wipe";
      pane.wipe.style.left = `${100 * lens.wipe}%`;
      pane.heat.style.clipPath = look.mode === "wipe" ? `inset(0 0 0 ${100 * lens.wipe}%)` : "";
      pane.cross.hidden = !lens.point;
      if (lens.point) Object.assign(pane.cross.style, { left: `${100 * lens.point.x}%`, top: `${100 * lens.point.y}%` });
      drawBoxes(pane);
      if (pane.drawn !== what) drawHeat(pane, index, size, what);
    });
  }

  /** @param {ReturnType<typeof createPane>} pane @param {number} index @param {{width: number, height: number}} size @param {string} what */
  function drawHeat(pane, index, size, what) {
    const pixels = painted(`${index} ${what}`, () => heatPixels(lens, index, size));
    pane.heat.hidden = !pixels;
    pane.drawn = pixels ? what : "";
    if (!pixels) return;
    if (pane.heat.width !== size.width) pane.heat.width = size.width;
    if (pane.heat.height !== size.height) pane.heat.height = size.height;
    pane.heat.getContext("2d")?.putImageData(pixels, 0, 0);
  }

  /** What was drawn before is there at once: pixels of this run, those used last. @type {Map<string, ImageData>} */
  const kept = new Map();
  /** @type {import("./data.js").LensData | null} */
  let keptOf = null;

  /** @param {string} key @param {() => ImageData | null} paint */
  function painted(key, paint) {
    if (keptOf !== lens.data) kept.clear();
    keptOf = lens.data;
    const pixels = kept.get(key) ?? paint();
    if (!pixels) return null;
    kept.delete(key);
    kept.set(key, pixels);
    let bytes = [...kept.values()].reduce((sum, each) => sum + each.data.length, 0);
    for (const [old, each] of kept) {
      if (bytes <= MOST_PAINTED_BYTES || old === key) break;
      bytes -= each.data.length;
      kept.delete(old);
    }
    return pixels;
  }

  /** @param {ReturnType<typeof createPane>} pane */
  function drawBoxes({ boxes }) {
    const known = lens.data?.run.boxes ?? [];
    if (known.length === 0 && !boxes.hasChildNodes()) return;
    boxes.replaceChildren(...known.map(({ label, box: [left, top, right, bottom], scores }, index) => {
      const tag = el("span", "cxl-box-label", {}, `${label} ${scores[lens.image]?.toFixed(2) ?? ""}`);
      const element = el("div", "cxl-box", { "data-box": String(index) }, tag);
      const percent = (/** @type {number} */ part) => `${100 * part}%`;
      Object.assign(element.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
      return element;
    }));
  }

  return { root, surface, update, panes: () => panes };
}
