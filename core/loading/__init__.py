"""CLIPs from wherever they lie, and what was trained for them.

``sources`` names them all; ``checkpoints`` reads a file (``weights`` its tensors, ``architecture`` which CLIP they
make, ``hugging_face`` that format's names); ``pretrained`` has open_clip's list. ``trained_file`` keeps what
was trained for one of them.
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
