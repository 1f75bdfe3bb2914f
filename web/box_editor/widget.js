// The DOM widget: one editor per node, kept alive through undo, redo and both renderers.

import { Background } from "./background.js";
import { connectClipboard } from "./clipboard.js";
import { el } from "../common/dom.js";
import { BoxEditor, DEFAULT_SETTINGS } from "./editor.js";
import { api, app, captureForUndo, chain, handOnPanAndZoom, isInGraph, isLinked, isNamed, isSameNode, mount, nodeKey, stepGraph } from "../common/graph.js";
import { connectKeys } from "./keys.js";
import { EnlargedView } from "./enlarged_view.js";
import { createList } from "./list_view.js";
import { createKeys } from "./keys_view.js";
import { createMessage } from "./message_view.js";
import { createNumbers } from "./numbers_view.js";
import { createStage } from "./stage_view.js";
import { createBackgroundControls, createToolbar } from "./toolbar_view.js";

/** @typedef {import("../common/graph.js").GraphNode} GraphNode */

export const WIDGET_TYPE = "CLIP_EXPLAINABILITY_BOXES";
const LEAST_HEIGHT = 590; // a stage of 320 px, whatever stands around it
const SETTINGS = "box_editor"; // in node.properties: how the editor looks, not what it says
const BROKEN = "box_editor_broken";
const SETTLE_AFTER_MS = 600;
const MOST_SESSIONS = 64; // of nodes that are gone, kept for the undo that brings them back

/** Live editors by node, so that a node made anew by undo finds the one it replaces. @type {Map<string, Session>} */
const sessions = new Map();

class Session {
  /** @param {GraphNode} node @param {string} inputName */
  constructor(node, inputName) {
    this.node = node;
    this.inputName = inputName;
    this.background = new Background(node);
    this.editor = new BoxEditor({
      changed: () => this.changed(),
      settled: () => this.flush(),
      keepSettings: (settings) => this.keep(SETTINGS, settings),
      keepBroken: (broken) => this.keep(BROKEN, broken),
    });
    this.stage = createStage(this.editor);
    this.list = createList(this.editor);
    const enlarged = { isOpen: () => this.enlarged.isOpen, toggle: () => this.enlarge(!this.enlarged.isOpen) };
    const toolbar = createToolbar(this.editor, enlarged);
    const keys = createKeys(this.editor);
    const message = createMessage(this.editor);
    const numbers = createNumbers(this.editor);
    const background = createBackgroundControls(this.editor);
    this.views = [toolbar, keys, message, this.stage, this.list, numbers, background];
    this.status = el("div", "cxb-status", { role: "status", "aria-live": "polite" });
    this.root = el(
      "div", "cxb-root cx-skin", {},
      toolbar.root,
      el("div", "cxb-body", {}, this.stage.root, el("div", "cxb-side", {}, message.root, this.list.root, numbers.root), keys.root),
      el("div", "cxb-footer", {}, this.status, background.root),
    );
    this.root.style.minHeight = `${LEAST_HEIGHT}px`;
    this.enlarged = new EnlargedView(this.root, () => this.draw());
    this.settleTimer = 0;
    /** @type {string | null} */
    this.focusToRestore = null;
    this.lastShown = "";

    this.editor.listeners.add(() => this.draw());
    connectClipboard(this.root, this.editor);
    connectKeys({
      root: this.root, surface: this.stage.surface, editor: this.editor,
      flush: () => this.flush(), beforeUndo: () => this.rememberFocus(),
      enlarged,
      step: (way) => stepGraph(way) || (way === "undo" ? this.editor.undo() : this.editor.redo()),
    });
    handOnPanAndZoom(this.root);
    this.root.addEventListener("pointerenter", () => this.refresh());
    this.stage.image.addEventListener("load", () => this.pictureLoaded());
    this.draw();
  }

  /** @param {boolean} open */
  enlarge(open) {
    if (open) this.enlarged.open();
    else this.enlarged.close();
    mount(this.node, this.root);
    this.draw();
  }

