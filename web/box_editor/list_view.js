// The list of all boxes: label, weight, colour, visibility and lock, each edited in place.

import { HIGHEST_WEIGHT } from "./document.js";
import { el, iconButton, relabel, setIcon, show } from "../common/dom.js";
import { text } from "./strings.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */
/** @typedef {import("./document.js").Box} Box */

/** @param {BoxEditor} editor */
export function createList(editor) {
  const list = el("ul", "cxb-list", { "aria-label": text.list });
  const empty = el("p", "cxb-empty", {}, text.empty);
  const root = el("div", "cxb-panel", { "data-scrolls": "" }, list, empty);
  /** @type {Map<string, ReturnType<typeof createRow>>} */
  const rows = new Map();

  function update() {
    const boxes = editor.shown;
    for (const [id, row] of rows) {
      if (boxes.some((box) => box.id === id)) continue;
      row.root.remove();
      rows.delete(id);
    }
    boxes.forEach((box, index) => {
      const row = rows.get(box.id) ?? createRow(editor, box.id);
      rows.set(box.id, row);
      if (list.children[index] !== row.root) list.insertBefore(row.root, list.children[index] ?? null);
      row.update(box, index + 1);
    });
    empty.hidden = boxes.length > 0;
    empty.textContent = editor.linked ? text.linked : text.empty;
  }

  /** @param {string} id */
  const reveal = (id) => rows.get(id)?.root.scrollIntoView({ block: "nearest" });

  return { root, update, reveal };
}

/** @param {BoxEditor} editor @param {string} id */
function createRow(editor, id) {
  const number = el("button", "cxb-place", { type: "button", "data-focus": `place-${id}` });
  number.addEventListener("click", (event) => (event.shiftKey || event.ctrlKey || event.metaKey ? editor.toggle(id) : editor.select([id])));

  const color = el("input", "cxb-color", { type: "color" });
  color.addEventListener("input", () => editor.change(id, { color: color.value }, { merge: `color ${id}`, settle: false }));
  color.addEventListener("change", () => editor.surroundings.settled());

  const label = el("input", "cxb-label", {
    type: "text", placeholder: text.row.placeholder, spellcheck: "false", autocomplete: "off", "data-focus": `label-${id}`,
  });
  label.addEventListener("input", () => editor.change(id, { label: label.value }, { merge: `label ${id}`, settle: false }));
  label.addEventListener("change", () => editor.surroundings.settled());

  const weight = el("input", "cxb-weight", {
    type: "number", min: "0", max: String(HIGHEST_WEIGHT), step: "0.1", "data-focus": `weight-${id}`,
  });
  weight.addEventListener("input", () => {
    const value = Number.parseFloat(weight.value);
    if (value >= 0 && value <= HIGHEST_WEIGHT) editor.change(id, { weight: value }, { merge: `weight ${id}`, settle: false });
  });
  weight.addEventListener("change", () => {
    weight.value = String(editor.box(id)?.weight ?? 1);
    editor.surroundings.settled();
  });

  const visible = iconButton("shown", "", () => editor.flip("hidden", [id]));
  const lock = iconButton("unlocked", "", () => editor.flip("locked", [id]));
  const note = el("span", "cxb-note", { role: "img" });

  const root = el("li", "cxb-row", { "data-box": id }, number, color, label, note, weight, visible, lock);
  root.addEventListener("focusin", (event) => {
    if (event.target !== number && !editor.selection.has(id)) editor.select([id]);
  });

  /** @param {Box} box @param {number} place */
  function update(box, place) {
    root.classList.toggle("cxb-selected", editor.selection.has(id));
    root.classList.toggle("cxb-off", box.hidden);
    root.setAttribute("aria-label", text.row.item(place, box.label.trim() || text.unnamed));
    number.textContent = String(place);
    relabel(number, text.row.select(place));
    number.setAttribute("aria-pressed", String(editor.selection.has(id)));
    relabel(color, text.row.color(place));
    color.value = box.color;
    label.setAttribute("aria-label", text.row.label(place));
    if (label.value !== box.label) label.value = box.label;
    weight.setAttribute("aria-label", text.row.weight(place));
    weight.title = text.row.weightHint;
    show(weight, String(box.weight));
    setIcon(visible, box.hidden ? "hidden" : "shown");
    relabel(visible, box.hidden ? text.row.show(place) : text.row.hide(place));
    setIcon(lock, box.locked ? "locked" : "unlocked");
    relabel(lock, box.locked ? text.row.unlock(place) : text.row.lock(place));
    lock.classList.toggle("cxb-on", box.locked);
    for (const control of [color, label, weight, visible, lock]) control.disabled = editor.linked;
    const found = editor.problems(box);
    const worst = found.find((problem) => problem.kind === "error") ?? found[0];
    note.hidden = !worst;
    note.textContent = worst ? "!" : "";
    note.classList.toggle("cxb-error", worst?.kind === "error");
    relabel(note, found.map((problem) => problem.message).join(" "));
  }

  return { root, update };
}
