"""Other packages that explain an open_clip model, where they are installed; the pack depends on none of them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import open_clip
import torch
import torch.nn.functional as F

Run = Callable[[], Any]


def legrad(model: Any, pixels: torch.Tensor, prompts: int) -> Run:
    """legrad-torch: all prompts together."""
    from legrad import LeWrapper

    with contextlib.redirect_stdout(io.StringIO()):
        wrapped = LeWrapper(model)
    texts = F.normalize(torch.randn(prompts, 512), dim=-1)
    return lambda: wrapped.compute_legrad(image=pixels, text_embedding=texts)


def gem(model: Any, pixels: torch.Tensor, prompts: int) -> Run:
    """gem-torch: all prompts together; its time includes encoding them."""
    from gem.gem_wrapper import GEMWrapper

    wrapped = GEMWrapper(model.eval(), open_clip.get_tokenizer("ViT-B-32"))
    texts = [f"thing {index}" for index in range(prompts)]

    def run() -> Any:
        with torch.no_grad():
            return wrapped(pixels, texts)

    return run


PEERS: dict[str, Callable[[Any, torch.Tensor, int], Run]] = {"legrad-torch": legrad, "gem-torch": gem}