  /** The frontend puts a new node's element in its place some frames later, which would take it out of the dialog. */
  enlargeOnceMounted(tries = 120) {
    if (this.root.isConnected) this.enlarge(true);
    else if (tries > 0) requestAnimationFrame(() => this.enlargeOnceMounted(tries - 1));
  }

  // ---- to the graph

  changed() {
    const widget = this.node.widgets?.find((/** @type {any} */ each) => each.name === this.inputName);
    widget?.callback?.(this.editor.value);
    this.node.graph?.setDirtyCanvas?.(true, true);
    clearTimeout(this.settleTimer);
    this.settleTimer = window.setTimeout(() => this.flush(), SETTLE_AFTER_MS);
  }

  /** A step of the editor is finished: it becomes a step of the graph's undo. */
  flush() {
    clearTimeout(this.settleTimer);
    this.editor.history.seal();
    if (isInGraph(this.node)) captureForUndo();
  }

  /** @param {string} key @param {unknown} value */
  keep(key, value) {
    if (value === null) delete this.node.properties[key];
    else this.node.properties[key] = value;
  }

  // ---- from the graph

  /** The node got its place, its properties and its saved values. */
  settleIn() {
    const kept = this.node.properties?.[SETTINGS];
    if (kept && typeof kept === "object") this.editor.settings = readSettings(kept);
    const broken = this.node.properties?.[BROKEN];
    if (typeof broken === "string") this.editor.remember(broken);
    this.refresh();
    if (!isInGraph(this.node)) return;
    const before = sessions.get(nodeKey(this.node));
    sessions.delete(nodeKey(this.node)); // so that the oldest comes first
    sessions.set(nodeKey(this.node), this);
    for (const [key, { node }] of sessions) if (sessions.size > MOST_SESSIONS && !isInGraph(node)) sessions.delete(key);
    mount(this.node, this.root);
    if (before && before !== this) this.replace(before);
  }

  /** Take over from the editor of the same node before undo or redo. @param {Session} before */
  replace(before) {
    if (isSameNode(before.node, this.node) && before.editor.history.knows(this.editor.value)) {
      before.editor.history.follow(this.editor.value);
      this.editor.history = before.editor.history;
      this.editor.select(before.editor.selection);
      this.editor.tool = before.editor.tool;
    }
    this.background.resultUrl = before.background.resultUrl;
    this.background.inputUrl = before.background.inputUrl;
    this.background.inputSource = before.background.inputSource;
    this.background.lastSize = before.background.lastSize;
    if (before.enlarged.isOpen) {
      before.enlarge(false);
      this.enlargeOnceMounted();
    }
    if (before.focusToRestore) this.restoreFocus(before.focusToRestore);
    before.focusToRestore = null;
    this.refresh();
  }

  rememberFocus() {
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    this.focusToRestore = focused && this.root.contains(focused) ? (focused.dataset.focus ?? "stage") : null;
    window.setTimeout(() => (this.focusToRestore = null), 1500);
  }

  /** @param {string} name */
  restoreFocus(name, tries = 60) {
    const target = this.root.querySelector(`[data-focus="${CSS.escape(name)}"]`) ?? this.stage.surface;
    if (this.root.isConnected && target instanceof HTMLElement && target.offsetParent) target.focus({ preventScroll: true });
    else if (tries > 0) requestAnimationFrame(() => this.restoreFocus(name, tries - 1));
  }

  pictureLoaded() {
    const { image } = this.stage;
    this.background.measured(image.dataset.url ?? "", { width: image.naturalWidth, height: image.naturalHeight });
    this.refresh();
  }

  /** Look again at size, background and links. */
  refresh() {
    const { editor, background } = this;
    editor.linked = isLinked(this.node, this.inputName);
    this.stage.setImage(background.url(editor.settings.background));
    const { width, height } = background.size;
    if (width !== editor.size.width || height !== editor.size.height) editor.size = { width, height };
    this.draw();
  }

