"""How good a map is: against true masks (``metrics``), against CLIP itself (``faithfulness``), and by eye, several
methods side by side (``method_comparison``)."""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
