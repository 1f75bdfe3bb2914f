"""Load Class Prompts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import CLASSIFICATION
from .class_prompts import CLASS_PROMPTS, CLASS_PROMPTS_FOLDER

if TYPE_CHECKING:
    from ..core.classification.class_prompts import ClassPrompts


class LoadClassPrompts:
    """Loads prompts that Learn Class Prompts has saved."""

    NODE_ID = "LoadClassPrompts"
    DISPLAY_NAME = "Load Class Prompts"
    DESCRIPTION = (
        "Loads class prompts that Learn Class Prompts saved into models/clip_explainability. They work with the CLIP "
        "that they were learned on, and no other accepts them."
    )
    SEARCH_ALIASES: ClassVar = ["learned prompts", "coop", "few-shot", "prompt tuning", "load prompts"]
    CATEGORY = CLASSIFICATION
    FUNCTION = "load"
    RETURN_TYPES = (CLASS_PROMPTS,)
    RETURN_NAMES = ("class_prompts",)
    OUTPUT_TOOLTIPS = ("For the 'class_prompts' input of Prompt Ensemble Classifier.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "file": (
                    host.model_files(CLASS_PROMPTS_FOLDER),
                    {"tooltip": "A .safetensors file in models/clip_explainability. Press R to refresh the list."},
                ),
            }
        }

    @classmethod
    def IS_CHANGED(cls, file: str, **_: Any) -> str:
        path = host.model_file_path(file, CLASS_PROMPTS_FOLDER) if host.running() else None
        return f"{os.path.getmtime(path)} {os.path.getsize(path)}" if path and os.path.isfile(path) else file

    def load(self, file: str) -> tuple[ClassPrompts]:
        path = host.model_file_path(file, CLASS_PROMPTS_FOLDER)
        if path is None:
            raise core.errors.InputError(
                f"file {file!r} is not in models/{CLASS_PROMPTS_FOLDER}; choose another and press R to refresh the list"
            )
        return (core.classification.class_prompts.load_class_prompts(path),)
