// The only module that touches ComfyUI: links, undo snapshots, pictures, both renderers.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

/** @typedef {any} GraphNode a LiteGraph node; its type differs too much between frontends to pin down */
/** @typedef {{filename: string, subfolder?: string, type?: string}} SavedImage */

export { api, app };

/** True while Nodes 2.0 draws the nodes. */
export const inVueMode = () => Boolean(/** @type {any} */ (window).LiteGraph?.vueNodesMode);

/** Have the graph's undo take its snapshot now; frontends of different years offer different doors. */
export function captureForUndo() {
  const workflow = /** @type {any} */ (app).extensionManager?.workflow?.activeWorkflow;
  const tracker = workflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else if (tracker?.checkState) tracker.checkState();
  else if (!(/** @type {any} */ (app).extensionManager)) window.dispatchEvent(new MouseEvent("mouseup"));
}

/** @param {GraphNode} node */
export const isInGraph = (node) => Boolean(node.graph) && node.graph.getNodeById(node.id) === node;

/** Tells a node from all others, across undo and redo (which make the node anew). @param {GraphNode} node */
export const nodeKey = (node) => `${node.graph?.id ?? ""}:${node.id}`;

/** @param {GraphNode} node @param {string} name @returns {boolean} */
export const isLinked = (node, name) =>
  Boolean(node.inputs?.some((/** @type {any} */ input) => (input.widget?.name ?? input.name) === name && input.link != null));

/** @param {any} graph @param {any} id */
const linkById = (graph, id) => graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id];

/** The node that feeds an input, seen through reroutes. @param {GraphNode} node @param {string} name @returns {GraphNode | undefined} */
export function upstream(node, name) {
  let input = node.inputs?.find((/** @type {any} */ each) => each.name === name);
  for (let steps = 0; input?.link != null && steps < 100; steps += 1) {
    const link = linkById(node.graph, input.link);
    const origin = link && node.graph.getNodeById(link.origin_id);
    if (origin?.type !== "Reroute") return origin ?? undefined;
    input = origin.inputs?.[0];
  }
  return undefined;
}

/** @param {GraphNode} node @param {string} id */
export function isDownstream(node, id) {
  const seen = new Set();
  const queue = [node];
  for (let next = queue.pop(); next; next = queue.pop()) {
    for (const output of next.outputs ?? []) {
      for (const linkId of output.links ?? []) {
        const link = linkById(node.graph, linkId);
        const target = link && node.graph.getNodeById(link.target_id);
        if (!target || seen.has(target)) continue;
        if (String(target.id) === id) return true;
        seen.add(target);
        queue.push(target);
      }
    }
  }
  return false;
}

/** @param {GraphNode | undefined} node @param {string} name @returns {unknown} */
export const widgetValue = (node, name) => node?.widgets?.find((/** @type {any} */ widget) => widget.name === name)?.value;

/** @param {SavedImage} image */
export function imageUrl({ filename, subfolder = "", type = "input" }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

/** The picture that a Load Image node will load: "folder/name.png [output]". @param {unknown} value @returns {SavedImage | null} */
export function parseImageName(value) {
  if (typeof value !== "string" || !value) return null;
  const marked = /^(.*?)(?: \[(input|output|temp)\])?$/s.exec(value);
  const path = marked?.[1] ?? value;
  const cut = path.replaceAll("\\", "/").lastIndexOf("/");
  return { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(cut, 0)), type: marked?.[2] ?? "input" };
}

/**
 * In the canvas renderer a DOM widget lies over the graph: hand the wheel and the middle button on to it.
 * @param {HTMLElement} root
 */
export function handOnPanAndZoom(root) {
  root.addEventListener("wheel", (event) => {
    if (inVueMode() || scrolls(event)) return;
    event.preventDefault();
    /** @type {any} */ (app.canvas).processMouseWheel(event);
  }, { passive: false });
  const handOn = (/** @type {string} */ method) => (/** @type {PointerEvent} */ event) => {
    if (inVueMode() || !(event.button === 1 || event.buttons & 4)) return;
    event.preventDefault();
    /** @type {any} */ (app.canvas)[method](event);
  };
  root.addEventListener("pointerdown", handOn("processMouseDown"));
  root.addEventListener("pointermove", handOn("processMouseMove"));
  root.addEventListener("pointerup", handOn("processMouseUp"));
  root.addEventListener("auxclick", (event) => {
    if (event.button === 1) event.preventDefault(); // on Linux it would paste
  });
}

/** True where the wheel turns a list that has something to scroll. @param {WheelEvent} event */
function scrolls(event) {
  const panel = event.target instanceof Element ? event.target.closest(".cxb-panel") : null;
  return panel !== null && panel.scrollHeight > panel.clientHeight && !event.ctrlKey;
}
