// The only module that touches ComfyUI: links, undo snapshots, pictures, both renderers, the language.

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

/** Undo or redo as Ctrl+Z does. @param {"undo" | "redo"} way @returns {boolean} whether this frontend offers it */
export function stepGraph(way) {
  const tracker = /** @type {any} */ (app).extensionManager?.workflow?.activeWorkflow?.changeTracker;
  if (!tracker?.[way]) return false;
  tracker[way]();
  return true;
}

/** @param {GraphNode} node */
export const isInGraph = (node) => Boolean(node.graph) && node.graph.getNodeById(node.id) === node;

/** Is it in the graph, or subgraph, that the page shows? @param {GraphNode} node */
export const isShown = (node) => isInGraph(node) && /** @type {any} */ (app.canvas).graph === node.graph;

/** Tells a node from all others, across undo and redo (which make the node anew). @param {GraphNode} node */
export const nodeKey = (node) => `${node.graph?.id ?? ""}:${node.id}`;

/** Two nodes of one key: is the second the first, made anew? Workflows without an id of their own may share keys. @param {GraphNode} before @param {GraphNode} after */
export function isSameNode(before, after) {
  if (/[1-9a-f]/.test(String(after.graph?.id ?? ""))) return true;
  return before.pos[0] === after.pos[0] && before.pos[1] === after.pos[1];
}

/** The slot of an input, or of the input made from a widget. @param {GraphNode} node @param {string} name @returns {number} */
const slotOf = (node, name) => (node.inputs ?? []).findIndex((/** @type {any} */ input) => (input.widget?.name ?? input.name) === name);

/** @param {GraphNode} node @param {string} name @returns {boolean} */
export function isLinked(node, name) {
  const slot = slotOf(node, name);
  return slot >= 0 && isInGraph(node) && node.isInputConnected(slot);
}

// Inside a subgraph, links to its edges name these in the place of a node.
const SUBGRAPH_INPUT = -10;
const SUBGRAPH_OUTPUT = -20;
/** Ids are numbers in some frontends, texts in others. @param {unknown} id @param {number} edge */
const isEdge = (id, edge) => Number(id) === edge;
const FARTHEST = 200; // steps along links, should they ever run in a circle

/** @param {any} graph @param {unknown} id */
const linkOf = (graph, id) => (id === null || id === undefined ? undefined : (graph.getLink?.(id) ?? graph.links?.get?.(id) ?? graph.links?.[/** @type {any} */ (id)]));

/** @param {any} graph @param {unknown} id of the node, or edge, they come from @param {number} slot @returns {any[]} */
const linksFrom = (graph, id, slot) =>
  [...(graph.links?.values?.() ?? Object.values(graph.links ?? {}))].filter((link) => link && String(link.origin_id) === String(id) && link.origin_slot === slot);

/** Every node that stands for this subgraph. @param {any} subgraph @returns {GraphNode[]} */
function instancesOf(subgraph) {
  const found = [];
  const graphs = new Set([subgraph.rootGraph ?? /** @type {any} */ (app).graph]);
  for (const graph of graphs) {
    for (const node of graph?.nodes ?? []) {
      if (!node.subgraph) continue;
      if (node.subgraph === subgraph) found.push(node);
      graphs.add(node.subgraph); // a set also walks what is added on the way
    }
  }
  return found;
}

/**
 * What feeds an input: seen through reroutes, out through the inputs of subgraphs and in through their outputs.
 * @param {GraphNode} node @param {string} name
 * @returns {{origin?: GraphNode, widget?: unknown}} the node; or the value set on a subgraph's own input
 */
function feedOf(node, name) {
  let slot = slotOf(node, name);
  let here = node;
  for (let steps = 0; slot >= 0 && isInGraph(here) && steps < FARTHEST; steps += 1) {
    let graph = here.graph;
    let link = linkOf(graph, here.inputs?.[slot]?.link);
    if (!link) return here === node ? {} : { widget: widgetValue(here, here.inputs?.[slot]?.widget?.name ?? here.inputs?.[slot]?.name) };
    let origin = graph.getNodeById(link.origin_id);
    while (origin?.subgraph && steps++ < FARTHEST) {
      const inner = linkOf(origin.subgraph, origin.subgraph.outputs?.[link.origin_slot]?.linkIds?.[0]);
      if (!inner || isEdge(inner.origin_id, SUBGRAPH_INPUT)) {
        link = inner && { origin_id: SUBGRAPH_INPUT, origin_slot: inner.origin_slot };
        break; // straight through, or nothing there
      }
      graph = origin.subgraph;
      link = inner;
      origin = graph.getNodeById(link.origin_id);
    }
    if (!link) return {};
    if (isEdge(link.origin_id, SUBGRAPH_INPUT)) {
      const outer = origin?.subgraph ? origin : instancesOf(graph)[0];
      if (!outer) return {};
      here = outer;
      slot = link.origin_slot;
    } else if (origin?.type === "Reroute") {
      here = origin;
      slot = 0;
    } else return { origin: origin ?? undefined };
  }
  return {};
}

/** The node that feeds an input. @param {GraphNode} node @param {string} name @returns {GraphNode | undefined} */
export const upstream = (node, name) => feedOf(node, name).origin;

