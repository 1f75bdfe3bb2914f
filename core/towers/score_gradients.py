"""Gradients of every image-text score with respect to what the towers computed on the way."""

from __future__ import annotations

from collections.abc import Sequence

import torch

# In fp16 the gradients with respect to attention (1e-5 and less) underflow; scores are scaled up before the backward
# pass and the gradients, linear in them, down again in fp32.
_HALF_PRECISION_SCALE = 1024.0


def score_gradients(
    features: torch.Tensor,
    inputs: Sequence[torch.Tensor],
    others: torch.Tensor,
    scale: float = 1.0,
    create_graph: bool = False,
) -> list[torch.Tensor]:
    """``∂s/∂x`` of every input for every partner feature.

    ``s[i, j] = scale · <features[i], others[j]>``. The sum over i is backpropagated: row i of an input belongs to
    features[i] alone.

    Args:
        features: ``[n, D]``, computed from the inputs.
        inputs: tensors of the graph, each ``[n, ...]``.
        others: ``[m, D]``.
        create_graph: keep the gradients differentiable.

    Returns:
        For each input ``[m, n, ...]``; in fp32 where the input is fp16.
    """
    boost = _HALF_PRECISION_SCALE if inputs[0].dtype == torch.float16 else 1.0
    cotangents = (others.to(features) * (scale * boost)).unsqueeze(1).expand(-1, len(features), -1)
    if len(others) == 1:
        passes = torch.autograd.grad(features, inputs, cotangents[0], retain_graph=True, create_graph=create_graph)
        gradients = [gradient.unsqueeze(0) for gradient in passes]
    else:
        gradients = list(
            torch.autograd.grad(
                features, inputs, cotangents, retain_graph=True, create_graph=create_graph, is_grads_batched=True
            )
        )
    return [gradient.float() / boost for gradient in gradients] if boost != 1.0 else gradients
