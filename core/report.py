"""An explanation as plain data, for JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from .explain import Explanation


def build_report(
    found: Explanation, heat: torch.Tensor, mask: torch.Tensor, clip_name: str, method: str, neglected_below: float
) -> dict[str, Any]:
    """Scores, words and coverage of every prompt and image.

    Args:
        heat, mask: ``[K, B, H, W]`` in 0..1.
        neglected_below: words scoring lower count as neglected (NTLB: 0.7).

    Returns:
        ``{"clip", "method", "warnings", "prompts": [{"prompt", "images": [{"score", "logit", "coverage", "hottest",
        "words": [{"word", "relevancy", "neglected"}]}]}]}``; coverage is the mask's share of the image, hottest the
        pixel (x, y) of the highest heat, None for a map without any.
    """
    prompts = []
    for k, prompt in enumerate(found.prompts):
        images = []
        for b in range(found.scores.shape[1]):
            scores = [] if found.word_scores is None else found.word_scores[k][b].tolist()
            words = [
                {"word": word, "relevancy": round(score, 4), "neglected": score < neglected_below}
                for word, score in zip(found.words[k], scores, strict=False)
            ]
            images.append(
                {
                    "score": round(float(found.scores[k, b]), 5),
                    "logit": round(float(found.logits[k, b]), 4),
                    "coverage": round(float(mask[k, b].mean()), 5),
                    "hottest": _hottest(heat[k, b]),
                    "words": words,
                }
            )
        prompts.append({"prompt": prompt, "images": images})
    return {"clip": clip_name, "method": method, "warnings": list(found.warnings), "prompts": prompts}


def _hottest(heat: torch.Tensor) -> list[int] | None:
    index = int(heat.argmax())
    y, x = divmod(index, heat.shape[-1])
    return [x, y] if heat.flatten()[index] > 0 else None


def to_json(data: Any) -> str:
    """Plain data as JSON that any reader takes: NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(data), ensure_ascii=False, allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
