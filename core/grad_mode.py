"""Gradients where the host switched them off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def gradients() -> Iterator[None]:
    """Leave ``torch.inference_mode`` and record gradients, whatever the caller's mode.

    ComfyUI runs nodes under inference mode; tensors made there can't be saved for backward, so pass
    everything that enters through :func:`normal`.
    """
    with torch.inference_mode(False), torch.enable_grad():
        yield


def normal(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor itself, or a copy that autograd accepts where it was made under inference mode."""
    return tensor.clone() if tensor.is_inference() else tensor
