// The editor before the whole page: its element moves into a dialog, and back to its place in the node.

import { el } from "../common/dom.js";
import { text } from "./strings.js";

export class EnlargedView {
  /** @param {HTMLElement} root @param {() => void} closed */
  constructor(root, closed) {
    this.root = root;
    this.place = el("div", "cxb-away", {}, text.enlarged);
    this.dialog = el("dialog", "cxb-dialog", { "aria-label": text.stage });
    this.dialog.addEventListener("close", () => {
      this.#goBack();
      closed();
    });
    // The graph listens on the window: what happens in here is not its business.
    for (const kind of ["wheel", "pointerdown", "pointermove", "pointerup", "mousedown", "mouseup", "click", "dblclick", "contextmenu"])
      this.dialog.addEventListener(kind, (event) => event.stopPropagation());
  }

  get isOpen() {
    return this.dialog.open;
  }

  open() {
    if (this.isOpen) return;
    if (this.root.isConnected) this.root.replaceWith(this.place);
    this.dialog.append(this.root);
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  close() {
    if (this.isOpen) this.dialog.close();
  }

  #goBack() {
    if (this.place.isConnected) this.place.replaceWith(this.root);
    else this.root.remove();
    this.dialog.remove();
  }
}
