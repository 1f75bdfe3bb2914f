"""CLIP Explainability for ComfyUI: see what CLIP looks at, and steer generation with it.

To ComfyUI these are nodes; to scripts, which import it installed, the library of :mod:`.core.api`.
"""

from typing import Any

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

WEB_DIRECTORY = "./web"

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]

# By name, so that nothing is imported where a host asks for attributes that a pack may have.
_LIBRARY = frozenset(
    (
        *("METHODS", "ClassPrompts", "Classification", "ExplainableCLIP", "Explanation", "InputError"),
        *("LearningSettings", "MapOptions", "NeglectedWords", "Objective", "Weights", "classify", "explain"),
        *("find_neglected", "learn_prompts", "load_clip", "rank", "read_image", "word_scores"),
    )
)


def __getattr__(name: str) -> Any:
    """The library's names, which load torch on first use."""
    if name in _LIBRARY:
        from .core import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
