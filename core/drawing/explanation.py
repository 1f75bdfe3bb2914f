"""Pictures of an explanation: overlays in a labelled grid, words."""

from __future__ import annotations

import torch

from ..explain import Explanation
from .grid import colour_bar, labelled_grid
from .words import stack_pictures, words_picture


def overlay_grids(
    images: torch.Tensor, overlays: torch.Tensor, found: Explanation, colormap: str, threshold: float
) -> torch.Tensor:
    """For each image one grid: the image itself, then each prompt's overlay with its score; below, what colours mean.

    Args:
        images: ``[B, H, W, 3]``.
        overlays: ``[K, B, H, W, 3]``.
        threshold: of the outline in the overlays.

    Returns:
        ``[B, H', W', 3]``.
    """
    grids = []
    for b, image in enumerate(images):
        labels = [
            f"{prompt} · similarity {float(score):.3f}"
            for prompt, score in zip(found.prompts, found.scores[:, b], strict=True)
        ]
        columns = min(len(labels) + 1, 4) if len(labels) < 8 else None
        grids.append(labelled_grid([image, *overlays[:, b]], ["image", *labels], columns))
    sheet = torch.stack(grids)
    bar = colour_bar(sheet.shape[2], colormap, threshold).expand(len(sheet), -1, -1, -1)
    return torch.cat([sheet, bar], dim=1)


def words_pictures(found: Explanation, neglected_below: float) -> torch.Tensor:
    """For each prompt and image (prompt by prompt) a picture of its words: ``[K * B, H', 768, 3]``."""
    pictures = []
    for k, prompt in enumerate(found.prompts):
        for b in range(found.scores.shape[1]):
            scores = None if found.word_scores is None else found.word_scores[k][b]
            words = () if scores is None else found.words[k]
            empty = torch.zeros(0)
            pictures.append(
                words_picture(prompt, words, empty if scores is None else scores, neglected_below, found.cut_off[k])
            )
    return stack_pictures(pictures)
