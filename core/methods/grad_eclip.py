"""Grad-ECLIP: the last attention's values, weighted by the gradient of its output."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..maps import normalize_map
from ..precision import at_least_single, unit
from ..towers.attention import AttentionCall, AttentionTap
from ..towers.patch_features import patch_tokens
from ..towers.score_gradients import score_gradients
from .base import MapMethod, MapOptions, PatchMaps


class GradECLIP(MapMethod):
    """``H_i = (Σ_q λ_qi Σ_d ∂s/∂o_qd · v_id)⁺``, ``λ_q = minmax_i cos(q_q, k_i)``, in the last attention, with its
    output ``o = A v`` and its q, k, v over all heads (Zhao et al. 2024, "Gradient-based Visual Explanation for
    Transformer-based CLIP", equations 6-9).

    The sum runs over the queries that the image feature is read from: CLS alone in most towers, as in the paper; all
    patches where it is their mean. With attention pooling the last attention is the pooling.
    """

    name = "grad_eclip"
    order = 11
    needs = "attention"
    differentiable = True
    cost = "1 forward pass for all prompts, 1 backward pass through the last layer a prompt"
    backward_passes = 0.3
    source = "Zhao et al. 2024 (Grad-ECLIP)"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        outputs: list[torch.Tensor] = []

        def keep_output(call: AttentionCall) -> torch.Tensor:
            outputs.append(call.probs @ call.v)
            return outputs[-1]

        with AttentionTap(keep=clip.vision.attention_calls(1)[-1:], rewrite=keep_output) as tap:
            features = clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False)
        features = unit(features)
        gradients = score_gradients(features, outputs, text_features, create_graph=create_graph)[0]

        tower, call = clip.vision, tap.calls[0]
        read_by_one = tower.pooling == "cls" or (tower.pooling == "attention" and tower.pool_queries == "first")
        queries = slice(0, 1) if read_by_one else slice(None)
        gradients = _merge_heads(at_least_single(gradients))[..., queries, :]
        query, key, value = (_merge_heads(at_least_single(x)) for x in (call.q, call.k, call.v))
        key, value = patch_tokens(clip, key), patch_tokens(clip, value)
        closeness = F.normalize(query[:, queries], dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        closeness = normalize_map(closeness.unsqueeze(-2)).squeeze(-2)  # over the patches, for each query
        heat = (closeness * torch.einsum("kbqc,bnc->kbqn", gradients, value)).sum(dim=-2).clamp(min=0)
        return PatchMaps(heat.unflatten(-1, tower.grid), features)


def _merge_heads(x: torch.Tensor) -> torch.Tensor:
    """``[..., heads, N, d]`` to ``[..., N, heads * d]``."""
    return x.transpose(-3, -2).flatten(-2)