/**
 * The value that an input or its widget will have, as far as it is known before a run.
 * @param {GraphNode | undefined} node @param {string} name @returns {unknown}
 */
export function valueOf(node, name, steps = 0) {
  if (!node || !isLinked(node, name) || steps > 20) return widgetValue(node, name);
  const { origin, widget } = feedOf(node, name);
  return origin ? valueOf(origin, "value", steps + 1) : widget;
}

/** Where an output's links lead, past the edges of subgraphs. @param {GraphNode} node @param {number} slot @returns {[GraphNode, number][]} */
function targetsOf(node, slot) {
  const open = [linksFrom(node.graph, node.id, slot)];
  const graphs = [node.graph];
  /** @type {[GraphNode, number][]} */
  const found = [];
  for (let steps = 0; open.length && steps < FARTHEST; steps += 1) {
    const graph = graphs.pop();
    for (const link of open.pop() ?? []) {
      const target = graph.getNodeById(link.target_id);
      /** @param {any} next @param {unknown} id */
      const goOn = (next, id) => {
        graphs.push(next);
        open.push(linksFrom(next, id, link.target_slot));
      };
      if (isEdge(link.target_id, SUBGRAPH_OUTPUT)) for (const outer of instancesOf(graph)) goOn(outer.graph, outer.id);
      else if (target?.subgraph) goOn(target.subgraph, SUBGRAPH_INPUT);
      else if (target) found.push([target, link.target_slot]);
    }
  }
  return found;
}

/** Is this how the host names the node: "7", inside a subgraph "3:7"? @param {GraphNode} node @param {string} id */
export function isNamed(node, id) {
  const root = node.graph?.rootGraph ?? node.graph;
  return node.graph === root ? String(node.id) === id : id.endsWith(`:${node.id}`);
}

/** @param {GraphNode} node @param {string} id as the host names nodes: "7", in a subgraph "3:7" */
export function isDownstream(node, id) {
  const seen = new Set([node]);
  for (const next of seen) {
    if (!isInGraph(next)) continue;
    for (let slot = 0; slot < (next.outputs?.length ?? 0); slot += 1) {
      for (const [target] of targetsOf(next, slot)) {
        if (isNamed(target, id)) return true;
        seen.add(target); // a set also walks what is added on the way
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
    if (inVueMode() || scrolls(event) || isAway(root)) return;
    event.preventDefault();
    /** @type {any} */ (app.canvas).processMouseWheel(event);
  }, { passive: false });
  const handOn = (/** @type {string} */ method) => (/** @type {PointerEvent} */ event) => {
    if (inVueMode() || isAway(root) || !(event.button === 1 || event.buttons & 4)) return;
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

/** True while the editor stands enlarged before the graph. @param {HTMLElement} root */
const isAway = (root) => root.closest("dialog") !== null;

/** True where the wheel turns a list that has something to scroll. @param {WheelEvent} event */
function scrolls(event) {
  const panel = event.target instanceof Element ? event.target.closest("[data-scrolls]") : null;
  return panel !== null && panel.scrollHeight > panel.clientHeight && !event.ctrlKey;
}

/** Call `after` whenever the node's own `method` has run. @param {GraphNode} node @param {string} method @param {(...args: any[]) => void} after */
export function chain(node, method, after) {
  const own = node[method];
  node[method] = function (/** @type {any[]} */ ...args) {
    const result = own?.apply(this, args);
    after(...args);
    return result;
  };
}

/**
 * Nodes 2.0 mounts a widget's element once for each node id. A node made anew by undo, or another node of that id
 * in a subgraph, gets no place of its own: it takes that of the element (of the same class) left there.
 * @param {GraphNode} node @param {HTMLElement} root
 */
export function mount(node, root, tries = 30) {
  if (!inVueMode() || root.isConnected || !isShown(node)) return;
  const left = document.querySelector(`[data-node-id="${CSS.escape(String(node.id))}"] .${root.classList[0]}`);
  if (left) left.replaceWith(root);
  else if (tries > 0) requestAnimationFrame(() => mount(node, root, tries - 1));
}

/** The language that the page is in: "en", "zh", "ja" ... */
export function language() {
  const chosen = /** @type {any} */ (app).extensionManager?.setting?.get("Comfy.Locale") ?? navigator.language;
  return String(chosen ?? "en").split("-")[0];
}

/** Note something in a node's properties without making it a step of the graph's undo. @param {GraphNode} node @param {string} key @param {unknown} value */
export function noteQuietly(node, key, value) {
  node.properties ??= {};
  node.properties[key] = value;
  const state = /** @type {any} */ (app).extensionManager?.workflow?.activeWorkflow?.changeTracker?.activeState;
  const graphs = [state, ...(state?.definitions?.subgraphs ?? [])];
  const saved = graphs.find((graph) => graph?.id === node.graph?.id)?.nodes?.find((/** @type {any} */ each) => String(each.id) === String(node.id));
  if (saved) saved.properties = { ...saved.properties, [key]: value };
}

/** Whether the host draws the node's output pictures itself. @param {GraphNode} node @param {boolean} shows */
export function showsStill(node, shows) {
  node.hideOutputImages = !shows; // Nodes 2.0
  if (shows) delete node.onDrawBackground; // the canvas: back to the prototype's
  else node.onDrawBackground = () => {};
}
