// The images of a batch side by side with their numbers, or a slider over the steps of a run.

import { el } from "../common/dom.js";
import { text } from "./strings.js";

/** @typedef {import("./model.js").Lens} Lens */

const MANY = 16; // of these only the pictures in sight are loaded

/** @param {Lens} lens */
export function createStrip(lens) {
  const root = el("div", "cxl-strip", { role: "group", "aria-label": text().images, "data-scrolls": "" });
  /** @type {HTMLButtonElement[]} */
  let buttons = [];
  /** @type {import("./data.js").LensData | null} */
  let of = null;

  function build() {
    if (of === lens.data) return;
    of = lens.data;
    const count = of && !of.run.steps ? of.count : 0;
    buttons = Array.from({ length: count > 1 ? count : 0 }, (_, index) => {
      const image = el("img", "", { alt: "", loading: count > MANY ? "lazy" : "eager", decoding: "async", draggable: "false", src: of?.pictureUrl(index) ?? "" });
      const button = el("button", "cxl-thumb", { type: "button", "aria-label": text().image(index + 1, count), "data-focus": `image ${index}` }, image, el("span", "", {}, String(index + 1)));
      button.addEventListener("click", () => lens.goTo(index));
      return button;
    });
    root.replaceChildren(...buttons);
  }

  let shown = -1;

  function update() {
    build();
    root.hidden = buttons.length === 0;
    if (root.hidden) return;
    buttons.forEach((button, index) => button.setAttribute("aria-current", String(index === lens.image)));
    if (shown !== lens.image) {
      const button = buttons[lens.image];
      root.scrollLeft = button.offsetLeft - (root.clientWidth - button.offsetWidth) / 2;
    }
    shown = lens.image;
  }

  return { root, update };
}

const SVG = "http://www.w3.org/2000/svg";

/** @param {Lens} lens */
export function createSteps(lens) {
  const slider = el("input", "cxl-steps-slider", { type: "range", min: "0", step: "1", "aria-label": text().steps, title: text().steps, "data-focus": "steps" });
  slider.addEventListener("input", () => lens.goTo(Number(slider.value)));
  const where = el("output", "cxl-number");
  const curve = document.createElementNS(SVG, "svg");
  curve.setAttribute("class", "cxl-curve");
  curve.setAttribute("viewBox", "0 0 100 24");
  curve.setAttribute("preserveAspectRatio", "none");
  curve.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "polyline");
  const mark = document.createElementNS(SVG, "line");
  curve.append(line, mark);
  const losses = el("dl", "cxl-losses");
  const root = el("div", "cxl-steps", {}, el("div", "cxb-group", {}, slider, where), curve, losses);

  function update() {
    const run = lens.data?.run;
    root.hidden = !run?.steps;
    if (!run?.steps) return;
    const count = run.steps.length;
    slider.max = String(count - 1);
    slider.value = String(lens.image);
    slider.setAttribute("aria-valuetext", text().step(run.steps[lens.image], lens.image + 1, count));
    where.textContent = text().step(run.steps[lens.image], lens.image + 1, count);
    const total = run.losses?.total ?? [];
    const [low, high] = [Math.min(...total), Math.max(...total)];
    const across = (/** @type {number} */ index) => (count > 1 ? (100 * index) / (count - 1) : 50);
    line.setAttribute("points", total.map((value, index) => `${across(index)},${high > low ? 22 - (20 * (value - low)) / (high - low) : 12}`).join(" "));
    for (const [name, at] of Object.entries({ x1: across(lens.image), x2: across(lens.image), y1: 0, y2: 24 })) mark.setAttribute(name, String(at));
    losses.replaceChildren(...Object.entries(run.losses ?? {}).map(([name, values]) => el("div", "", {}, el("dt", "", {}, name), el("dd", "", {}, values[lens.image]?.toFixed(4) ?? ""))));
  }

  return { root, update };
}
