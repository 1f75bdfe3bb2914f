from __future__ import annotations

import pytest
import torch
from clip_explainability.core.drawing.colormap import COLORMAPS, colorize, outline, overlay
from clip_explainability.core.drawing.fonts import font_for
from clip_explainability.core.drawing.grid import colour_bar, labelled_grid, wrap
from clip_explainability.core.drawing.words import stack_pictures, words_picture
from clip_explainability.core.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("name", COLORMAPS)
def test_every_offered_colormap_gives_colours(name):
    colours = colorize(torch.linspace(-1, 2, 30).view(1, 30), name)
    assert colours.shape == (1, 30, 3)
    assert colours.min() >= 0
    assert colours.max() <= 1


def test_an_unknown_colormap_lists_the_known():
    with pytest.raises(InputError, match=r"'mud'.*turbo"):
        colorize(torch.zeros(1, 1), "mud")


def test_overlay_blends_by_opacity():
    image, heat = torch.full((2, 4, 5, 3), 0.5), torch.rand(3, 2, 4, 5)
    heat[..., 0, 0], heat[..., 0, 1] = 0, 1
    mixed = overlay(image, heat, "turbo", 0.25)
    torch.testing.assert_close(overlay(image, heat, "turbo", 1.0), colorize(heat, "turbo"))
    assert mixed.shape == (3, 2, 4, 5, 3)
    torch.testing.assert_close(mixed[:, :, 0, 0], image[:, 0, 0].expand(3, 2, 3))  # cold: the picture as it is
    torch.testing.assert_close(mixed[..., 0, 1, :], 0.375 + 0.25 * colorize(heat, "turbo")[..., 0, 1, :])


def test_the_outline_lies_inside_the_mask_and_the_rest_stays():
    pictures, mask = torch.full((2, 3, 20, 30, 3), 0.4), torch.zeros(2, 3, 20, 30)
    mask[:, :, 5:15, 8:20] = 1
    drawn = outline(pictures, mask)
    changed = (drawn - pictures).abs().amax(dim=-1) > 0
    assert changed.any()
    assert not (changed & (mask == 0)).any()
    assert not changed[..., 8:12, 11:17].any()
    assert torch.equal(outline(pictures, torch.ones(2, 3, 20, 30)), pictures)  # the picture's edge is no outline
    assert drawn[0, 0, 5, 12, 0] == 1


@pytest.mark.parametrize("width", [20, 200, 1500])
def test_the_colour_bar_shows_every_colour_and_the_threshold(width):
    bar = colour_bar(width, "gray", 0.5)
    assert bar.shape[1:] == (width, 3)
    assert bar.min() < 0.2
    assert (bar[0].amax(dim=-1) > 0.9).any()


def test_grid_keeps_pictures_in_order_and_untouched():
    pictures = [torch.full((100, 120, 3), value) for value in (0.2, 0.4, 0.6)]
    grid = labelled_grid(pictures, ["one", "two", "three"], columns=2)
    found = [round(float(v), 2) for v in grid.flatten(0, 1).unique(dim=0).mean(dim=1)]
    assert {0.2, 0.4, 0.6} <= set(found)
    left, right = grid[:, : grid.shape[1] // 2], grid[:, grid.shape[1] // 2 :]
    assert (left - 0.2).abs().amax(dim=-1).le(0.002).sum() == 100 * 120
    assert (right - 0.4).abs().amax(dim=-1).le(0.002).sum() == 100 * 120


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200), st.integers(1, 3), st.integers(60, 400))
def test_wrapped_lines_fit(text, most, width):
    lines = wrap(text, 16, width, most)
    assert 1 <= len(lines) <= most
    font = font_for(text + "…", 16)
    for line in lines:
        # One character may be wider than the line; more than that must fit.
        assert len(line.rstrip("…")) <= 1 or font.getlength(line) <= width + 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), max_size=40), st.integers(0, 3))
def test_any_words_can_be_drawn(words, cut):
    scores = torch.rand(len(words))
    picture = words_picture("title", tuple(words), scores, 0.7, tuple(words[:cut]))
    assert picture.shape[1:] == (768, 3)
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_a_higher_score_is_tinted_more():
    cold, hot = (words_picture("", ("cat",), torch.tensor([s]), 0.0) for s in (0.0, 1.0))
    assert (hot - cold).abs().sum() > 100
    assert hot[..., 2].mean() < cold[..., 2].mean()  # from grey towards orange: less blue


def test_stacked_pictures_are_padded_to_the_tallest():
    batch = stack_pictures([torch.zeros(10, 8, 3), torch.zeros(4, 8, 3)])
    assert batch.shape == (2, 10, 8, 3)
    assert batch[1, 4:].min() > 0.9


def test_characters_that_no_font_has_do_not_fail():
    assert font_for("\U0010fffd ሀ 𓀀", 12).size == 12
