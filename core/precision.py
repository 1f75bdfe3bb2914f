"""What is computed in half precision is judged in single; what is computed in double stays in double."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def at_least_single(tensor: torch.Tensor) -> torch.Tensor:
    """fp16 and bf16 to fp32; fp32 and fp64 as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def unit(features: torch.Tensor) -> torch.Tensor:
    """L2-normalised features ``[..., D]``, in fp32 at least."""
    return F.normalize(at_least_single(features), dim=-1)
