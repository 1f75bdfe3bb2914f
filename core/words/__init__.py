"""No word left behind: which words of a prompt count (``nouns``), how much CLIP listens to each (``scores``), and which
of them a picture neglects (``neglected``; NTLB, section 4.1)."""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
