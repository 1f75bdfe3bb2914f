// What is drawn and how, the full view, and what can be saved.

import { el, iconButton, relabel, setIcon, show } from "../common/dom.js";
import { COLORMAPS } from "./colormaps.js";
import { MODES } from "./model.js";
import { text } from "./strings.js";

/** @typedef {import("./model.js").Lens} Lens */

/**
 * @param {Lens} lens
 * @param {{threshold: () => number | null, use: (threshold: number) => void, full: () => void, isFull: () => boolean,
 *   saveView: () => void, saveHeat: () => void}} act threshold is the node's own, or null where it has none to write to
 */
export function createControls(lens, act) {
  const names = text();

  /** @template {string} T @param {string} label @param {readonly (readonly [T, string])[]} options @param {(value: T) => void} choose */
  function select(label, options, choose) {
    const element = el("select", "cxb-select", { title: label, "aria-label": label });
    for (const [value, name] of options) element.append(el("option", "", { value }, name));
    element.addEventListener("change", () => choose(/** @type {T} */ (element.value)));
    return element;
  }
  const mode = select(names.mode, MODES.map((each) => /** @type {const} */ ([each, names.modes[each]])), (value) => lens.set({ mode: value }));
  const colormap = select(names.colormap, COLORMAPS.map((each) => /** @type {const} */ ([each, each])), (value) => lens.set({ colormap: value }));
  mode.dataset.focus = "mode";
  colormap.dataset.focus = "colormap";

  /** @param {"opacity"|"threshold"} key @param {string} label */
  function slider(key, label) {
    const element = el("input", "cxb-slider", { type: "range", min: "0", max: "1", step: "0.01", title: label, "aria-label": label, "data-focus": key });
    element.addEventListener("input", () => lens.set({ [key]: Number(element.value) }));
    return element;
  }
  const opacity = slider("opacity", names.opacity);
  const threshold = slider("threshold", names.threshold);
  const wipe = el("input", "cxb-slider", { type: "range", min: "0", max: "1", step: "0.01", title: names.wipe, "aria-label": names.wipe, "data-focus": "wipe" });
  wipe.addEventListener("input", () => lens.wipeTo(Number(wipe.value)));
  const number = el("output", "cxl-number");
  const use = el("button", "cxl-use", { type: "button", title: names.useHint, "data-focus": "use" }, names.use);
  use.addEventListener("click", () => {
    act.use(lens.look.threshold);
    lens.say(names.used(lens.look.threshold));
  });

  const fit = iconButton("fit", names.fit, () => lens.fit());
  const saveView = iconButton("save", names.saveView, act.saveView);
  const saveHeat = iconButton("saveHeat", names.saveHeat, act.saveHeat);
  const full = iconButton("full", names.full, act.full);
  full.dataset.focus = "full";

  const group = (/** @type {HTMLElement[]} */ ...members) => el("div", "cxb-group", {}, ...members);
  const looks = group(mode, colormap);
  const opacityGroup = group(el("span", "cxl-faint", {}, names.opacity), opacity);
  const thresholdGroup = group(el("span", "cxl-faint", {}, names.thresholdShort), threshold, number, use);
  const wipeGroup = group(wipe);
  const root = el("div", "cxl-controls", { role: "toolbar", "aria-label": names.viewer }, looks, opacityGroup, thresholdGroup, wipeGroup, el("div", "cxb-group cxl-right", {}, fit, saveView, saveHeat, full));

  function update() {
    const { look, data } = lens;
    const maps = (data?.run.sheets.length ?? 0) > 0;
    for (const part of [looks, opacityGroup, thresholdGroup, saveHeat]) part.hidden = !maps;
    wipeGroup.hidden = !maps || look.mode !== "wipe";
    root.hidden = !data;
    show(mode, look.mode);
    show(colormap, look.colormap);
    show(opacity, String(look.opacity));
    show(threshold, String(look.threshold));
    show(wipe, String(lens.wipe));
    number.textContent = look.threshold.toFixed(2);
    const own = act.threshold();
    use.hidden = own === null;
    use.disabled = own === look.threshold;
    fit.disabled = lens.view.scale === 1;
    relabel(full, act.isFull() ? names.leaveFull : names.full);
    setIcon(full, act.isFull() ? "leaveFull" : "full");
  }

  return { root, update };
}
