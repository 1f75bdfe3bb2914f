// The DOM widget: one viewer per node, kept alive through undo, redo and both renderers.

import { el } from "../common/dom.js";
import { api, app, captureForUndo, chain, handOnPanAndZoom, imageUrl, isInGraph, isLinked, isSameNode, language, mount, nodeKey, noteQuietly, showsStill } from "../common/graph.js";
import { ownKeys } from "../common/keys.js";
import { createControls } from "./controls.js";
import { FilesGone, LensData } from "./data.js";
import { Lens } from "./model.js";
import { saveHeat, saveView } from "./save.js";
import { createStage } from "./stage.js";
import { createSteps, createStrip } from "./strip.js";
import { speak, text } from "./strings.js";
import { createRanking, createWords } from "./words.js";

/** @typedef {import("../common/graph.js").GraphNode} GraphNode */

export const NODES = new Set(["CLIPRelevancyMap", "CompareMethods", "PromptEnsembleClassifier", "GuidanceReport"]);
const KEY = "clip_lens"; // in the node's output: the file that leads to the rest; in node.properties: the last one's name
const LEAST_HEIGHT = 400;
const WAITING_HEIGHT = 28;
const LEAST_WIDTH = 340;
const MOST_SESSIONS = 64; // of nodes that are gone, kept for the undo that brings them back
const STEP = 0.02; // of the picture, for arrow keys
const ZOOM = 1.25;

/** Live viewers by node. @type {Map<string, Session>} */
const sessions = new Map();

class Session {
  /** @param {GraphNode} node */
  constructor(node) {
    this.node = node;
    this.lens = new Lens();
    this.full = false;
    /** @type {string | null} */
    this.file = null;
    this.message = text().waiting;
    this.stage = createStage(this.lens, () => this.full);
    const controls = createControls(this.lens, {
      threshold: () => this.threshold()?.value ?? null,
      use: (value) => this.use(value),
      full: () => this.toggleFull(),
      isFull: () => this.full,
      saveView: () => void saveView(this.lens, this.stage.panes().map((pane) => pane.picture)),
      saveHeat: () => void saveHeat(this.lens),
    });
    const words = createWords(this.lens);
    const strip = createStrip(this.lens);
    const steps = createSteps(this.lens);
    const ranking = createRanking(this.lens);
    this.views = [controls, this.stage, steps, strip, ranking, words];
    this.where = el("span", "cxl-where");
    this.status = el("span", "cxl-status", { role: "status", "aria-live": "polite" });
    this.footer = el("div", "cxl-footer", {}, this.status, this.where);
    this.root = el("div", "cxl-root cx-skin", { role: "group", "aria-label": text().viewer }, controls.root, this.stage.root, steps.root, strip.root, this.footer, ranking.root, words.root);
    this.pending = 0;
    this.lens.listeners.add(() => this.later());
    ownKeys(this.root, (event) => this.press(event));
    handOnPanAndZoom(this.root);
    this.draw();
  }

