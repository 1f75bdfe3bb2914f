"""What the viewer in the browser draws: pictures, maps as small grey pictures, and names and scores as plain data.

All maps of an image lie on one sheet, an 8-bit grey PNG, row by row in ``columns`` columns: each map stretched to
0..255 by its own minimum and maximum, at the size of the coarse maps of :mod:`.explain`. The viewer enlarges them as
the nodes do (:func:`.views.merge_maps`), so that it shows the node's own heat.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .classification.classify import Classification
from .evaluation.method_comparison import Comparison
from .explain import Explanation
from .guidance.cutouts import resample
from .guidance.record import GuidanceRecord
from .maps import normalize_map

VERSION = 1
_PICTURE_PIXELS = 32 * 2**20
_LONGEST_PICTURE_SIDE = 2048


@dataclass(frozen=True)
class Lens:
    """One run for the viewer.

    Attributes:
        pictures: PNGs, one an image (or step).
        sheets: PNGs with the maps, one an image; none where there are no maps.
        data: for JSON: names and scores, see the functions below.
    """

    pictures: tuple[bytes, ...]
    sheets: tuple[bytes, ...]
    data: dict[str, Any]


def prompts_lens(images: torch.Tensor, found: Explanation, view: dict[str, Any]) -> Lens:
    """K prompts and their words on B images.

    Args:
        images: ``[B, 3, H, W]`` in 0..1.
        view: what the viewer starts with: ``threshold``, ``colormap``, ``opacity``.
    """
    entries = []
    for k, prompt in enumerate(found.prompts):
        words = [
            {
                "label": word,
                "maps": None if place is None else [len(found.prompts) + place],
                "scores": _rounded(found.word_scores[k][:, index]) if found.word_scores is not None else None,
            }
            for index, (word, place) in enumerate(zip(found.words[k], found.word_maps[k], strict=True))
        ]
        entries.append(
            {
                "label": prompt,
                "maps": [k],
                "scores": _rounded(found.scores[k]),
                "words": words,
            }
        )
    return _lens("prompts", images, found.coarse_maps, {"entries": entries, "warnings": list(found.warnings), **view})


def methods_lens(images: torch.Tensor, prompts: list[str], found: Comparison, view: dict[str, Any]) -> Lens:
    """The same K prompts by m methods: one pane a method."""
    panes = [
        {"label": name, "note": f"{1000 * seconds:.0f} ms"}
        for name, seconds in zip(found.methods, found.seconds, strict=True)
    ]
    count = len(prompts)
    entries = [
        {"label": prompt, "maps": [m * count + k for m in range(len(panes))], "scores": _rounded(found.scores[k])}
        for k, prompt in enumerate(prompts)
    ]
    maps = found.coarse_maps.flatten(0, 1)
    return _lens("methods", images, maps, {"panes": panes, "entries": entries, **view})


def classes_lens(images: torch.Tensor, found: Classification, top_k: int, maps: torch.Tensor | None) -> Lens:
    """The best classes of B images.

    Args:
        maps: ``[n, B, h, w]``: of the n best classes of each image; None: none were made.
    """
    order = found.scores.ranking[:, :top_k]
    values = found.scores.probabilities.gather(1, order)
    computed = 0 if maps is None else len(maps)
    by_image = [
        [
            {"label": found.names[index], "maps": [rank] if rank < computed else None, "scores": [round(value, 5)]}
            for rank, (index, value) in enumerate(zip(row, probabilities, strict=True))
        ]
        for row, probabilities in zip(order.tolist(), values.tolist(), strict=True)
    ]
    return _lens("classes", images, maps, {"by_image": by_image, "warnings": list(found.warnings)})


def steps_lens(record: GuidanceRecord) -> Lens:
    """The guided calls of a run, for the first picture of the batch."""
    steps = record.steps
    shown = [step for step, _ in record.previews]
    entry: dict[str, Any] = {"label": record.prompt, "maps": None, "scores": None}
    if steps and steps[0].words is not None:
        entry["words"] = [
            {"label": word, "maps": None, "scores": [round(step.words[0][place], 4) for step in steps if step.words]}
            for place, word in enumerate(record.words)
        ]
    boxes = [
        {
            "label": constraint.label,
            "box": list(constraint.bounds),
            "scores": [round(step.overlaps[0][place], 4) for step in steps if step.overlaps],
        }
        for place, constraint in enumerate(record.constraints)
    ]
    losses = {"total": [round(step.total[0], 5) for step in steps]} if steps else {}
    losses |= {name: [round(step.terms[name][0], 5) for step in steps] for name in (steps[0].terms if steps else {})}
    data = {
        "entries": [entry],
        "boxes": boxes,
        "losses": losses,
        "steps": [step.step + 1 for step in steps],
        "picture_of": [_nearest(shown, step.step) for step in steps],
    }
    height, width = record.previews[0][1].shape[:2]
    pictures = tuple(_png(picture.numpy()) for _, picture in record.previews)
    return Lens(pictures, (), {"version": VERSION, "kind": "steps", "size": [width, height], **data})


def _nearest(steps: list[int], step: int) -> int:
    return min(range(len(steps)), key=lambda index: abs(steps[index] - step))


def _lens(kind: str, images: torch.Tensor, maps: torch.Tensor | None, data: dict[str, Any]) -> Lens:
    """Pictures ``[B, 3, H, W]`` and maps ``[M, B, h, w]`` as files."""
    height, width = images.shape[-2:]
    data = {"version": VERSION, "kind": kind, "size": [width, height], **data}
    sheets: tuple[bytes, ...] = ()
    if maps is not None:
        columns = math.isqrt(max(len(maps) - 1, 0)) + 1
        data |= {"map_size": [maps.shape[-1], maps.shape[-2]], "columns": columns}
        sheets = tuple(_png(_sheet(maps[:, index], columns)) for index in range(maps.shape[1]))
    return Lens(_pictures(images), sheets, data)


def _pictures(images: torch.Tensor) -> tuple[bytes, ...]:
    """PNGs no larger than 2048 pixels a side and 32 million together."""
    height, width = images.shape[-2:]
    share = math.sqrt(_PICTURE_PIXELS / (len(images) * height * width))
    scale = min(1.0, share, _LONGEST_PICTURE_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pictures = []
    for image in images:
        pixels = image.detach().float().cpu()
        if scale < 1:
            pixels = resample(pixels, size)
        pictures.append(_png((pixels.clamp(0, 1) * 255).round().byte().movedim(0, -1).contiguous().numpy()))
    return tuple(pictures)


def _sheet(maps: torch.Tensor, columns: int) -> np.ndarray:
    """Maps ``[M, h, w]`` side by side and below one another: uint8 ``[rows * h, columns * w]``."""
    levels = (normalize_map(maps.float()) * 255).round().byte()
    rows = -(-len(levels) // columns)
    count, height, width = levels.shape
    padded = torch.zeros(rows * columns, height, width, dtype=torch.uint8)
    padded[:count] = levels
    return padded.view(rows, columns, height, width).transpose(1, 2).reshape(rows * height, columns * width).numpy()


def _png(pixels: np.ndarray) -> bytes:
    """uint8 ``[H, W]`` or ``[H, W, 3]``."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
