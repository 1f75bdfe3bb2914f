"""From token relevancy to scores of words (NTLB: "max over its BPE tokens")."""

from __future__ import annotations

from typing import Literal

import torch

from ..towers.tokens import TokenBatch

Normalization = Literal["sum-max", "sum", "self-zero"]

_TINY = torch.finfo(torch.float32).tiny


def normalize_tokens(
    relevancy: torch.Tensor, content: tuple[int, ...], pooled: int, normalization: Normalization = "sum-max"
) -> torch.Tensor:
    """Normalise one prompt's row of R over its tokens.

    The three ways of NTLB's reference code: ``"sum-max"`` (generation, the "neglected" test): content tokens
    divided by their sum, then by their largest; ``"sum"`` (manipulation): divided by their sum; ``"self-zero"``
    (one-shot learning): the pooled token's own entry set to 0, divided by the sum over all tokens.

    Args:
        relevancy: ``[..., T]`` from :func:`.relevancy.word_relevancy`.
        content: positions of the content tokens (all tokens between the special ones).
        pooled: position of the pooled token.

    Returns:
        ``[..., T]`` >= 0; zero outside the content for the first two. A row without any relevancy stays zero.
    """
    mask = torch.zeros(relevancy.shape[-1], device=relevancy.device)
    if normalization == "self-zero":
        mask += 1
        mask[pooled] = 0
    else:
        mask[list(content)] = 1
    scores = relevancy * mask
    scores = scores / scores.sum(dim=-1, keepdim=True).clamp(min=_TINY)
    if normalization == "sum-max":
        scores = scores / scores.amax(dim=-1, keepdim=True).clamp(min=_TINY)
    return scores


def word_scores(
    relevancy: torch.Tensor, tokens: TokenBatch, pooled: torch.Tensor, normalization: Normalization = "sum-max"
) -> list[torch.Tensor]:
    """Scores of the words of K prompts for B images.

    Args:
        relevancy: ``[B, K, T]`` from :func:`.relevancy.word_relevancy`.
        pooled: ``[K]``.

    Returns:
        K tensors ``[B, words of that prompt]``, in 0..1, in the order of ``tokens.words``.
    """
    results = []
    for k, words in enumerate(tokens.words):
        scores = normalize_tokens(relevancy[:, k], tokens.content[k], int(pooled[k]), normalization)
        columns = [scores[:, list(word.positions)].amax(dim=-1) for word in words]
        results.append(torch.stack(columns, dim=-1) if columns else scores.new_zeros(len(scores), 0))
    return results