  /** Draw once a frame, however much has changed. */
  later() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    const { lens } = this;
    const { data, point } = lens;
    if (data && !data.isOpen(lens.image)) {
      data.open(lens.image).then(() => this.lens.data === data && this.later(), () => this.gone());
    }
    this.root.classList.toggle("cxl-waiting", !data);
    this.root.dataset.kind = data?.run.kind ?? "";
    for (const view of this.views) view.update();
    const said = lens.status || data?.run.warnings?.[0] || (data ? (data.run.sheets.length ? text().hint : "") : this.message);
    if (this.status.textContent !== said) this.status.textContent = said;
    const [width, height] = data?.run.size ?? [0, 0];
    this.where.textContent = point && data ? text().at(Math.min(Math.floor(point.x * width), width - 1), Math.min(Math.floor(point.y * height), height - 1)) : "";
  }

  // ---- a run and its files

  /** @param {string} file @param {boolean} [ran] just now, not in a workflow opened again */
  async load(file, ran = true) {
    this.file = file;
    this.say(text().loading);
    try {
      const data = await LensData.load(file, (name) => imageUrl({ filename: name, subfolder: KEY, type: "temp" }));
      await data.open(Math.min(this.lens.image, data.count - 1));
      if (this.file !== file) return; // a newer run was faster
      const first = !this.lens.data;
      this.lens.status = "";
      this.lens.show(data);
      showsStill(this.node, false);
      if (first) this.grow(ran);
    } catch (error) {
      if (!(error instanceof FilesGone)) throw error;
      if (this.file === file) this.gone();
    }
  }

  gone() {
    this.lens.data = null;
    this.lens.items = [];
    this.lens.byId = new Map();
    this.say(text().gone);
  }

  /** @param {string} message */
  say(message) {
    this.message = message;
    this.lens.status = "";
    this.later();
  }

  /** The viewer needs more room than its message did. @param {boolean} ran */
  grow(ran) {
    const { node } = this;
    const [width, height] = node.size;
    const least = node.computeSize();
    if (ran || height < least[1]) node.setSize([Math.max(width, LEAST_WIDTH), Math.max(height, least[1])]);
    node.graph?.setDirtyCanvas?.(true, true);
  }

  /** @param {any} output of the node */
  ran(output) {
    const [entry] = output?.[KEY] ?? [];
    if (typeof entry?.filename !== "string") return;
    noteQuietly(this.node, KEY, entry.filename);
    void this.load(entry.filename);
  }

  // ---- from the graph

  settleIn() {
    if (!isInGraph(this.node)) return;
    const before = sessions.get(nodeKey(this.node));
    sessions.delete(nodeKey(this.node)); // so that the oldest comes first
    sessions.set(nodeKey(this.node), this);
    for (const [key, { node }] of sessions) if (sessions.size > MOST_SESSIONS && !isInGraph(node)) sessions.delete(key);
    mount(this.node, this.root);
    if (before && before !== this && before.lens.data && isSameNode(before.node, this.node)) this.takeOver(before);
    const kept = this.node.properties?.[KEY];
    if (!this.lens.data && this.file === null && typeof kept === "string") void this.load(kept, false);
  }

  /** Go on as the viewer of the same node before undo or redo. @param {Session} before */
  takeOver(before) {
    this.file = before.file;
    before.lens.listeners.clear();
    for (const key of /** @type {const} */ (["data", "image", "items", "byId", "pinned", "look", "wipe", "view", "point", "ranked"]))
      /** @type {any} */ (this.lens)[key] = before.lens[key];
    showsStill(this.node, false);
    this.draw();
  }

  threshold() {
    const widget = this.node.widgets?.find((/** @type {any} */ each) => each.name === "threshold");
    return this.lens.data?.run.kind === "prompts" && widget && !isLinked(this.node, "threshold") ? widget : null;
  }

  /** @param {number} value */
  use(value) {
    const widget = this.threshold();
    if (!widget) return;
    widget.value = value;
    widget.callback?.(value);
    this.node.graph?.setDirtyCanvas?.(true, true);
    captureForUndo();
  }

  // ---- the full view: over everything, in the browser's top layer

  toggleFull() {
    if (typeof this.root.showPopover !== "function") return;
    this.full = !this.full;
    this.root.classList.toggle("cxl-full", this.full);
    if (this.full) {
      this.root.popover = "manual";
      this.root.showPopover();
      this.stage.surface.focus({ preventScroll: true });
    } else {
      this.root.hidePopover();
      this.root.popover = null;
    }
    this.draw();
  }

  // ---- keys

  /** @param {KeyboardEvent} event @returns {import("../common/keys.js").Outcome} */
  press(event) {
    const { lens } = this;
    if (event.ctrlKey || event.metaKey || event.altKey) return "pass";
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape") {
      if (this.full && !lens.ranked) this.toggleFull();
      else lens.escape();
      return "done";
    }
    const typed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const anywhere = /** @type {Record<string, (() => void) | undefined>} */ ({
      "+": () => lens.zoom(ZOOM),
      "=": () => lens.zoom(ZOOM),
      "-": () => lens.zoom(1 / ZOOM),
      "0": () => lens.fit(),
      f: () => this.toggleFull(),
      "[": () => lens.goTo(lens.image - 1),
      "]": () => lens.goTo(lens.image + 1),
    })[typed];
    if (anywhere && target.tagName !== "SELECT") {
      anywhere();
      return "done";
    }
    const arrow = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[event.key];
    if (target === this.stage.surface) {
      const step = STEP * (event.shiftKey ? 5 : 1);
      const at = lens.point ?? { x: 0.5, y: 0.5 };
      if (arrow) this.pointBy({ x: at.x + arrow[0] * step, y: at.y + arrow[1] * step });
      else if (event.key === "Enter") {
        if (!lens.point) lens.pointAt(at);
        lens.rank();
      } else return "keep";
      return "done";
    }
    if (arrow && target.classList.contains("cxl-chip")) return this.nextChip(target, arrow);
    return "keep"; // Delete, letters and arrows are not the graph's while something here has the focus
  }

  /** Move the pointer by key, and say what is there. @param {{x: number, y: number}} point */
  pointBy(point) {
    const { lens } = this;
    lens.pointAt(point);
    const values = lens.shown.map((item) => `${item.label} ${(lens.value(item) ?? 0).toFixed(2)}`);
    lens.say(values.join(" · "));
  }

  /** @param {HTMLElement} chip @param {[number, number]} arrow @returns {import("../common/keys.js").Outcome} */
  nextChip(chip, [right, down]) {
    const chips = [...this.root.querySelectorAll(".cxl-chip")];
    const rows = [...this.root.querySelectorAll(".cxl-row")];
    const row = rows[rows.findIndex((each) => each.contains(chip)) + down];
    const next = down ? row?.querySelector(".cxl-chip") : chips[chips.indexOf(chip) + right];
    if (next instanceof HTMLElement) next.focus();
    return "done";
  }
}

/** @param {GraphNode} node */
export function addLens(node) {
  speak(language());
  const session = new Session(node);
  const widget = node.addDOMWidget(KEY, "CLIP_LENS", session.root, {
    serialize: false, // nothing of it is an input
    hideOnZoom: false,
    getValue: () => "",
    setValue: () => {},
    getMinHeight: () => (session.lens.data ? LEAST_HEIGHT : WAITING_HEIGHT),
  });
  widget.serialize = false; // nor a saved value
  const later = () => requestAnimationFrame(() => session.settleIn());
  chain(node, "onConfigure", later);
  chain(node, "onAdded", later);
  chain(node, "onExecuted", (output) => session.ran(output));
}

/** Follow what happens in the graph around the viewers. */
export function followGraph() {
  const live = () => [...sessions.values()].filter((session) => isInGraph(session.node));
  app.canvas.canvas.addEventListener("litegraph:set-graph", () => {
    requestAnimationFrame(() => live().forEach((session) => mount(session.node, session.root)));
  });
  api.addEventListener("graphChanged", () => live().forEach((session) => session.later()));
}
