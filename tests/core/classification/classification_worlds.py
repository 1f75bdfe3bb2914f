"""Classes, templates and images that the classification tests share; CLIPs come from ``tiny_clips``."""

from __future__ import annotations

import torch
from clip_explainability.core.classification.classes import ClassName

CLASSES = tuple(ClassName(name) for name in ("dog", "traffic light", "Persian cat", "snail", "airplane"))
TEMPLATES = ("a photo of a {}.", "{}", "the {} in a video game, seen from afar", "itap of my {}!")


def random_images(count: int, height: int = 80, width: int = 64, seed: int = 0) -> torch.Tensor:
    """``[count, 3, height, width]`` in 0..1."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def random_features(*shape: int, seed: int = 0) -> torch.Tensor:
    """L2-normalised along the last axis."""
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)
