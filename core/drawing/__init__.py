"""Pictures of results: coloured maps, overlays, labelled grids, words tinted by relevancy.

Pictures are float tensors ``[..., H, W, 3]`` in 0..1, ComfyUI's IMAGE layout, on the CPU.
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
