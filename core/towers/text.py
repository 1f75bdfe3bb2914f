"""The text tower, encoded no longer than its prompts are.

In a causal tower the tokens after EOT change nothing, so the sequence is trimmed to the longest EOT (77 -> about
10): five to eight times less work, the same features. Not so in towers that look both ways (SigLIP) or append
their own class token (CoCa): those run whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..errors import UnsupportedFamilyError

if TYPE_CHECKING:
    from ..clip import ExplainableCLIP
    from .tokens import TokenBatch


def is_causal(clip: ExplainableCLIP) -> bool:
    """Whether tokens after the pooled one have no effect on the text feature."""
    tower = clip.text
    return (
        getattr(tower, "attn_mask", None) is not None
        and getattr(tower, "cls_emb", None) is None
        and not getattr(tower, "use_pad_mask", False)
        and _pool_type(tower) in ("argmax", "eos")
    )


def encode_tokens(clip: ExplainableCLIP, tokens: TokenBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Text features ``[K, D]`` (not normalised) and the position ``[K]`` that each was read from."""
    tower, ids = clip.text, tokens.ids.to(clip.device)
    require_word_tower(clip)
    pooled = pooled_positions(tower, ids)
    if not is_causal(clip):
        return clip.model.encode_text(ids, normalize=False), pooled
    trimmed = ids[:, : int(pooled.max()) + 1]
    embeddings = tower.token_embedding(trimmed).to(tower.transformer.get_cast_dtype())
    return encode_embeddings(clip, embeddings, pooled), pooled


def encode_embeddings(clip: ExplainableCLIP, embeddings: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
    """Text features ``[K, D]`` of token embeddings ``[K, T, width]`` (before positions are added), causal towers only.

    ``pooled`` ``[K]`` is the position of each EOT. Differentiable with respect to the embeddings, which is what
    learned prompts need.
    """
    tower = clip.text
    length = embeddings.shape[1]
    x = embeddings + tower.positional_embedding[:length].to(embeddings.dtype)
    x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
    x = tower.ln_final(x[torch.arange(len(x), device=x.device), pooled])
    projection = tower.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, torch.nn.Linear) else x @ projection


def require_word_tower(clip: ExplainableCLIP) -> None:
    """Raise unless the text tower is open_clip's own transformer."""
    if not hasattr(clip.text, "transformer") or not hasattr(clip.text.transformer, "resblocks"):
        raise UnsupportedFamilyError(
            f"the text tower of {clip.name} is a {type(clip.text).__name__}; only open_clip's own text transformer "
            "can be explained: choose a CLIP without a Hugging Face text encoder"
        )


def pooled_positions(tower: Any, ids: torch.Tensor) -> torch.Tensor:
    """Position ``[K]`` of the token whose feature is the text feature, for ids ``[K, T]``."""
    if getattr(tower, "cls_emb", None) is not None:
        return torch.full((len(ids),), ids.shape[1], device=ids.device)  # the class token is appended
    pool_type = _pool_type(tower)
    if pool_type == "argmax":
        return ids.argmax(dim=-1)
    if pool_type == "eos":
        return (ids == _eos_id(tower)).int().argmax(dim=-1)
    if pool_type in ("first", "last"):
        position = 0 if pool_type == "first" else ids.shape[1] - 1
        return torch.full((len(ids),), position, device=ids.device)
    raise UnsupportedFamilyError(f"text pooling {pool_type!r} has no token that words could be explained by")


def _pool_type(tower: Any) -> str:
    return getattr(tower, "text_pool_type", None) or tower.pool_type


def _eos_id(tower: Any) -> int:
    return getattr(tower, "text_eos_id", None) or tower.eos_id
