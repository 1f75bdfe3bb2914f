"""From a patch token to the space that image and text share: what the tower would say of a patch alone.

A tower turns its pooled token into the image feature by a head: last norm, pooling, projection. Applied to one patch
token at a time, with the pooling attending to that patch alone (a one-hot attention, so only the value path of the
pooling layer is left; a mean over one place is that place), the same head gives patch features that can be compared
with text.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..precision import unit
from .patch_tokens import feature_map


def patch_features(clip: ExplainableCLIP, tokens: torch.Tensor) -> torch.Tensor:
    """Tokens after the last block ``[B, N, C]`` to L2-normalised patch features ``[B, rows * columns, D]``, fp32 at
    least."""
    features = head_input(clip, patch_tokens(clip, tokens))
    weight, bias = head_projection(clip)
    if weight is not None:
        features = F.linear(features, weight, bias)
    return unit(features)


def patch_tokens(clip: ExplainableCLIP, tokens: torch.Tensor) -> torch.Tensor:
    """The patch tokens ``[..., rows * columns, C]`` among all tokens ``[..., N, C]``: they come last."""
    rows, columns = clip.vision.grid
    return tokens[..., -rows * columns :, :]


def head_input(clip: ExplainableCLIP, tokens: torch.Tensor) -> torch.Tensor:
    """All of the head but its linear projection, on tokens ``[..., C]`` after the last block: ``[..., width]``."""
    visual = clip.model.visual
    if clip.vision.family == "resnet":
        return tokens  # the attention output; only its output projection is left
    if hasattr(visual, "trunk"):
        tokens = _before_timms_projection(clip, tokens)
        return tokens if _timm_projection(visual) is not None else visual.head(visual.trunk.get_classifier()(tokens))
    if visual.attn_pool is not None:
        tokens = _attentional_pooler_values(visual.attn_pool, tokens)
    return visual.ln_post(tokens)


def head_projection(clip: ExplainableCLIP) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The head's linear projection: weight ``[D, width]`` and bias ``[D]``, or None where there is none."""
    visual = clip.model.visual
    if clip.vision.family == "resnet":
        return visual.attnpool.c_proj.weight, visual.attnpool.c_proj.bias
    if not hasattr(visual, "trunk"):
        return visual.proj.T, None
    projection = _timm_projection(visual)
    return (None, None) if projection is None else (projection.weight, projection.bias)


def pooled_features(clip: ExplainableCLIP, tokens: torch.Tensor) -> torch.Tensor:
    """The whole head of a transformer tower, pooling included, on all tokens ``[B, N, C]``: image features ``[B, D]``,
    L2-normalised, fp32 at least."""
    visual = clip.model.visual
    if hasattr(visual, "trunk"):
        features = visual.head(visual.trunk.forward_head(visual.trunk.norm(tokens)))
    else:
        features = visual._pool(tokens)[0] @ visual.proj
    return unit(features)


def _before_timms_projection(clip: ExplainableCLIP, tokens: torch.Tensor) -> torch.Tensor:
    trunk = clip.model.visual.trunk
    if clip.vision.family == "dense":  # each place as a map of its own: its mean is itself
        alone = feature_map(clip, tokens.reshape(-1, 1, tokens.shape[-1]), (1, 1))
        return trunk.forward_head(alone, pre_logits=True).unflatten(0, tokens.shape[:-1])
    tokens = trunk.norm(tokens)
    if getattr(trunk, "attn_pool", None) is not None:
        tokens = _latent_pool_values(trunk.attn_pool, tokens)
    return trunk.fc_norm(tokens)


def _timm_projection(visual: Any) -> torch.nn.Linear | None:
    """The one linear layer after the pooling, or None where there is none or more than that."""
    layers = [m for m in (*visual.trunk.get_classifier().modules(), *visual.head.modules()) if not list(m.children())]
    linear = [m for m in layers if isinstance(m, torch.nn.Linear)]
    passive = torch.nn.Linear | torch.nn.Identity | torch.nn.Dropout | torch.nn.Sequential
    return linear[0] if len(linear) == 1 and all(isinstance(m, passive) for m in layers) else None


def _latent_pool_values(pool: Any, tokens: torch.Tensor) -> torch.Tensor:
    """timm's AttentionPoolLatent with its attention on each token alone."""
    if pool.pos_embed is not None:
        tokens = tokens + pool.pos_embed.to(tokens.dtype)
    values = pool.kv(tokens).chunk(2, dim=-1)[1]
    pooled = pool.proj(values)
    return pooled if pool.mlp is None else pooled + pool.mlp(pool.norm(pooled))


def _attentional_pooler_values(pool: Any, tokens: torch.Tensor) -> torch.Tensor:
    """open_clip's AttentionalPooler (CoCa) with its attention on each token alone."""
    attention, tokens = pool.attn, pool.ln_k(tokens)
    separate = attention.in_proj_weight is None
    weight = attention.v_proj_weight if separate else attention.in_proj_weight.chunk(3)[2]
    return attention.out_proj(F.linear(tokens, weight, attention.in_proj_bias.chunk(3)[2]))
