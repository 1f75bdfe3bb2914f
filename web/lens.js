// Registers the viewer on the nodes that show maps. Frontends of 2024 keep the static preview.

import { app } from "./common/graph.js";
import { listen } from "./common/keys.js";
import { NODES, addLens, followGraph } from "./lens/widget.js";
import { catchWheel } from "./lens/stage.js";

const style = document.createElement("link");
style.rel = "stylesheet";
style.href = new URL("./lens/lens.css", import.meta.url).href;
document.head.append(style);

listen();
catchWheel();

const known = () => Boolean(/** @type {any} */ (app).extensionManager);

app.registerExtension({
  name: "CLIPExplainability.Lens",
  nodeCreated(node) {
    if (known() && NODES.has(/** @type {any} */ (node).comfyClass)) addLens(node);
  },
  setup() {
    if (known()) followGraph();
  },
});
