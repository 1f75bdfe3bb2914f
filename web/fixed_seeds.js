// Seeds of the pack's own nodes start as "fixed": with "randomize", which ComfyUI sets, every run would do all the work
// anew and show something else. What a workflow has saved is restored after this.

import { app } from "../../scripts/app.js";

app.registerExtension({
  name: "CLIPExplainability.FixedSeeds",
  nodeCreated(/** @type {any} */ node) {
    if (node.constructor?.nodeData?.category?.split("/")[0] !== "CLIP Explainability") return;
    const seed = node.widgets?.find((/** @type {any} */ widget) => widget.name === "seed");
    const control = seed?.linkedWidgets?.[0];
    if (control) control.value = "fixed";
  },
});
