"""Features remembered from one run to the next: a changed threshold or temperature encodes nothing again."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, MutableMapping
from typing import Any, TypeVar

import torch
from torch.utils.weak import WeakIdKeyDictionary

from ..clip import ExplainableCLIP

_Made = TypeVar("_Made")
_LIMIT = 512 * 2**20


class FeatureCache:
    """Tensors computed with a CLIP; forgotten with it, and least recently used first beyond ``limit`` bytes a CLIP."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self.limit = limit
        self._of_text: MutableMapping[ExplainableCLIP, OrderedDict[Hashable, torch.Tensor]]
        self._of_text = weakref.WeakKeyDictionary()
        self._of_images: Any = WeakIdKeyDictionary()

    def of_text(self, clip: ExplainableCLIP, key: Hashable, make: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What ``make`` gave for this CLIP and key, or gives now."""
        kept = self._of_text.setdefault(clip, OrderedDict())
        if key not in kept:
            kept[key] = make()
            while len(kept) > 1 and sum(t.numel() * t.element_size() for t in kept.values()) > self.limit:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return kept[key]

    def of_images(self, clip: ExplainableCLIP, images: torch.Tensor, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """The same for a batch of images, known by its identity: the cache lasts as long as that tensor does."""
        kept = self._of_images.setdefault(images, weakref.WeakKeyDictionary()).setdefault(clip, {})
        if key not in kept:
            kept[key] = make()
        return kept[key]