  draw() {
    const { editor } = this;
    for (const view of this.views) view.update();
    this.stage.setImage(this.background.url(editor.settings.background));
    if (this.status.textContent !== editor.status) this.status.textContent = editor.status;
    const [first] = editor.selection;
    if (first && first !== this.lastShown && !this.root.contains(document.activeElement?.closest(".cxb-row") ?? null)) this.list.reveal(first);
    this.lastShown = first ?? "";
  }
}

/** @param {Record<string, unknown>} kept @returns {import("./editor.js").Settings} */
function readSettings(kept) {
  const settings = { ...DEFAULT_SETTINGS };
  if (kept.grid === 8 || kept.grid === 16) settings.grid = kept.grid;
  if (typeof kept.snap === "boolean") settings.snap = kept.snap;
  if (kept.unit === "%" || kept.unit === "px") settings.unit = kept.unit;
  if (typeof kept.brightness === "number") settings.brightness = Math.min(Math.max(kept.brightness, 0), 1);
  if (kept.background === "input" || kept.background === "result" || kept.background === "none") settings.background = kept.background;
  return settings;
}

/** @param {GraphNode} node @param {string} inputName @param {any} inputData */
export function createBoxWidget(node, inputName, inputData) {
  const session = new Session(node, inputName);
  const widget = node.addDOMWidget(inputName, WIDGET_TYPE, session.root, {
    getValue: () => session.editor.value,
    setValue: (/** @type {unknown} */ value) => session.editor.load(value),
    getMinHeight: () => LEAST_HEIGHT + 20,
    hideOnZoom: false,
    socketless: inputData?.[1]?.socketless,
  });
  const later = () => requestAnimationFrame(() => session.settleIn());
  chain(node, "onConfigure", () => session.settleIn());
  chain(node, "onAdded", later);
  chain(node, "onConnectionsChange", () => requestAnimationFrame(() => session.refresh()));
  chain(node, "onExecuted", (output) => {
    session.background.ran(output ?? {});
    session.refresh();
    const [warning] = output?.box_editor_warnings ?? [];
    if (warning) session.editor.say(String(warning));
  });
  chain(node, "onRemoved", () => clearTimeout(session.settleTimer));
  keepFullWidth(widget);
  requestAnimationFrame(() => {
    for (const name of ["width", "height"]) {
      const side = node.widgets?.find((/** @type {any} */ each) => each.name === name);
      if (side) chain(side, "callback", () => session.refresh());
    }
  });
  return { widget, minWidth: 380, minHeight: 560 };
}

/** The frontend's panel of parameters writes its own width to the widgets it shows; the editor fills its node. @param {any} widget */
function keepFullWidth(widget) {
  Object.defineProperty(widget, "width", { get: () => undefined, set: () => {}, configurable: true, enumerable: true });
}

/** Follow what happens in the graph around the editors. */
export function followGraph() {
  const live = () => [...sessions.values()].filter((session) => isInGraph(session.node));
  api.addEventListener("graphChanged", () => {
    for (const session of live()) {
      session.editor.history.seal(); // so that every step of the graph is one of the editor, which can follow it there
      session.refresh();
    }
  });
  app.canvas.canvas.addEventListener("litegraph:set-graph", () => {
    requestAnimationFrame(() => live().forEach((session) => mount(session.node, session.root)));
  });
  api.addEventListener("execution_start", () => live().forEach((session) => session.editor.trouble && session.editor.warn("")));
  api.addEventListener("execution_error", (/** @type {any} */ event) => {
    const { node_id: id, exception_message: message } = event.detail ?? {};
    for (const session of live()) if (isNamed(session.node, String(id ?? ""))) session.editor.warn(String(message ?? "").trim());
  });
  api.addEventListener("executed", (/** @type {any} */ event) => {
    const { node, display_node: displayNode, output } = event.detail ?? {};
    const id = String(displayNode ?? node ?? "");
    for (const session of live()) if (session.background.shown(id, output?.images)) session.refresh();
  });
}
