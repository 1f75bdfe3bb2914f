from __future__ import annotations

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.evaluation import method_comparison
from clip_explainability.core.methods import METHODS, MapOptions
from tiny_clips import tiny_clip


def test_method_names_are_read_in_order_and_once() -> None:
    assert method_comparison.parse_methods("gem, itsm\nrelevancy\n gem") == ["gem", "itsm", "relevancy"]
    assert method_comparison.parse_methods("  \n") == list(METHODS)
    with pytest.raises(InputError, match=r"'gradcam'.*grad_cam"):
        method_comparison.parse_methods("gradcam")


def test_methods_run_on_the_same_images_and_what_cannot_run_is_left_out() -> None:
    clip = tiny_clip("vit-cls")
    steps: list[tuple[int, int]] = []
    found = method_comparison.compare(
        clip,
        torch.rand(2, 3, 30, 50),
        ["a cat", "a dog"],
        ["relevancy", "eclip", "itsm"],
        MapOptions(),
        report=lambda done, total: steps.append((done, total)),
    )
    assert found.methods == ("relevancy", "itsm")
    assert list(found.left_out) == ["eclip"]
    assert "Train ECLIP Projection" in found.left_out["eclip"]
    assert found.heat.shape == (2, 2, 2, 30, 50)
    assert 0 <= found.heat.min() <= found.heat.max() <= 1
    assert steps[0] == (0, 3)
    assert steps[-1] == (3, 3)
    grid = method_comparison.comparison_grid(
        torch.rand(30, 50, 3), found.heat[:, :, 0], found, ["a cat", "a dog"], "turbo", 0.5
    )
    assert grid.shape[1] > 3 * 96


def test_nothing_left_to_compare_is_an_error() -> None:
    with pytest.raises(InputError, match=r"no method is left.*projection"):
        method_comparison.compare(tiny_clip("vit-cls"), torch.rand(1, 3, 9, 9), ["a"], ["eclip"], MapOptions())
