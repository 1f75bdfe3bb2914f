// What to say when a saved state can't be read; the text itself is kept until the user discards it.

import { el } from "../common/dom.js";
import { text } from "./strings.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */

/** @param {BoxEditor} editor */
export function createMessage(editor) {
  const sentence = el("p", "");
  const copy = el("button", "", { type: "button" }, text.broken.copy);
  const discard = el("button", "", { type: "button" }, text.broken.discard);
  const root = el("div", "cxb-message", { role: "alert" }, sentence, copy, discard);

  copy.addEventListener("click", async () => {
    if (!editor.broken) return;
    await navigator.clipboard?.writeText(editor.broken.text);
    editor.say(text.broken.copied);
  });
  discard.addEventListener("click", () => editor.forgetBroken());

  function update() {
    const { broken } = editor;
    root.hidden = !broken;
    if (broken) sentence.textContent = broken.replaced ? broken.message : `${text.broken.title} ${broken.message}`;
  }

  return { root, update };
}
