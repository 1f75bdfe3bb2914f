// The list of keys, laid over the picture by "?".

import { el } from "../common/dom.js";
import { text } from "./strings.js";

/** @param {import("./editor.js").BoxEditor} editor */
export function createKeys(editor) {
  const rows = text.keys.list.flatMap(([key, does]) => [el("dt", "", {}, key), el("dd", "", {}, does)]);
  const close = el("button", "", { type: "button" }, text.keys.close);
  close.addEventListener("click", () => editor.toggleKeys());
  const root = el("section", "cxb-keys", { "aria-label": text.keys.title, tabindex: "0" }, el("h3", "", {}, text.keys.title), el("dl", "", {}, ...rows), close);
  const update = () => {
    root.hidden = !editor.showsKeys;
  };
  return { root, update };
}
