"""No word left behind: raise the relevancy of the words that the picture neglects (NTLB section 4)."""

from __future__ import annotations

from typing import Literal

import torch

from ..words.scores import Normalization

WordChoice = Literal["neglected", "all", "marked"]

# Words measured against each other ("sum-max") can all reach 1. A user's marked word may be the strongest already
# and shall still rise: it is measured as its share of the whole, as in NTLB's manipulation setting.
NORMALIZATIONS: dict[WordChoice, Normalization] = {"neglected": "sum-max", "all": "sum-max", "marked": "sum"}


def choose_words(scores: torch.Tensor, candidates: torch.Tensor, choice: WordChoice, threshold: float) -> torch.Tensor:
    """Which words the loss raises, for each image.

    Args:
        scores: ``[B, words]`` in 0..1.
        candidates: ``[words]`` bool: content words, or the marked ones.
        threshold: with ``"neglected"`` a candidate counts while its score is lower (NTLB: 0.7).

    Returns:
        ``[B, words]`` bool.
    """
    chosen = candidates.expand_as(scores)
    return chosen & (scores.detach() < threshold) if choice == "neglected" else chosen


def word_loss(scores: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """``− mean over chosen words of the word's score``, ``[B]``; 0 for an image without a chosen word."""
    count = chosen.sum(dim=-1).clamp(min=1)
    return -(scores * chosen).sum(dim=-1) / count
