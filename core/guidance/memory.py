"""How much memory a guided step takes, known before it is taken."""

from __future__ import annotations

from ..clip import ExplainableCLIP

# Tensors of the residual's width that a transformer block keeps for its backward pass (Korthikanti et al. 2022,
# section 4.1, count 34 bytes at 2 bytes an element).
_KEPT_PER_TOKEN = 17

# A pass through the image tower takes no more pictures than keep about this much. A fixed number: what shares a pass
# must not depend on the memory that happens to be free, or equal seeds would give unequal pictures.
PASS_BYTES = 2 * 2**30

# What a decoder with checkpointed blocks takes in its backward pass, in units of a decoding without gradients.
BACKWARD = 3


def bytes_of_pass(clip: ExplainableCLIP, pictures: int) -> int:
    """What the image tower takes at most for so many pictures, split into passes."""
    each = bytes_per_view(clip)
    return max(each, min(pictures * each, PASS_BYTES))


def bytes_per_view(clip: ExplainableCLIP) -> int:
    """What one picture's pass through the image tower keeps for the backward pass, about."""
    tower = clip.vision
    tokens = tower.prefix + tower.grid[0] * tower.grid[1]
    element = 2 if clip.dtype.itemsize == 2 else 4
    height, width = tower.image_size
    pixels = 8 * 3 * height * width * element
    if tower.blocks == 0:  # a feature map's tower keeps other maps; 60 times its input covers open_clip's ResNets
        return pixels + 60 * 3 * height * width * element
    return pixels + tower.blocks * tokens * _width(clip) * _KEPT_PER_TOKEN * element


def _width(clip: ExplainableCLIP) -> int:
    visual = clip.model.visual
    trunk = getattr(visual, "trunk", None)
    if trunk is not None:
        return int(trunk.embed_dim)
    return int(visual.class_embedding.shape[-1])
