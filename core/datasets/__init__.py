"""Images with true masks, for judging maps: the embedded demo world, and the folder layouts of VOC-2012, COCO and
ImageNet-S for users who have them. Nothing is ever downloaded."""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
