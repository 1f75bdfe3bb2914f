"""How much a prompt's meaning rests on the class's own words: their share of word relevancy."""

from __future__ import annotations

import torch

from ..relevancy import TextTrace, block_contribution, propagate_row
from ..towers.source_text import Span
from ..towers.tokens import TokenBatch
from ..words.scores import normalize_tokens
from .templates import PLACEHOLDER


def class_word_mask(tokens: TokenBatch, templates: list[str], names: list[str]) -> torch.Tensor:
    """Which tokens of K prompts ``fill(template, name)`` belong to the name: ``[K, context]`` of 0 and 1.

    A word that the name is a part of ("dogs" in "many {}s") counts as the name's. A row is all zero where the name
    did not fit into the context.
    """
    mask = torch.zeros(tokens.ids.shape, device=tokens.ids.device)
    for k, (template, name) in enumerate(zip(templates, names, strict=True)):
        places = _name_places(template, name)
        for word in tokens.words[k]:
            if any(word.span[0] < end and word.span[1] > start for start, end in places):
                mask[k, list(word.positions)] = 1
    return mask


def _name_places(template: str, name: str) -> list[Span]:
    """Where in the prompt the class name stands."""
    places, cursor = [], 0
    for part in template.split(PLACEHOLDER)[:-1]:
        start = cursor + len(part)
        cursor = start + len(name)
        places.append((start, cursor))
    return places


def paired_word_relevancy(trace: TextTrace, partners: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    """Relevancy of every token of prompt k for partner k: as :func:`..relevancy.word_relevancy`, without the
    pairs across. One backward pass for all K prompts.

    Args:
        trace: K prompts. partners: L2-normalised ``[K, D]``.

    Returns:
        ``[K, T]`` >= 0, unnormalised.
    """
    layers = list(trace.attention)
    cotangent = scale * partners.to(trace.features)
    gradients = torch.autograd.grad(trace.features, layers, cotangent)
    contributions = [block_contribution(a, g) for a, g in zip(layers, gradients, strict=True)]
    start = torch.nn.functional.one_hot(trace.pooled, layers[0].shape[-1]).to(contributions[0])
    return start + propagate_row(start, contributions)


def name_share(relevancy: torch.Tensor, tokens: TokenBatch, pooled: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Share ``[K]``, in 0..1, of each prompt's relevancy over its content tokens that falls on the class name.

    Args:
        relevancy: ``[K, T]``. pooled: ``[K]``. mask: from :func:`class_word_mask`.
    """
    length = min(relevancy.shape[1], mask.shape[1])  # trimmed in causal towers; one longer where a class token follows
    shares = [
        (normalize_tokens(row, tokens.content[k], int(pooled[k]), "sum")[:length] * mask[k, :length]).sum()
        for k, row in enumerate(relevancy)
    ]
    return torch.stack(shares)
