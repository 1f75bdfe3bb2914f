// Gives the pack's nodes a colour of their own when they are made, so that they stand out in a large graph.
// Only then: a colour that the user chose, or took away, is kept in the workflow and never touched.

import { app } from "../../scripts/app.js";

const CATEGORY = "CLIP Explainability";
const SETTING = "CLIPExplainability.ColourNodes";
const COLOURS = { color: "#353b70", bgcolor: "#25294a" };

/** Absent from frontends of 2024, which know no settings of this kind. */
const isOn = () => /** @type {any} */ (app).extensionManager?.setting?.get(SETTING) ?? true;

/** @param {any} node a LiteGraph node */
function colour(node) {
  if (node.color === undefined && node.bgcolor === undefined && isOn()) Object.assign(node, COLOURS);
}

/** A saved node, pasted or loaded, is as its user left it: without a colour, too. @param {any} node @param {any} saved */
function keepSaved(node, saved) {
  if (saved.color === undefined && node.color === COLOURS.color) node.color = undefined;
  if (saved.bgcolor === undefined && node.bgcolor === COLOURS.bgcolor) node.bgcolor = undefined;
}

app.registerExtension({
  name: "CLIPExplainability.PackColour",
  settings: /** @type {any} */ ([
    {
      id: SETTING,
      name: "Colour new nodes",
      category: [CATEGORY, "Node", "Colour new nodes"],
      tooltip: "Gives nodes of this pack a colour of their own when they are added.",
      type: "boolean",
      defaultValue: true,
    },
  ]),
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.category?.split("/")[0] !== CATEGORY) return;
    const prototype = /** @type {any} */ (nodeType.prototype);
    const { onNodeCreated, onConfigure } = prototype;
    prototype.onNodeCreated = function (/** @type {any[]} */ ...given) {
      const result = onNodeCreated?.apply(this, given);
      colour(this);
      return result;
    };
    prototype.onConfigure = function (/** @type {any} */ saved, /** @type {any[]} */ ...more) {
      keepSaved(this, saved);
      return onConfigure?.call(this, saved, ...more);
    };
  },
});
