// The row of tools above the picture, and the controls of its background below.

import { el, iconButton, relabel, setIcon, show } from "../common/dom.js";
import { text } from "./strings.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */

/** @param {BoxEditor} editor @param {{isOpen: () => boolean, toggle: () => void}} enlarged */
export function createToolbar(editor, enlarged) {
  const names = text.tools;
  const select = iconButton("select", names.select, () => editor.use("select"));
  const draw = iconButton("draw", names.draw, () => editor.use("draw"));
  const add = iconButton("add", names.add, () => editor.addInMiddle());
  const duplicate = iconButton("duplicate", names.duplicate, () => editor.duplicate());
  const remove = iconButton("remove", names.remove, () => editor.remove());
  const clear = iconButton("clear", names.clear, () => editor.clear());
  const enlarge = iconButton("enlarge", names.enlarge, enlarged.toggle);
  const help = iconButton("help", names.help, () => editor.toggleKeys());
  const forward = iconButton("forward", names.forward, () => editor.reorder("forward"));
  const backward = iconButton("backward", names.backward, () => editor.reorder("backward"));
  const undo = iconButton("undo", names.undo, () => editor.undo());
  const redo = iconButton("redo", names.redo, () => editor.redo());
  const snap = iconButton("snap", names.snap, () => editor.set({ snap: !editor.settings.snap }));

  const grid = el("select", "cxb-select", { title: names.grid, "aria-label": names.grid });
  for (const step of [0, 8, 16]) grid.append(el("option", "", { value: String(step) }, step ? names.gridStep(step) : names.gridOff));
  grid.addEventListener("change", () => editor.set({ grid: Number(grid.value) }));

  const group = (/** @type {HTMLElement[]} */ ...members) => el("div", "cxb-group", {}, ...members);
  const root = el(
    "div", "cxb-toolbar", { role: "toolbar", "aria-label": names.label },
    group(select, draw), group(add, duplicate, remove, clear), group(forward, backward), group(undo, redo),
    group(snap, grid), group(enlarge, help),
  );

  const pressed = (/** @type {HTMLElement} */ button, /** @type {boolean} */ on) => button.setAttribute("aria-pressed", String(on));

  function update() {
    const { settings, selection, linked } = editor;
    pressed(select, editor.tool === "select");
    pressed(draw, editor.tool === "draw");
    pressed(snap, settings.snap);
    for (const button of [select, draw, add]) button.disabled = linked;
    for (const button of [duplicate, forward, backward]) button.disabled = linked || selection.size === 0;
    remove.disabled = linked || editor.movable.length === 0;
    clear.disabled = linked || editor.boxes.every((box) => box.locked);
    setIcon(enlarge, enlarged.isOpen() ? "shrink" : "enlarge");
    relabel(enlarge, enlarged.isOpen() ? names.shrink : names.enlarge);
    pressed(help, editor.showsKeys);
    undo.disabled = linked || !editor.history.canUndo;
    redo.disabled = linked || !editor.history.canRedo;
    show(grid, String(settings.grid));
  }

  return { root, update };
}

/** @param {BoxEditor} editor */
export function createBackgroundControls(editor) {
  const names = text.tools;
  const background = el("select", "cxb-select", { title: names.background, "aria-label": names.background });
  for (const [value, name] of Object.entries(names.backgrounds)) background.append(el("option", "", { value }, name));
  background.addEventListener("change", () =>
    editor.set({ background: /** @type {import("./editor.js").BackgroundChoice} */ (background.value) }),
  );
  const brightness = el("input", "cxb-slider", {
    type: "range", min: "0", max: "1", step: "0.05", title: names.brightness, "aria-label": names.brightness,
  });
  brightness.addEventListener("input", () => editor.set({ brightness: Number(brightness.value) }, { settle: false }));
  brightness.addEventListener("change", () => editor.surroundings.settled());

  const root = el("div", "cxb-group", {}, background, brightness);

  function update() {
    show(background, editor.settings.background);
    show(brightness, String(editor.settings.brightness));
  }

  return { root, update };
}
