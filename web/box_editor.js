// Registers the box editor: any input of type CLIP_EXPLAINABILITY_BOXES gets it.

import { app } from "./common/graph.js";
import { listen } from "./common/keys.js";
import { speak } from "./box_editor/strings.js";
import { WIDGET_TYPE, createBoxWidget, followGraph } from "./box_editor/widget.js";

const style = document.createElement("link");
style.rel = "stylesheet";
style.href = new URL("./box_editor/box_editor.css", import.meta.url).href;
document.head.append(style);

listen();

app.registerExtension({
  name: "CLIPExplainability.BoxEditor",
  getCustomWidgets() {
    return { [WIDGET_TYPE]: createBoxWidget };
  },
  init() {
    speak(String(/** @type {any} */ (app).extensionManager?.setting?.get("Comfy.Locale") ?? ""));
  },
  setup: followGraph,
});
