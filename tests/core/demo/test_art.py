"""The shipped art: every vendor draws every class, at any size, cropped to what is drawn."""

import numpy as np
import pytest
from clip_explainability.core.demo import art


@pytest.mark.parametrize("vendor", art.vendors())
def test_every_vendor_draws_every_class(vendor: str) -> None:
    assert tuple(art.load_art(vendor)) == art.class_names()


def test_there_are_enough_classes_and_the_test_vendor_is_shipped() -> None:
    assert len(art.class_names()) >= 60
    assert art.TEST_VENDOR in art.vendors()
    assert len(art.vendors()) >= 2


def test_an_unknown_vendor_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"nobody.*fluent-emoji-flat"):
        art.load_art("nobody")


@pytest.mark.parametrize("size", [1, 7, 96, 300])
def test_a_drawing_fills_the_size_asked_for(size: int) -> None:
    rgba = art.rasterise(art.load_art()["owl"][0], size)
    assert rgba.dtype == np.uint8
    assert rgba.shape[2] == 4
    assert abs(max(rgba.shape[:2]) - size) <= max(2, size // 30)
    assert rgba[..., 3].any()


def test_the_shipped_art_is_small() -> None:
    assert sum(path.stat().st_size for path in art.ASSETS.glob("art_*.json.gz")) < 1_500_000


def test_every_shipped_vendor_is_attributed() -> None:
    attribution = (art.ASSETS / "ATTRIBUTION.md").read_text()
    assert all(vendor in attribution for vendor in art.vendors())
