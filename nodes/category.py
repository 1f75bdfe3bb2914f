"""Where the pack's nodes stand in ComfyUI's menu."""

CATEGORY = "CLIP Explainability"
MAPS = f"{CATEGORY}/Maps"
BOXES = f"{CATEGORY}/Boxes"
GUIDANCE = f"{CATEGORY}/Guidance"
CLASSIFICATION = f"{CATEGORY}/Classification"
