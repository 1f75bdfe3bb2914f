"""Explicit attention on demand: read, or replace, the attention of any transformer without touching its code.

open_clip and timm compute attention with fused kernels that never show the probabilities and have no double
backward. A :class:`AttentionTap` runs a forward pass in which chosen attention calls are computed explicitly,
``A = softmax(q kᵀ · scale + mask)`` and ``A v``, and kept. It works on
``torch.nn.functional.scaled_dot_product_attention`` and ``multi_head_attention_forward``, so on every tower
that is built on them: ``nn.MultiheadAttention`` (open_clip ViT, CoCa, text), timm (SigLIP, EVA02) and
``AttentionPool2d`` (ResNet).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ..errors import UnsupportedFamilyError


@dataclass(frozen=True)
class AttentionCall:
    """One attention computation, heads split.

    Attributes:
        index: position among all attention calls of the forward pass, from 0.
        q, k, v: ``[B, heads, Nq, d]``, ``[B, heads, Nk, d]``, ``[B, heads, Nk, d]``.
        probs: post-softmax attention ``[B, heads, Nq, Nk]``; rows sum to 1.
        mask: additive mask broadcastable to ``probs``, or None.
        scale: factor on ``q kᵀ``.
    """

    index: int
    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    probs: torch.Tensor
    mask: torch.Tensor | None
    scale: float


Rewrite = Callable[[AttentionCall], torch.Tensor]


class AttentionTap(TorchFunctionMode):
    """Context manager that taps the attention calls made inside it.

    Args:
        keep: indices of the calls to compute explicitly and keep in ``calls`` (None: every call). The others
            stay fused.
        rewrite: optional replacement of ``A v`` for the kept calls: takes the :class:`AttentionCall`, returns
            ``[B, heads, Nq, d]``. Used by methods that change the attention itself.

    While gradients are enabled, kept probabilities require grad, so that ``∂s/∂A`` exists even where neither
    weights nor input require it; the graph then starts at the first kept call and costs nothing before it.
    """

    def __init__(self, keep: Container[int] | None = None, rewrite: Rewrite | None = None) -> None:
        super().__init__()
        self.keep = keep
        self.rewrite = rewrite
        self.calls: list[AttentionCall] = []
        self.count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        explicit: Callable[..., Any]
        if func is F.scaled_dot_product_attention:
            explicit = self._scaled_dot_product
        elif func is F.multi_head_attention_forward:
            explicit = self._multi_head
        else:
            return func(*args, **kwargs)
        index = self.count
        self.count += 1
        if self.keep is not None and index not in self.keep:
            return func(*args, **kwargs)
        return explicit(index, *args, **kwargs)

    def _attend(
        self,
        index: int,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float | None = None,
    ) -> torch.Tensor:
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        if mask is not None and mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill_(~mask, float("-inf"))
        logits = (q * scale) @ k.transpose(-2, -1)
        probs = (logits if mask is None else logits + mask).softmax(dim=-1)
        if torch.is_grad_enabled() and not probs.requires_grad:
            probs.requires_grad_()
        call = AttentionCall(index, q, k, v, probs, mask, scale)
        self.calls.append(call)
        return probs @ v if self.rewrite is None else self.rewrite(call)

    def _scaled_dot_product(
        self,
        index: int,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        if dropout_p or enable_gqa:
            raise UnsupportedFamilyError("attention with dropout or grouped queries can't be read: use eval mode")
        if is_causal:
            shape = query.shape[-2], key.shape[-2]
            attn_mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
        return self._attend(index, query, key, value, attn_mask, scale)

    def _multi_head(
        self,
        index: int,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        embed_dim_to_check: int,
        num_heads: int,
        in_proj_weight: torch.Tensor | None,
        in_proj_bias: torch.Tensor | None,
        bias_k: torch.Tensor | None,
        bias_v: torch.Tensor | None,
        add_zero_attn: bool,
        dropout_p: float,
        out_proj_weight: torch.Tensor,
        out_proj_bias: torch.Tensor | None,
        training: bool = True,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        use_separate_proj_weight: bool = False,
        q_proj_weight: torch.Tensor | None = None,
        k_proj_weight: torch.Tensor | None = None,
        v_proj_weight: torch.Tensor | None = None,
        static_k: torch.Tensor | None = None,
        static_v: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        unusual = (bias_k, bias_v, key_padding_mask, static_k, static_v)
        if query.dim() != 3 or add_zero_attn or any(x is not None for x in unusual) or (dropout_p and training):
            raise UnsupportedFamilyError("this form of multi-head attention can't be read (no CLIP tower uses it)")
        if use_separate_proj_weight:
            weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight)
        else:
            assert in_proj_weight is not None
            weights = in_proj_weight.chunk(3)
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)

        # LBE -> B heads L d
        q, k, v = (
            F.linear(x, w, b).unflatten(-1, (num_heads, -1)).permute(1, 2, 0, 3)
            for x, w, b in zip((query, key, value), weights, biases, strict=True)
        )
        if attn_mask is not None and attn_mask.dim() == 3:
            attn_mask = attn_mask.unflatten(0, (-1, num_heads))
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = ~attn_mask  # here True means "masked", the reverse of scaled_dot_product_attention
        out = self._attend(index, q, k, v, attn_mask)
        out = F.linear(out.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
        if not need_weights:
            return out, None
        probs = self.calls[-1].probs
        return out, probs.mean(dim=1) if average_attn_weights else probs
