"""The library under the nodes: torch and open_clip only, no ComfyUI.

In reading order: ``relevancy`` (the equations), ``explain`` (one image and its prompts, end to end), ``methods/``
(every map method, one file each), ``words/`` (which words of a prompt count); then what NTLB makes of them,
``classification/``, ``boxes/`` and ``guidance/``, and ``eclip/``, a projection trained for maps. All of it stands on
``clip``, ``loading/`` and ``towers/``; beside it are ``evaluation/``, ``datasets/``, ``drawing/`` and ``demo/``.

Submodules load on first use (``core.relevancy`` imports torch, ``core.loading.checkpoints`` open_clip), so that
importing the pack stays cheap.
"""

from .lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
