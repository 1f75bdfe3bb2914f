// The prompts as words, tinted by their relevancy: hover shows a word's map, a click pins it.

import { el } from "../common/dom.js";
import { inkOn } from "../box_editor/palette.js";
import { text } from "./strings.js";

/** @typedef {import("./model.js").Lens} Lens */
/** @typedef {import("./data.js").Item} Item */

/** @param {Lens} lens */
export function createWords(lens) {
  const list = el("div", "cxl-prompts", { role: "group", "aria-label": text().words });
  const root = el("div", "cxl-words", { "data-scrolls": "" }, list);
  /** @type {Map<string, {button: HTMLButtonElement, value: HTMLElement}>} */
  const chips = new Map();
  let drawn = "";

  /** @param {Item} item @param {string} className */
  function chip(item, className) {
    const value = el("span", "cxl-value");
    const button = el("button", `cxl-chip ${className}`, { type: "button", "data-item": item.id, "data-focus": `item ${item.id}` }, el("span", "cxl-name", {}, item.label), value);
    button.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && lens.hover(item.id));
    button.addEventListener("pointerleave", () => lens.hovered === item.id && lens.hover(null));
    button.addEventListener("focus", () => lens.hover(item.id));
    button.addEventListener("blur", () => lens.hovered === item.id && lens.hover(null));
    button.addEventListener("click", () => lens.pin(item.id));
    chips.set(item.id, { button, value });
    return button;
  }

  function build() {
    const what = JSON.stringify(lens.items.map((item) => [item.label, item.words.map((word) => word.label)]));
    if (what === drawn) return;
    drawn = what;
    chips.clear();
    list.replaceChildren(...lens.items.map((item) => {
      const row = el("div", "cxl-row", {}, chip(item, "cxl-whole"));
      if (item.words.length) row.append(el("span", "cxl-of", {}, ...item.words.map((word) => chip(word, "cxl-word"))));
      return row;
    }));
  }

  function update() {
    build();
    const panes = lens.data?.panes.length ?? 1;
    const shown = new Set(lens.shown.map((item) => item.id));
    for (const [id, { button, value }] of chips) {
      const item = lens.byId.get(id);
      if (!item) continue;
      const pinned = lens.pinned.includes(id);
      const here = panes === 1 ? lens.value(item) : null;
      const shownScore = item.score === null ? "" : item.id.includes(".") ? item.score.toFixed(2) : item.score.toFixed(3);
      value.textContent = here === null ? shownScore : here.toFixed(2);
      value.classList.toggle("cxl-here", here !== null);
      button.setAttribute("aria-pressed", String(pinned));
      button.setAttribute("aria-label", lens.describe(item));
      button.title = lens.describe(item);
      button.classList.toggle("cxl-shown", shown.has(id));
      button.classList.toggle("cxl-mapless", !item.maps && (lens.data?.run.sheets.length ?? 0) > 0);
      button.style.setProperty("--cxl-tint", `${Math.round(100 * Math.min(Math.max(item.id.includes(".") || lens.data?.run.kind === "classes" ? (item.score ?? 0) : 0, 0), 1) * 0.62)}%`);
      button.style.setProperty("--cxl-pin", pinned ? lens.colourOf(id) : "transparent");
      button.style.setProperty("--cxl-ink", pinned ? inkOn(lens.colourOf(id)) : "inherit");
    }
  }

  return { root, update };
}

/** What a double click found, best first. @param {Lens} lens */
export function createRanking(lens) {
  const list = el("ol", "cxl-ranking");
  const close = el("button", "cxl-close", { type: "button", "aria-label": text().close, title: text().close }, "×");
  close.addEventListener("click", () => lens.ranked && lens.escape());
  const root = el("div", "cxl-ranked", { "aria-label": text().rankTitle, role: "group" }, el("b", "", {}, text().rankTitle), list, close);

  function update() {
    root.hidden = !lens.ranked;
    if (!lens.ranked) return;
    list.replaceChildren(...lens.ranked.map(({ item, value }) => {
      const bar = el("span", "cxl-bar");
      bar.style.width = `${Math.round(100 * value)}%`;
      return el("li", "", { "data-item": item.id }, bar, el("span", "", {}, item.label), el("span", "cxl-value", {}, value.toFixed(2)));
    }));
  }

  return { root, update };
}
