"""The demo world: a small CLIP and the pictogram scenes it was trained on, for trying the pack offline."""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
