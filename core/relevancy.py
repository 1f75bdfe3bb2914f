"""Relevancy propagation: how much each image patch and each prompt token counts for the similarity.

Chefer, Gur, Wolf 2021 ("Generic attention-model explainability"), as used by Paiss et al. 2022 ("No Token Left
Behind", NTLB). For one image-text pair with score ``s`` and the post-softmax attention ``A_l`` of block ``l``:

    C_l = mean over heads of (∂s/∂A_l ⊙ A_l)⁺          :func:`block_contribution`
    R   = (I + C_L) … (I + C_1)                           first block to last
    map = row of the pooled token of R                    :func:`propagate_row`

Only one row of R is ever needed, so a row vector is carried from the last block down instead of N x N products:
O(N²) a block. One image and K texts share the image's forward pass, and their K gradients come from K
vector-Jacobian products.

Towers without a CLS token extend the rule: a mean-pooled feature starts from the uniform row over the patches; an
attention-pooled one (SigLIP, CoCa, AttentionPool2d) from the contribution of the pooling layer, ``C_pool[query]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .clip import ExplainableCLIP
from .precision import at_least_single, unit
from .towers.attention import AttentionTap
from .towers.score_gradients import score_gradients
from .towers.text import encode_tokens
from .towers.tokens import TokenBatch
from .towers.vision import VisionTower

_DEFAULT_PASS_BYTES = 512 * 2**20


def block_contribution(attention: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """``C = mean_heads((∂s/∂A ⊙ A)⁺)``: ``[..., heads, Nq, Nk]`` twice to ``[..., Nq, Nk]``, in fp32 at least."""
    return (at_least_single(attention) * at_least_single(gradient)).clamp(min=0).mean(dim=-3)


def propagate_row(row: torch.Tensor, contributions: Sequence[torch.Tensor]) -> torch.Tensor:
    """``rowᵀ (I + C_L) … (I + C_1) - rowᵀ``: what propagation adds to a row ``[..., N]``.

    For contributions ``C_1 … C_L``, each ``[..., N, N]``. The row itself is left out because the C are small beside
    it: 1/N + 1e-5 - 1/N would lose the map's digits.
    """
    added = torch.zeros_like(row)
    for contribution in reversed(contributions):
        added = added + ((row + added).unsqueeze(-2) @ contribution).squeeze(-2)
    return added


@dataclass(frozen=True)
class ImageTrace:
    """One forward pass of the image tower, ready to be explained for any number of texts.

    Attributes:
        features: L2-normalised image features ``[B, D]``, fp32 at least, attached to the graph.
        attention: post-softmax attention of the kept blocks, first to last, each ``[B, heads, N, N]``.
        pooling: attention of the pooling layer ``[B, heads, Nq, N]`` where the tower has one.
    """

    features: torch.Tensor
    attention: tuple[torch.Tensor, ...]
    pooling: torch.Tensor | None
    tower: VisionTower


@dataclass(frozen=True)
class TextTrace:
    """One forward pass of the text tower over K prompts.

    Attributes:
        features: L2-normalised text features ``[K, D]``, fp32 at least, attached to the graph.
        attention: post-softmax attention of the kept blocks, each ``[K, heads, T, T]``.
        pooled: position of the token that the feature is read from ``[K]`` (EOT in OpenAI-style towers).
    """

    features: torch.Tensor
    attention: tuple[torch.Tensor, ...]
    pooled: torch.Tensor


def trace_images(clip: ExplainableCLIP, pixels: torch.Tensor, blocks: int | None = None) -> ImageTrace:
    """Encode images with the attention of the last ``blocks`` blocks (None: all) kept.

    Args:
        pixels: ``[B, 3, h, w]`` in 0..1 at the tower's own size. Call inside ``grad_mode.gradients()``.
    """
    with AttentionTap(keep=clip.vision.attention_calls(blocks)) as tap:
        features = clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False)
    attention = [call.probs for call in tap.calls]
    pooling = attention.pop() if clip.vision.pooling == "attention" else None
    return ImageTrace(unit(features), tuple(attention), pooling, clip.vision)


def trace_texts(clip: ExplainableCLIP, tokens: TokenBatch, blocks: int | None = None) -> TextTrace:
    """Encode tokenized prompts with the attention of the last ``blocks`` blocks (None: all) kept."""
    depth = len(clip.text.transformer.resblocks)
    keep = range(0 if blocks is None else max(0, depth - blocks), depth)
    with AttentionTap(keep=keep) as tap:
        features, pooled = encode_tokens(clip, tokens)
    return TextTrace(unit(features), tuple(call.probs for call in tap.calls), pooled)


def image_relevancy(
    trace: ImageTrace,
    text_features: torch.Tensor,
    scale: float = 1.0,
    create_graph: bool = False,
    pass_bytes: int = _DEFAULT_PASS_BYTES,
) -> torch.Tensor:
    """Relevancy of every image patch for every text.

    Args:
        trace: from :func:`trace_images`.
        text_features: L2-normalised ``[K, D]``.
        scale: of the score: 1 explains the cosine, ``clip.logit_scale`` the logit. R starts at I, so the scale
            changes the weight of the higher-order terms.
        create_graph: keep the result differentiable with respect to image and text features; else it has no graph.
        pass_bytes: bound on the gradients held at once; more texts take more passes.

    Returns:
        ``[K, B, rows, columns]`` >= 0, unnormalised, fp32 at least.
    """
    layers = list(trace.attention) + ([] if trace.pooling is None else [trace.pooling])
    bytes_per_text = sum(a.numel() * a.element_size() for a in layers)
    per_pass = max(1, min(len(text_features), pass_bytes // max(bytes_per_text, 1)))
    rows = []
    for chunk in text_features.split(per_pass):
        gradients = score_gradients(trace.features, layers, chunk, scale, create_graph)
        with torch.set_grad_enabled(create_graph):  # else the rows' own graph would keep every pass's gradients
            rows.append(_patch_rows(trace, gradients))
        del gradients
    relevancy = torch.cat(rows)[..., trace.tower.prefix :]
    return relevancy.unflatten(-1, trace.tower.grid)


def word_relevancy(
    trace: TextTrace, image_features: torch.Tensor, scale: float = 1.0, create_graph: bool = False
) -> torch.Tensor:
    """Relevancy of every token of every prompt for every image: the pooled token's row of R.

    Args:
        trace: from :func:`trace_texts`.
        image_features: L2-normalised ``[B, D]``.
        scale, create_graph: as in :func:`image_relevancy`.

    Returns:
        ``[B, K, T]`` >= 0, unnormalised and with the pooled token's own entry, which starts at 1 (R starts at I);
        :mod:`.words.scores` turns it into scores of words.
    """
    layers = list(trace.attention)
    gradients = score_gradients(trace.features, layers, image_features, scale, create_graph)
    contributions = [block_contribution(a, g) for a, g in zip(layers, gradients, strict=True)]
    count, length = layers[0].shape[0], layers[0].shape[-1]
    start = F.one_hot(trace.pooled, length).to(contributions[0])
    return start + propagate_row(start.expand(len(image_features), count, length), contributions)


def _patch_rows(trace: ImageTrace, gradients: list[torch.Tensor]) -> torch.Tensor:
    """The pooled row of R over all tokens ``[m, B, N]`` from the gradients of blocks and pooling."""
    tower = trace.tower
    tokens = tower.prefix + tower.grid[0] * tower.grid[1]
    contributions = [block_contribution(a, g) for a, g in zip(trace.attention, gradients, strict=False)]
    if trace.pooling is not None:
        pool = block_contribution(trace.pooling, gradients[-1])
        row = pool[..., 0, :] if tower.pool_queries == "first" else pool.mean(dim=-2)
        if row.shape[-1] != tokens:  # the pooling attends to the patch tokens alone
            row = F.pad(row, (tokens - row.shape[-1], 0))
        return row + propagate_row(row, contributions)
    # From here on the map is what is added to the start: CLS's own entry is no patch, and the identity part of R
    # gives every patch of a mean-pooled tower the same 1/N.
    start = contributions[0].new_zeros(tokens)
    if tower.pooling == "cls":
        start[0] = 1
    else:
        start[tower.prefix :] = 1 / (tokens - tower.prefix)
    return propagate_row(start.expand(*contributions[0].shape[:-2], tokens), contributions)
