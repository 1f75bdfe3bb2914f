"""What the viewer is given: sheets of maps, pictures, names and scores."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from clip_explainability.core import lens as lens_module
from clip_explainability.core.evaluation.method_comparison import compare
from clip_explainability.core.explain import explain, longest_coarse_side
from clip_explainability.core.lens import Lens, methods_lens, prompts_lens
from clip_explainability.core.maps import normalize_map
from clip_explainability.core.methods import MapOptions
from clip_explainability.core.views import View, choose_views, coarse_views, merge_maps
from clip_explainability.core.words.maps import MOST_WORDS, choose_words, most_words
from PIL import Image
from tiny_clips import tiny_clip

PROMPTS = ["a photo of a cat", "a red dog on the grass"]
VIEW = {"threshold": 0.2, "colormap": "turbo", "opacity": 0.5}


def read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def map_of(lens: Lens, image: int, number: int) -> torch.Tensor:
    """One map as the viewer cuts it from its sheet, 0..1."""
    width, height = lens.data["map_size"]
    row, column = divmod(number, lens.data["columns"])
    sheet = read(lens.sheets[image])
    part = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
    return torch.from_numpy(part.copy()).float() / 255


@pytest.fixture(scope="module")
def found():
    images = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    return images, explain(tiny_clip("vit-cls"), images, PROMPTS, most_words=3)


def test_a_word_has_the_map_of_a_prompt_of_that_word_alone(found) -> None:
    images, explanation = found
    assert explanation.word_maps == ((None, None, None, None, 0), (None, 1, 2, None, None, None))
    for place, word in enumerate(["cat", "red", "dog"]):
        alone = explain(tiny_clip("vit-cls"), images, [word]).coarse_maps[0]
        torch.testing.assert_close(explanation.coarse_maps[2 + place], alone, rtol=1e-3, atol=1e-7)


def test_words_change_nothing_about_the_prompts(found) -> None:
    images, explanation = found
    plain = explain(tiny_clip("vit-cls"), images, PROMPTS)
    torch.testing.assert_close(explanation.maps, plain.maps, rtol=1e-4, atol=1e-8)
    assert explanation.scores.equal(plain.scores)
    assert explanation.words == plain.words
    assert len(plain.coarse_maps) == 2


@pytest.mark.parametrize("along_edges", [False, True])
def test_an_enlarged_sheet_is_the_nodes_heat(along_edges) -> None:
    images = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(1))
    explanation = explain(tiny_clip("vit-cls"), images, PROMPTS, along_edges=along_edges)
    lens = prompts_lens(images, explanation, VIEW)
    small = map_of(lens, 0, 1)
    enlarged = merge_maps([small[None, None]], (View(0, 0, 60, 80),), (60, 80))
    torch.testing.assert_close(normalize_map(enlarged)[0, 0], normalize_map(explanation.maps)[1, 0], atol=0.02, rtol=0)


def test_pictures_names_and_scores(found) -> None:
    images, explanation = found
    lens = prompts_lens(images, explanation, VIEW)
    assert len(lens.pictures) == len(lens.sheets) == 2
    torch.testing.assert_close(
        torch.from_numpy(read(lens.pictures[1]).copy()).float() / 255, images[1].movedim(0, -1), atol=0.003, rtol=0
    )
    data = json.loads(json.dumps(lens.data))
    assert data["size"] == [70, 50]
    assert data["entries"][1]["words"][2] | {"scores": None} == {"label": "dog", "maps": [4], "scores": None}
    assert data["entries"][0]["scores"] == pytest.approx(explanation.scores[0].tolist(), abs=1e-4)
    assert VIEW.items() <= data.items()


def test_methods_have_a_pane_each(found) -> None:
    images, _ = found
    comparison = compare(tiny_clip("vit-cls"), images, PROMPTS, ["relevancy", "itsm"], MapOptions())
    lens = methods_lens(images, PROMPTS, comparison, VIEW)
    assert [pane["label"] for pane in lens.data["panes"]] == ["relevancy", "itsm"]
    (prompt, second) = lens.data["entries"]
    assert (prompt["maps"], second["maps"]) == ([0, 2], [1, 3])
    for pane, method in enumerate(["relevancy", "itsm"]):
        alone = normalize_map(explain(tiny_clip("vit-cls"), images, PROMPTS, method).coarse_maps)[1, 1]
        torch.testing.assert_close(map_of(lens, 1, second["maps"][pane]), alone, atol=0.003, rtol=0)


def test_sizes_are_bounded(monkeypatch) -> None:
    """64 images x 16 prompts x 8 words at 512 pixels a map would be 2.4 GB."""
    side = longest_coarse_side(64 * 16 * 9)
    assert 64 * 16 * 9 * side**2 <= 2**24
    assert longest_coarse_side(1) == 512
    monkeypatch.setattr(lens_module, "_PICTURE_PIXELS", 64 * 40 * 40)
    pictures = lens_module._pictures(torch.zeros(64, 3, 100, 50))
    height, width, _ = read(pictures[0]).shape
    assert height * width <= 41 * 41
    assert height / width == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("fit", ["crop", "tile"])
@pytest.mark.parametrize("size", [(1, 900), (700, 30), (3, 2)])
def test_coarse_views_lie_inside_and_none_is_empty(size, fit) -> None:
    views, coarse = coarse_views(choose_views(size, (8, 8), fit), size, (4, 4), 64)
    assert max(coarse) <= 64
    for view in views:
        assert 0 <= view.top < view.bottom <= coarse[0]
        assert 0 <= view.left < view.right <= coarse[1]


def test_one_view_needs_no_more_pixels_than_the_tower_has_patches() -> None:
    assert coarse_views((View(0, 0, 600, 800),), (600, 800), (7, 7), 512) == ((View(0, 0, 7, 7),), (7, 7))
    assert coarse_views((View(0, 0, 600, 800),), (600, 800), None, 400)[1] == (300, 400)


def test_words_take_turns_over_the_prompts_and_none_twice() -> None:
    words = (("a", "Cat", "and", "a", "dog"), ("the", "cat", "sits"))
    assert choose_words(words, 2) == (("cat", "dog"), ((None, 0, None, None, 1), (None, 0, None)))
    assert choose_words(words, 9)[0] == ("cat", "dog", "sits")
    assert choose_words(words, 0) == ((), ((None,) * 5, (None,) * 3))


def test_auto_gives_more_words_where_a_word_costs_less() -> None:
    every, last = MapOptions(), MapOptions(blocks=1)
    counts = [most_words("auto", "relevancy", every, prompts, 12) for prompts in (1, 2, 4, 16)]
    assert counts == sorted(counts)
    assert counts[0] >= 1
    assert most_words("auto", "relevancy", last, 2, 12) > counts[1]
    assert most_words("auto", "itsm", every, 2, 12) > counts[1]
    assert most_words("off", "itsm", every, 2, 12) == 0
    assert most_words("all", "relevancy", every, 2, 12) == MOST_WORDS
    assert most_words("auto", "relevancy", last, 2, 0) >= 1  # a ResNet has no blocks
