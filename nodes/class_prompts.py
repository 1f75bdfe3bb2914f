"""What travels on a CLASS_PROMPTS connection, and the model folder where learned prompts are kept."""

from __future__ import annotations

CLASS_PROMPTS = "CLASS_PROMPTS"  # core.classification.class_prompts.ClassPrompts
CLASS_PROMPTS_FOLDER = "clip_explainability"
CLASS_PROMPTS_EXTENSIONS = frozenset({".safetensors"})
