"""The library under the nodes: torch and open_clip only, no ComfyUI.

Submodules load on first use (``core.relevancy`` imports torch, ``core.checkpoints`` open_clip), so that
importing the pack stays cheap. Start reading at ``relevancy.py`` (the equations), ``explain.py`` (one image
and its prompts, end to end) and ``methods/`` (every map method, one file each).
"""

from .lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
