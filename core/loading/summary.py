"""What was loaded, in a few lines for its user."""

from __future__ import annotations

from typing import Any

from ..clip import ExplainableCLIP


def summarise(clip: ExplainableCLIP) -> str:
    """Towers, activations, pixels and whatever had to be guessed."""
    vision, (height, width) = clip.vision, clip.image_size
    context = getattr(clip.text, "context_length", None)
    lines = [
        f"{clip.name}",
        f"image tower: {vision.family}, {width} x {height} pixels, {_activation(clip.model.visual)}",
        f"text tower: {context} tokens, {_activation(clip.text, skip=clip.model.visual)}",
        f"pixels: mean {_rounded(clip.image_mean)}, std {_rounded(clip.image_std)}, {clip.interpolation}",
        f"fingerprint: {clip.fingerprint}",
    ]
    return "\n".join([*lines, *(f"Note: {note}" for note in clip.notes)])


def _activation(tower: Any, skip: Any = None) -> str:
    """Name of the activation in a tower's blocks."""
    others = set() if skip is None else set(skip.modules())
    for module in tower.modules():
        for slot in ("gelu", "act"):
            found = getattr(module, slot, None)
            if module not in others and hasattr(found, "forward"):
                approximate = getattr(found, "approximate", "none") == "tanh"
                return f"{type(found).__name__}{' (tanh)' if approximate else ''}"
    return "ReLU"


def _rounded(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
