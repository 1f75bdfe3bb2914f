// What is wrong: a saved state that can't be read (its text is kept until the user discards it), or what a run said.

import { el } from "../common/dom.js";
import { text } from "./strings.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */

/** @param {BoxEditor} editor */
export function createMessage(editor) {
  const sentence = el("p", "");
  const copy = el("button", "", { type: "button" }, text.broken.copy);
  const discard = el("button", "", { type: "button" }, text.broken.discard);
  const dismiss = el("button", "", { type: "button" }, text.broken.dismiss);
  const root = el("div", "cxb-message", { role: "alert" }, sentence, copy, discard, dismiss);

  copy.addEventListener("click", async () => {
    if (!editor.broken) return;
    await navigator.clipboard?.writeText(editor.broken.text);
    editor.say(text.broken.copied);
  });
  discard.addEventListener("click", () => editor.forgetBroken());
  dismiss.addEventListener("click", () => editor.warn(""));

  function update() {
    const { broken, trouble } = editor;
    root.hidden = !broken && !trouble;
    copy.hidden = discard.hidden = !broken || Boolean(trouble);
    dismiss.hidden = !trouble;
    if (trouble) sentence.textContent = trouble;
    else if (broken) sentence.textContent = broken.replaced ? broken.message : `${text.broken.title} ${broken.message}`;
  }

  return { root, update };
}
