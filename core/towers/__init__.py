"""Inside CLIP's two towers: what they are made of, and what they compute on the way.

``attention`` reads or replaces any tower's attention; everything else stands on it. ``vision`` describes the image
tower, ``patch_tokens`` and ``patch_features`` are what its patches carry, ``parallel_stream`` a second way through its
blocks; ``tokens`` and ``text`` are the text side; ``score_gradients`` lead from a score back into both.
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
