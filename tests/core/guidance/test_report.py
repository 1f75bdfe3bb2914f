"""The report of a guided run, whatever is written on the boxes and whatever became of the numbers."""

from __future__ import annotations

import json
import math

import pytest
import torch
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.guidance.record import GuidanceRecord, StepRecord
from clip_explainability.core.guidance.report import plot_curves, report_data, step_pictures
from clip_explainability.core.report import to_json


def record(label: str, value: float = -0.5, boxes: int = 1) -> GuidanceRecord:
    """Two guided calls of one picture with one raised word and boxes of that label."""
    constraints = tuple(from_box(label, (0.0, 0.0, 0.5, 1.0), 16, 16) for _ in range(boxes))
    terms = {"similarity": [value], **{f"box {n + 1}: {label}": [value] for n in range(boxes)}}
    steps = [StepRecord(n, 1.0, terms, [[0.5]], [[True]], [[0.5] * boxes], [0.1]) for n in range(2)]
    previews = [(n, torch.zeros(16, 16, 3, dtype=torch.uint8)) for n in range(2)]
    return GuidanceRecord("a cat", (label,), constraints, {}, steps, previews)


@pytest.mark.parametrize(
    "label",
    [
        r"$\frac{$",
        "costs $5 and $6",
        "<img src=x onerror=alert(1)>",
        "_hidden",
        "a\nb\tc",
        "\x00\x1b[31m",
        "猫🐱",
        "word " * 10_000,
        "",
    ],
)
def test_a_label_is_shown_as_it_is(label: str) -> None:
    shown = record(label)
    assert plot_curves(shown).isfinite().all()
    assert step_pictures(shown).isfinite().all()
    assert json.loads(to_json(report_data(shown)))["images"][0]["words"][0]["word"] == label


def test_a_label_is_no_formula() -> None:
    """Between dollar signs it would be set as mathematics, in italics and without its spaces."""
    close, apart = (plot_curves(record(label)) for label in ("$abc$", "$a b c$"))
    assert not torch.equal(close, apart)


def test_a_full_layout_leaves_room_for_the_curves() -> None:
    assert plot_curves(record("cat", boxes=256)).shape == plot_curves(record("cat")).shape


def test_numbers_that_are_none_become_null() -> None:
    data = json.loads(to_json(report_data(record("cat", math.nan))), parse_constant=pytest.fail)
    assert data["steps"][0]["total"] == [None]
    assert data["images"][0]["loss"]["similarity"] == {"before": None, "after": None}
    assert plot_curves(record("cat", math.nan)).isfinite().all()
