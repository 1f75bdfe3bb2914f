// The picture with its boxes. Plain elements in per cent of the picture: sharp at every zoom and pixel density.

import { el } from "../common/dom.js";
import { HANDLES, around, handlePoint } from "./geometry.js";
import { inkOn } from "./palette.js";
import { text } from "./strings.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */
/** @typedef {import("./document.js").Box} Box */
/** @typedef {import("./geometry.js").Rect} Rect */

/** @param {HTMLElement} element @param {Rect} r */
function lay(element, r) {
  const percent = (/** @type {number} */ part) => `${part * 100}%`;
  Object.assign(element.style, { left: percent(r.x), top: percent(r.y), width: percent(r.width), height: percent(r.height) });
}

/** @param {BoxEditor} editor */
export function createStage(editor) {
  const image = el("img", "cxb-image", { alt: "", draggable: "false" });
  const grid = el("div", "cxb-grid");
  const boxLayer = el("div", "cxb-layer");
  const ghost = el("div", "cxb-box cxb-ghost");
  const frame = el("div", "cxb-frame");
  const outline = el("div", "cxb-outline");
  const handles = HANDLES.map((handle) => el("div", `cxb-handle cxb-${handle}`));
  const guides = el("div", "cxb-layer");
  const measure = el("div", "cxb-measure");
  const picture = el("div", "cxb-picture", {}, image, grid, boxLayer, ghost, outline, ...handles, frame, guides, measure);
  const name = el("input", "cxb-inplace", {
    type: "text", placeholder: text.row.placeholder, "aria-label": text.row.placeholder, spellcheck: "false",
    autocomplete: "off", "data-focus": "inplace",
  });
  const surface = el("div", "cxb-surface", {
    tabindex: "0", role: "application", "aria-label": text.stage, "aria-roledescription": text.stage,
    title: "", "data-focus": "stage",
  }, picture);
  surface.setAttribute("aria-description", text.stageHelp);
  const root = el("div", "cxb-stage", {}, surface);
  picture.append(name);

  image.addEventListener("error", () => (image.hidden = true));

  // ---- pointer: everything happens on the surface, which keeps the pointer until it is released

  /** The surface is scaled by the graph's zoom; fractions of the picture are not. @param {PointerEvent} event */
  function locate(event) {
    const rect = picture.getBoundingClientRect();
    return {
      p: { x: (event.clientX - rect.left) / rect.width, y: (event.clientY - rect.top) / rect.height },
      view: { width: rect.width, height: rect.height },
      keys: { shift: event.shiftKey, alt: event.altKey, ctrl: event.ctrlKey || event.metaKey },
      finger: event.pointerType === "touch",
    };
  }

  /** Handles keep their size on the screen while the graph is zoomed out. */
  function keepHandleSize() {
    const zoom = surface.offsetWidth ? surface.getBoundingClientRect().width / surface.offsetWidth : 1;
    root.style.setProperty("--cxb-unzoom", String(Math.min(Math.max(1 / (zoom || 1), 0.5), 3)));
  }

  let pointer = -1;
  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer >= 0 || event.target === name) return;
    const { p, view, keys, finger } = locate(event);
    if (!(view.width > 0 && view.height > 0)) return;
    surface.focus({ preventScroll: true });
    pointer = event.pointerId;
    surface.setPointerCapture(pointer);
    editor.editLabel(null);
    editor.press(p, view, keys, finger);
  });
  surface.addEventListener("pointermove", (event) => {
    const { p, view, keys, finger } = locate(event);
    if (event.pointerId === pointer) editor.drag(p, keys);
    else if (pointer < 0 && event.target !== name) {
      keepHandleSize();
      surface.style.cursor = editor.hover(p, view, keys, finger);
    }
  });
  surface.addEventListener("pointerup", (event) => {
    if (event.pointerId !== pointer) return;
    pointer = -1;
    const { p, keys } = locate(event);
    editor.release(p, keys);
  });
  for (const lost of /** @type {const} */ (["pointercancel", "lostpointercapture"]))
    surface.addEventListener(lost, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = -1;
      editor.cancel();
    });
  surface.addEventListener("dblclick", (event) => {
    if (event.target === name || editor.selection.size !== 1) return;
    editor.editLabel([...editor.selection][0]);
  });
  surface.addEventListener("dragstart", (event) => event.preventDefault());

  // ---- the label, typed where the box is

  name.addEventListener("input", () => {
    const id = editor.editingLabel;
    if (id) editor.change(id, { label: name.value }, { merge: `label ${id}`, settle: false });
  });
  name.addEventListener("blur", () => {
    if (!editor.editingLabel || !root.isConnected) return;
    editor.editLabel(null);
    editor.surroundings.settled();
  });

  // ---- drawing

  /** @type {Map<string, ReturnType<typeof createBox>>} */
  const parts = new Map();

  /** @param {string} id */
  function createBox(id) {
    const place = el("b", "");
    const label = el("span", "");
    const tag = el("div", "cxb-tag", {}, place, label);
    const element = el("div", "cxb-box", { "data-box": id }, tag);
    return { root: element, tag, place, label };
  }

  function update() {
    const boxes = editor.shown;
    const { outcome, settings, size } = editor;
    root.style.setProperty("--cxb-w", String(size.width));
    root.style.setProperty("--cxb-h", String(size.height));
    image.style.opacity = String(settings.brightness);
    grid.hidden = settings.grid === 0;
    grid.style.backgroundSize = `${(100 * settings.grid) / size.width}% ${(100 * settings.grid) / size.height}%`;
    root.classList.toggle("cxb-linked", editor.linked);

    for (const [id, part] of parts) {
      if (boxes.some((box) => box.id === id)) continue;
      part.root.remove();
      parts.delete(id);
    }
    boxes.forEach((box, index) => {
      const part = parts.get(box.id) ?? createBox(box.id);
      parts.set(box.id, part);
      if (boxLayer.children[index] !== part.root) boxLayer.insertBefore(part.root, boxLayer.children[index] ?? null);
      drawBox(part, box, index + 1);
    });

    ghost.hidden = !outcome?.drawn;
    if (outcome?.drawn) lay(ghost, outcome.drawn);
    frame.hidden = !outcome?.frame;
    if (outcome?.frame) lay(frame, outcome.frame);
    drawHandles();
    drawGuides();
    drawMeasure();
    drawName();
  }

  /** @param {ReturnType<typeof createBox>} part @param {Box} box @param {number} place */
  function drawBox(part, box, place) {
    lay(part.root, box);
    part.root.hidden = box.hidden;
    part.root.style.setProperty("--cxb-color", box.color);
    part.root.style.setProperty("--cxb-ink", inkOn(box.color));
    part.root.classList.toggle("cxb-selected", editor.selection.has(box.id));
    part.root.classList.toggle("cxb-locked", box.locked);
    part.root.classList.toggle("cxb-tag-inside", box.y < 0.04);
    part.tag.hidden = editor.editingLabel === box.id;
    part.place.textContent = String(place);
    part.label.textContent = (box.label.trim() || text.unnamed) + (box.weight === 1 ? "" : ` ×${box.weight}`);
    part.label.classList.toggle("cxb-unnamed", !box.label.trim());
  }

  function drawHandles() {
    const chosen = editor.movable.filter((box) => !box.hidden);
    const shown = chosen.length > 0 && !editor.linked;
    const group = shown ? around(chosen) : null;
    outline.hidden = chosen.length < 2;
    if (group) lay(outline, group);
    HANDLES.forEach((handle, i) => {
      handles[i].hidden = !group;
      if (!group) return;
      const at = handlePoint(group, handle);
      handles[i].style.left = `${at.x * 100}%`;
      handles[i].style.top = `${at.y * 100}%`;
    });
  }

  function drawGuides() {
    const lines = (editor.outcome?.guides ?? []).map(({ axis, at }) => {
      const line = el("div", `cxb-guide cxb-guide-${axis}`);
      line.style[axis === "x" ? "left" : "top"] = `${at * 100}%`;
      return line;
    });
    guides.replaceChildren(...lines);
  }

  /** The size beside the rectangle that is being changed. */
  function drawMeasure() {
    const { outcome, size } = editor;
    const rect = outcome?.drawn ?? (outcome?.rects.size ? around(editor.movable) : undefined);
    measure.hidden = !rect;
    if (!rect) return;
    measure.style.left = `${(rect.x + rect.width / 2) * 100}%`;
    measure.style.top = `${Math.min(rect.y + rect.height, 0.94) * 100}%`;
    measure.textContent =
      `${Math.round(rect.x * size.width)}, ${Math.round(rect.y * size.height)} · ` +
      `${Math.round(rect.width * size.width)} × ${Math.round(rect.height * size.height)}`;
  }

  function drawName() {
    const box = editor.editingLabel ? editor.shown.find((each) => each.id === editor.editingLabel) : undefined;
    const opens = name.hidden && box;
    name.hidden = !box;
    if (!box) return;
    name.style.left = `${Math.min(Math.max(box.x, 0), 0.7) * 100}%`;
    name.style.top = `${Math.max(box.y, 0) * 100}%`;
    name.style.setProperty("--cxb-color", box.color);
    if (name.value !== box.label) name.value = box.label;
    if (opens) {
      name.focus({ preventScroll: true });
      name.select();
    }
  }

  /** @param {string | null} url */
  function setImage(url) {
    if (image.dataset.url === (url ?? "")) return;
    image.dataset.url = url ?? "";
    image.hidden = !url;
    if (url) image.src = url;
    else image.removeAttribute("src");
  }

  setImage(null);
  name.hidden = true;
  return { root, surface, update, setImage, image };
}
