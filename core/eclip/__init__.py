"""ECLIP (Li et al. 2022): a projection trained so that the patches, not only the pooled token, agree with the text.

``projection`` (what is trained, and its file), ``training`` (how) and ``image_captions`` (on what). The map that it
gives is a method as others are: ``methods/eclip.py``.
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
