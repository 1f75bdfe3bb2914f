"""A second residual stream beside the last blocks, fed by rewritten attention and no feed-forward.

CLIP Surgery and GEM share it: features come from what patches of a kind tell each other, and the feed-forward layers,
which push the stream away from the text, are skipped. The original stream runs unchanged and supplies q, k and v.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..clip import ExplainableCLIP
from .attention import Rewrite
from .patch_tokens import BlockCall, ImagePass, LayerCall

_LAST_BLOCKS = 6  # in both papers


def parallel_blocks(clip: ExplainableCLIP) -> int:
    """How many last blocks get a parallel stream."""
    return min(_LAST_BLOCKS, clip.vision.blocks) or 1


def parallel_stream(tower: ImagePass, rewrite: Callable[[LayerCall], Rewrite]) -> torch.Tensor:
    """Tokens ``[B, N, C]`` at the end of the parallel stream: the input of the first remembered block plus what each
    block's attention adds when ``A v`` is replaced. A ResNet's pooling has no residual: its rewritten output alone.
    A dense tower's feature map stays as it is."""
    added = [block.attention_branch(rewrite(block)) for block in tower.blocks]
    first = tower.blocks[0]
    return sum(added, start=first.input) if isinstance(first, BlockCall) else added[0]
