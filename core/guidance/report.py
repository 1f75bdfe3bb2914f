"""A guided run as plots and as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..drawing.box_layout import draw
from ..drawing.grid import labelled_grid
from .record import GuidanceRecord, StepRecord

_MOST_WORDS = 12
_MOST_NAMES = 16
_LONGEST_NAME = 40
_MOST_STEPS_SHOWN = 12


def report_data(record: GuidanceRecord) -> dict[str, Any]:
    """``{"prompt", "settings", "route", "guided_calls", "images": [{"loss", "words", "boxes"}], "steps": [...]}``.

    For every picture ``loss`` has each term's (and the total's) first and last value, ``words`` each word's relevancy
    before and after with whether it was ever strengthened, ``boxes`` each object's overlap with its box before and
    after. ``steps`` lists every guided call. A video also has ``"frames_read"``, its steps what each latent frame got.
    """
    steps = record.steps
    images = [_image_data(record, index) for index in range(len(steps[0].change))] if steps else []
    return {
        "prompt": record.prompt,
        "settings": record.settings,
        "route": record.route,
        "guided_calls": len(steps),
        "images": images,
        **({"frames_read": list(record.frames)} if steps and steps[0].frame_change else {}),
        "steps": [
            {
                "step": step.step,
                "sigma": round(step.sigma, 6),
                "total": _rounded(step.total),
                "terms": {name: _rounded(values) for name, values in step.terms.items()},
                "words": None if step.words is None else [_rounded(row) for row in step.words],
                "overlaps": None if step.overlaps is None else [_rounded(row) for row in step.overlaps],
                "change": _rounded(step.change),
                **_frame_data(step),
            }
            for step in steps
        ],
    }


def _image_data(record: GuidanceRecord, index: int) -> dict[str, Any]:
    first, last = record.steps[0], record.steps[-1]

    def pair(before: float, after: float) -> dict[str, float]:
        return {"before": round(before, 5), "after": round(after, 5)}

    loss = {name: pair(first.terms[name][index], last.terms[name][index]) for name in first.terms}
    words = []
    if first.words is not None and last.words is not None:
        for place, word in enumerate(record.words):
            raised = any(step.chosen is not None and step.chosen[index][place] for step in record.steps)
            words.append({"word": word, **pair(first.words[index][place], last.words[index][place]), "raised": raised})
    boxes = []
    if first.overlaps is not None and last.overlaps is not None:
        for place, constraint in enumerate(record.constraints):
            overlap = pair(first.overlaps[index][place], last.overlaps[index][place])
            boxes.append({"label": constraint.label, "box": list(constraint.bounds), **overlap})
    return {"loss": {"total": pair(first.total[index], last.total[index]), **loss}, "words": words, "boxes": boxes}


def _frame_data(step: StepRecord) -> dict[str, Any]:
    if step.frame_change is None or step.frame_totals is None:
        return {}
    return {
        "frame_change": [_rounded(row) for row in step.frame_change],
        "frame_totals": [_rounded(row) for row in step.frame_totals],
    }


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 5) for value in values]


def plot_curves(record: GuidanceRecord) -> torch.Tensor:
    """Curves over the guided calls, averaged over the batch: the loss by terms, word scores, box overlaps.

    Returns:
        ``[H, W, 3]`` in 0..1.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = record.steps
    panels = [("loss", _term_curves(steps))]
    if steps and steps[0].words is not None:
        panels.append(("word relevancy", _word_curves(record)))
    if steps and steps[0].overlaps is not None:
        panels.append(("relevancy in its box", _box_curves(record)))
    figure = Figure(figsize=(5.2 * len(panels), 3.6), dpi=100, layout="constrained")
    for number, (title, curves) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        for name, values in curves.items():
            axes.plot(range(1, len(values) + 1), values, label=name, linewidth=2.4 if name == "total" else 1.4)
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("guided call")
        axes.grid(alpha=0.3)
        if number:
            axes.set_ylim(-0.03, 1.03)
        if curves:
            _add_legend(axes)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return torch.from_numpy(np.asarray(canvas.buffer_rgba())[..., :3].astype(np.float32) / 255)


def _add_legend(axes: Any) -> None:
    """Names of the first curves, as they are: a label is no formula, though it may hold dollar signs."""
    handles, names = axes.get_legend_handles_labels()
    shown = [" ".join(name.split()) for name in names[:_MOST_NAMES]]
    shown = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in shown]
    legend = axes.legend(handles[:_MOST_NAMES], shown, fontsize=7, loc="best", framealpha=0.6)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _term_curves(steps: list[StepRecord]) -> dict[str, list[float]]:
    if not steps:
        return {}
    curves = {"total": [_mean(step.total) for step in steps]}
    return curves | {name: [_mean(step.terms[name]) for step in steps] for name in steps[0].terms}


def _word_curves(record: GuidanceRecord) -> dict[str, list[float]]:
    """Curves of the words that were strengthened at some time."""
    raised = {place for step in record.steps for row in step.chosen or [] for place, chosen in enumerate(row) if chosen}
    return {
        f"{place + 1}. {record.words[place]}": [
            _mean([row[place] for row in step.words or []]) for step in record.steps
        ]
        for place in sorted(raised)[:_MOST_WORDS]
    }


def _box_curves(record: GuidanceRecord) -> dict[str, list[float]]:
    return {
        f"{place + 1}. {each.label}": [_mean([row[place] for row in step.overlaps or []]) for step in record.steps]
        for place, each in enumerate(record.constraints)
    }


def step_pictures(record: GuidanceRecord) -> torch.Tensor:
    """What CLIP looked at during the run (first picture of the batch, all frames read of a video), boxes drawn, as one
    grid ``[H, W, 3]``."""
    if not record.previews:
        return torch.zeros(64, 64, 3)
    stride, frames = max(1, -(-len(record.previews) // _MOST_STEPS_SHOWN)), len(record.frames)
    shown = [each for place, each in enumerate(record.previews) if place // frames % stride == 0]
    pictures = torch.stack([picture for _, picture in shown]).float() / 255
    if record.constraints:
        pictures = draw(record.constraints, pictures)
    names = [f", frame {frame + 1}" for frame in record.frames] if frames > 1 else [""]
    labels = [f"step {step + 1}{names[place % frames]}" for place, (step, _) in enumerate(shown)]
    return labelled_grid(list(pictures), labels)
