// Small helpers to build elements. Text goes in as text only, never as markup.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} className
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, className, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Line drawings on a 16 x 16 field. @type {Record<string, string>} */
const ICONS = {
  select: "M3 2 L3 12.5 L6 9.8 L8 14 L9.8 13.2 L7.9 9.1 L12 9 Z",
  draw: "M2.5 5 V2.5 H5 M8 2.5 H10 M13.5 8 V10 M2.5 8 V10 M13.5 5 V2.5 H13 M2.5 13 V13.5 H5 M11 9.5 V15 M8.2 12.2 H13.8",
  add: "M8 3 V13 M3 8 H13",
  duplicate: "M5.5 5.5 H13.5 V13.5 H5.5 Z M10.5 5.5 V2.5 H2.5 V10.5 H5.5",
  remove: "M3 4.5 H13 M6 4.5 V2.5 H10 V4.5 M4.5 4.5 L5 13.5 H11 L11.5 4.5 M7 7 V11 M9 7 V11",
  clear: "M2.5 3.5 H9 M2.5 7 H7 M2.5 10.5 H6 M9 9 L14 14 M14 9 L9 14",
  enlarge: "M9.5 2.5 H13.5 V6.5 M13.5 2.5 L9 7 M6.5 13.5 H2.5 V9.5 M2.5 13.5 L7 9",
  shrink: "M13.5 6.5 H9.5 V2.5 M9.5 6.5 L14 2 M2.5 9.5 H6.5 V13.5 M6.5 9.5 L2 14",
  help: "M5.5 6 A2.5 2.5 0 1 1 8.8 8.2 C8.2 8.5 8 9 8 10 M8 12.6 V13.4",
  forward: "M8 13 V4 M4.5 7.5 L8 4 L11.5 7.5 M3 2 H13",
  backward: "M8 3 V12 M4.5 8.5 L8 12 L11.5 8.5 M3 14 H13",
  undo: "M3 6.5 H10 A3.5 3.5 0 0 1 10 13.5 H6 M6 3.5 L3 6.5 L6 9.5",
  redo: "M13 6.5 H6 A3.5 3.5 0 0 0 6 13.5 H10 M10 3.5 L13 6.5 L10 9.5",
  snap: "M3.5 2.5 V8 A4.5 4.5 0 0 0 12.5 8 V2.5 H9.5 V8 A1.5 1.5 0 0 1 6.5 8 V2.5 Z M3.5 5 H6.5 M9.5 5 H12.5",
  shown: "M1.5 8 C4 3.8 12 3.8 14.5 8 C12 12.2 4 12.2 1.5 8 Z M8 6.2 A1.8 1.8 0 1 1 7.99 6.2",
  hidden: "M2 2.5 L14 13.5 M4 5 C3 5.8 2.2 6.8 1.5 8 C3.5 11.3 9 12.2 12 10.2 M7 4.9 C10 4.6 13 5.6 14.5 8 L13.4 9.3",
  fit: "M2.5 6 V2.5 H6 M10 2.5 H13.5 V6 M13.5 10 V13.5 H10 M6 13.5 H2.5 V10 M5.5 5.5 H10.5 V10.5 H5.5 Z",
  full: "M2.5 6 V2.5 H6 M10 2.5 H13.5 V6 M13.5 10 V13.5 H10 M6 13.5 H2.5 V10",
  leaveFull: "M6 2.5 V6 H2.5 M13.5 6 H10 V2.5 M10 13.5 V10 H13.5 M2.5 10 H6 V13.5",
  save: "M8 2.5 V10 M4.8 7 L8 10.2 L11.2 7 M2.5 11 V13.5 H13.5 V11",
  saveHeat: "M8 1.5 V7 M5.4 4.6 L8 7.2 L10.6 4.6 M2.5 10 H5 V13.5 H2.5 Z M6.8 8.8 H9.2 V13.5 H6.8 Z M11 11.5 H13.5 V13.5 H11 Z",
  locked: "M4 7.5 H12 V13.5 H4 Z M5.5 7.5 V5 A2.5 2.5 0 0 1 10.5 5 V7.5",
  unlocked: "M4 7.5 H12 V13.5 H4 Z M5.5 7.5 V4.5 A2.5 2.5 0 0 1 10.3 3.8",
};

/** @param {string} name */
function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** @param {HTMLElement} button @param {string} name swap the drawing only if it is another one */
export function setIcon(button, name) {
  if (button.dataset.icon === name) return;
  button.dataset.icon = name;
  button.replaceChildren(icon(name));
}

/** @param {string} name @param {string} label @param {() => void} press */
export function iconButton(name, label, press) {
  const button = el("button", "cxb-button", { type: "button", title: label, "aria-label": label });
  setIcon(button, name);
  button.addEventListener("click", press);
  return button;
}

/** @param {HTMLElement} element @param {string} label */
export function relabel(element, label) {
  if (element.title === label) return;
  element.title = label;
  element.setAttribute("aria-label", label);
}

/** @param {HTMLInputElement | HTMLSelectElement} input @param {string} value leave what is being typed alone */
export function show(input, value) {
  if (document.activeElement !== input && input.value !== value) input.value = value;
}
