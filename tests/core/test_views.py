from __future__ import annotations

from itertools import pairwise

import torch
from clip_explainability.core.views import View, choose_views, cut_view, half_patch_views, merge_maps
from hypothesis import given, settings
from hypothesis import strategies as st

SQUARE = (64, 64)
sizes = st.tuples(st.integers(1, 4096), st.integers(1, 4096))


def test_stretch_is_the_whole_image_and_crop_its_centre():
    assert choose_views((100, 300), SQUARE, "stretch") == (View(0, 0, 100, 300),)
    assert choose_views((100, 300), SQUARE, "crop") == (View(0, 100, 100, 200),)


def test_tiles_overlap_by_half():
    views = choose_views((100, 200), SQUARE, "tile")
    assert [(v.left, v.right) for v in views] == [(0, 100), (50, 150), (100, 200)]


@settings(max_examples=300, deadline=None)
@given(sizes, st.sampled_from(["stretch", "crop", "tile"]), st.sampled_from([(64, 64), (48, 96)]))
def test_views_lie_in_the_image_and_tiles_cover_it(size, fit, tower):
    views = choose_views(size, tower, fit)
    assert 1 <= len(views) <= 16
    assert all(0 <= v.top < v.bottom <= size[0] and 0 <= v.left < v.right <= size[1] for v in views)
    if fit == "tile":
        for low, high, length in (("top", "bottom", size[0]), ("left", "right", size[1])):
            spans = sorted({(getattr(v, low), getattr(v, high)) for v in views})
            assert spans[0][0] == 0
            assert spans[-1][1] == length
            assert all(after[0] <= before[1] for before, after in pairwise(spans))


@settings(max_examples=300, deadline=None)
@given(sizes, st.tuples(st.integers(1, 32), st.integers(1, 32)))
def test_half_patch_views_lie_in_their_view_and_never_vanish(size, grid):
    whole = View(5, 9, 5 + size[0], 9 + size[1])
    parts = half_patch_views(whole, grid)
    assert len(parts) == 4
    for part in parts:
        assert whole.top <= part.top < part.bottom <= whole.bottom
        assert whole.left <= part.left < part.right <= whole.right


def test_half_patch_views_are_half_a_patch_apart():
    first, right, down, both = half_patch_views(View(0, 0, 120, 240), (12, 12))
    assert (first.bottom - first.top, first.right - first.left) == (115, 230)
    assert (right.left - first.left, right.top - first.top) == (10, 0)
    assert (down.left - first.left, down.top - first.top) == (0, 5)
    assert (both.bottom, both.right) == (120, 240)


def test_a_map_lands_where_its_view_was_cut():
    image = torch.zeros(1, 3, 64, 192)
    image[..., 20:40, 130:150] = 1.0
    views = choose_views((64, 192), SQUARE, "tile")
    patch_maps = [cut_view(image, view, SQUARE)[:, :1] for view in views]  # "what is bright" as a perfect method
    merged = merge_maps(patch_maps, views, (64, 192))
    assert merged.shape == (1, 1, 64, 192)
    assert merged[0, 0, 20:40, 130:150].min() > 0.9
    outside = merged.clone()
    outside[..., 18:42, 128:152] = 0
    assert outside.abs().max() < 0.1


def test_a_hot_patch_has_no_cold_halo():
    patch_map = torch.zeros(1, 1, 8, 8)
    patch_map[0, 0, 3, 4] = 1.0
    merged = merge_maps([patch_map], choose_views((80, 80), SQUARE, "stretch"), (80, 80))
    assert merged.min() == 0
    assert merged.max() <= 1


def test_outside_the_crop_is_cold_even_where_scores_are_negative():
    views = choose_views((50, 150), SQUARE, "crop")
    merged = merge_maps([torch.linspace(-3, -1, 16).view(1, 1, 4, 4)], views, (50, 150))
    assert merged[0, 0, :, :50].eq(merged.min()).all()
    assert merged.min() < -2.9


def test_cutting_keeps_gradients_and_range():
    image = torch.rand(1, 3, 90, 40, requires_grad=True)
    view = choose_views((90, 40), SQUARE, "tile")[0]
    cut = cut_view(image, view, SQUARE)
    assert cut.min() >= 0
    assert cut.max() <= 1
    cut.sum().backward()
    assert image.grad is not None
    assert image.grad[..., :40, :].abs().min() > 0
