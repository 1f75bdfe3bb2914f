// Copy, cut and paste of boxes, also between nodes, workflows and text editors: the clipboard holds the state's JSON.

import { UnreadableState, readPasted, write } from "./document.js";
import { text } from "./strings.js";

/** @typedef {import("./editor.js").BoxEditor} BoxEditor */

/** @param {EventTarget | null} target */
export const isTextEntry = (target) =>
  target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type !== "range" && target.type !== "color");

/** @param {HTMLElement} root @param {BoxEditor} editor */
export function connectClipboard(root, editor) {
  /** @param {ClipboardEvent} event */
  const copy = (event) => {
    event.stopPropagation(); // the graph would copy the whole node
    if (isTextEntry(event.target)) return false;
    event.preventDefault();
    if (editor.selection.size === 0) return false;
    event.clipboardData?.setData("text/plain", write(editor.selected));
    return true;
  };
  root.addEventListener("copy", (event) => {
    if (copy(event)) editor.say(text.said.copied(editor.selection.size));
  });
  root.addEventListener("cut", (event) => {
    if (copy(event)) editor.remove();
  });
  root.addEventListener("paste", (event) => {
    event.stopPropagation();
    if (isTextEntry(event.target)) return;
    event.preventDefault();
    try {
      const { boxes, refused } = readPasted(event.clipboardData?.getData("text/plain").trim() ?? "", editor.size);
      if (boxes.length) editor.insert(boxes, text.said.pasted(boxes.length));
      if (refused.length) editor.warn([boxes.length ? text.said.pasted(boxes.length) : text.said.nothingPasted, ...refused].join(" "));
      else if (boxes.length === 0) editor.say(text.said.noBoxesToPaste);
    } catch (error) {
      if (!(error instanceof UnreadableState)) throw error;
      editor.say(`${text.said.noBoxesToPaste} ${error.message}`);
    }
  });
}
