// Numeric entry for the selection, in picture pixels or per cent.

import { el, show } from "../common/dom.js";
import { around } from "./geometry.js";
import { text } from "./strings.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */
/** @typedef {"x"|"y"|"width"|"height"} Field */

/** @type {readonly Field[]} */
const FIELDS = ["x", "y", "width", "height"];

/** @param {BoxEditor} editor */
export function createNumbers(editor) {
  /** How many of the shown unit make the whole picture. @param {Field} field */
  const whole = (field) =>
    editor.settings.unit === "%" ? 100 : field === "x" || field === "width" ? editor.size.width : editor.size.height;
  const shownNumber = (/** @type {number} */ part, /** @type {Field} */ field) =>
    String(Math.round(part * whole(field) * 100) / 100);

  const inputs = FIELDS.map((field) => {
    const input = el("input", "cxb-number", {
      type: "number", step: "any", inputmode: "decimal", title: text.numbers.names[field],
      "aria-label": text.numbers.names[field], "data-focus": `number-${field}`,
    });
    input.addEventListener("change", () => {
      const number = Number.parseFloat(input.value);
      if (Number.isFinite(number)) editor.placeByNumber({ [field]: number / whole(field) });
      input.value = current(field);
    });
    return input;
  });

  /** @param {Field} field */
  const current = (field) => (editor.selected.length ? shownNumber(around(editor.selected)[field], field) : "");

  const unit = el("select", "cxb-select", { title: text.numbers.unit, "aria-label": text.numbers.unit });
  for (const value of ["px", "%"]) unit.append(el("option", "", { value }, value));
  unit.addEventListener("change", () => editor.set({ unit: unit.value === "%" ? "%" : "px" }));

  const root = el(
    "div", "cxb-numbers", { role: "group", "aria-label": text.numbers.label },
    ...FIELDS.map((field, i) => el("label", "cxb-field", {}, el("span", "", {}, text.numbers[field]), inputs[i])),
    unit,
  );

  function update() {
    const usable = editor.movable.length > 0 && !editor.linked;
    FIELDS.forEach((field, i) => {
      inputs[i].disabled = !usable;
      show(inputs[i], current(field));
    });
    show(unit, editor.settings.unit);
  }

  return { root, update };
}
