// The keyboard, caught before the graph sees it: while an editor has the focus, Delete, arrows and letters are its own.
// Ctrl+Z and Ctrl+Y are left to the graph, whose steps include every step of the editor.

import { ownKeys } from "../common/keys.js";
import { isTextEntry } from "./clipboard.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */
/**
 * @typedef {object} KeyTarget
 * @property {HTMLElement} root
 * @property {HTMLElement} surface
 * @property {BoxEditor} editor
 * @property {() => void} flush give the graph's undo its snapshot now
 * @property {() => void} beforeUndo
 * @property {(way: "undo" | "redo") => void} step undo or redo a step of the graph
 * @property {{isOpen: () => boolean, toggle: () => void}} enlarged
 */

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {KeyTarget} target */
export function connectKeys(target) {
  ownKeys(target.root, (event) => press(event, target));
}

/** @param {KeyboardEvent} event @param {KeyTarget} target @returns {"done"|"keep"|"pass"} */
function press(event, target) {
  if (event.ctrlKey || event.metaKey) return pressWithCtrl(event, target);
  if (isTextEntry(event.target)) return pressInText(event, target);
  const { editor, surface } = target;
  const onSurface = event.target === surface;
  const inRow = event.target instanceof Element && event.target.closest(".cxb-row") !== null;
  if (event.key === "Escape") {
    if (!editor.showsKeys && !editor.active && editor.tool === "select" && editor.selection.size === 0 && target.enlarged.isOpen()) target.enlarged.toggle();
    else editor.escape();
    surface.focus({ preventScroll: true });
    return "done";
  }
  if (event.key === "Delete" || event.key === "Backspace") {
    editor.remove();
    if (!target.root.contains(document.activeElement)) surface.focus({ preventScroll: true });
    return "done";
  }
  if (inRow && !event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) return toRow(event, target);
  if (inRow && event.altKey && event.key in ARROWS) {
    editor.reorder(event.key === "ArrowUp" ? "backward" : "forward");
    return "done";
  }
  if (event.key === "?") {
    editor.toggleKeys();
    return "done";
  }
  if (event.key.toLowerCase() === "f" && !event.altKey) {
    target.enlarged.toggle();
    surface.focus({ preventScroll: true });
    return "done";
  }
  return onSurface ? pressOnSurface(event, target) : "keep";
}

/** @param {KeyboardEvent} event @param {KeyTarget} target @returns {"done"|"keep"|"pass"} */
function pressOnSurface(event, { editor }) {
  const arrow = ARROWS[event.key];
  if (arrow) {
    editor.nudge(arrow[0], arrow[1], { tenfold: event.shiftKey, resize: event.altKey });
    return "done";
  }
  if (event.key === "Tab") return editor.selectNext(event.shiftKey ? -1 : 1) ? "done" : "keep";
  if (event.altKey) return "keep";
  const commands = /** @type {Record<string, (() => void) | undefined>} */ ({
    Enter: () => editor.editLabel([...editor.selection][0] ?? null),
    F2: () => editor.editLabel([...editor.selection][0] ?? null),
    n: () => editor.addInMiddle(),
    d: () => editor.use("draw"),
    v: () => editor.use("select"),
    s: () => editor.set({ snap: !editor.settings.snap }),
    h: () => editor.flip("hidden"),
    l: () => editor.flip("locked"),
    "]": () => editor.reorder("forward"),
    "[": () => editor.reorder("backward"),
    "}": () => editor.reorder("front"),
    "{": () => editor.reorder("back"),
    " ": () => {},
  });
  const command = commands[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  command?.();
  return command ? "done" : "keep";
}

/** @param {KeyboardEvent} event @param {KeyTarget} target @returns {"done"|"keep"|"pass"} */
function pressWithCtrl(event, target) {
  const { editor, surface } = target;
  const key = event.key.toLowerCase();
  const inText = isTextEntry(event.target);
  if (key === "z" || key === "y") {
    if (inText && !isUntouched(event.target)) return "keep"; // the text's own undo
    if (inText) {
      editor.editLabel(null); // drawn, nothing typed yet: undo means the box
      surface.focus({ preventScroll: true });
    }
    target.beforeUndo();
    target.flush();
    if (!inText && !target.enlarged.isOpen()) return "pass"; // the graph's own key stops before a dialog
    target.step(key === "y" || event.shiftKey ? "redo" : "undo");
    return "done";
  }
  if (inText) return ["a", "c", "v", "x"].includes(key) ? "keep" : "pass";
  if (key === "d") editor.duplicate();
  else if (key === "a") editor.selectAll();
  else if (["c", "v", "x"].includes(key)) return "keep"; // the clipboard's events follow
  else return key in ARROWS || event.key in ARROWS ? "done" : "pass";
  return "done";
}

/** A label that was opened and not typed into. @param {EventTarget | null} input */
const isUntouched = (input) => input instanceof HTMLInputElement && input.classList.contains("cxb-inplace") && input.value === "";

/** @param {KeyboardEvent} event @param {KeyTarget} target @returns {"done"|"keep"|"pass"} */
function pressInText(event, target) {
  const { editor, surface } = target;
  const input = /** @type {HTMLInputElement} */ (event.target);
  if (event.key === "Enter" || event.key === "Escape") {
    const inPlace = input.classList.contains("cxb-inplace");
    if (inPlace) editor.editLabel(null);
    surface.focus({ preventScroll: true }); // leaving the input commits what was typed
    target.flush();
    return "done";
  }
  if (input.type === "text" && (event.key === "ArrowUp" || event.key === "ArrowDown")) return toRow(event, target);
  return "keep";
}

/** The same control one row up or down. @param {KeyboardEvent} event @param {KeyTarget} target @returns {"done"|"keep"} */
function toRow(event, { editor }) {
  const here = /** @type {HTMLElement} */ (event.target);
  const row = here.closest(".cxb-row");
  const next = event.key === "ArrowUp" ? row?.previousElementSibling : row?.nextElementSibling;
  const controls = row ? [...row.querySelectorAll("button, input")] : [];
  const twin = next?.querySelectorAll("button, input")[controls.indexOf(here)];
  if (!(next instanceof HTMLElement) || !(twin instanceof HTMLElement)) return row ? "done" : "keep";
  if (next.dataset.box) editor.select([next.dataset.box]);
  twin.focus();
  return "done";
}
