"""Where the pack's nodes stand in ComfyUI's menu."""

CATEGORY = "CLIP Explainability"
