"""COCO's masks, to the pixel those of pycocotools; bad ones refused with the reason, whatever they hold."""

from __future__ import annotations

import numpy as np
import pytest
from clip_explainability.core.datasets.coco_masks import read_segmentation
from clip_explainability.core.errors import InputError
from pycocotools import mask as reference

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SIZE = (10, 12)
SQUARE = [1, 1, 9, 1, 9, 9, 1, 9]


def test_a_square_of_8_by_8_has_64_pixels() -> None:
    mask = read_segmentation([SQUARE], (20, 20))
    assert mask.sum() == 64
    assert mask[1:9, 1:9].all()
    assert read_segmentation(SQUARE, (20, 20)).sum() == 64  # one polygon alone, as some tools write it


def test_polygons_are_those_of_pycocotools() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1500):
        height, width = rng.integers(2, 70, 2).tolist()
        polygons = [
            (rng.uniform(-0.2, 1.2, (rng.integers(3, 10), 2)) * (width, height)).round(int(rng.integers(0, 4))).ravel()
            for _ in range(rng.integers(1, 4))
        ]
        polygons = [polygon.tolist() for polygon in polygons]
        merged = reference.merge(reference.frPyObjects(polygons, height, width))
        expected = reference.decode(merged).astype(bool)
        if expected.any():
            assert (read_segmentation(polygons, (height, width)) == expected).all()


def test_run_lengths_in_both_forms_are_those_of_pycocotools() -> None:
    rng = np.random.default_rng(1)
    for _ in range(500):
        size = tuple(rng.integers(1, 60, 2).tolist())
        mask = np.asfortranarray(rng.random(size) < rng.random() ** 2, dtype=np.uint8)
        if not mask.any():
            continue
        text = reference.encode(mask)["counts"].decode()
        assert (read_segmentation({"size": list(size), "counts": text}, size) == mask).all()
        flat = mask.ravel(order="F")
        edges = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), len(flat)]
        runs = [0] * int(flat[0]) + np.diff(edges).tolist()
        assert (read_segmentation({"size": list(size), "counts": runs}, size) == mask).all()


def test_a_polygon_of_no_area_beside_a_good_one_is_noted() -> None:
    notes: list[str] = []
    mask = read_segmentation([[5, 5], SQUARE, []], SIZE, notes.append)
    assert mask.sum() == 64
    assert len(notes) == 2
    assert "a polygon of 2 numbers" in notes[0]


@pytest.mark.parametrize(
    "raw",
    [
        None, [], {}, "abc", 7, True, [[]], [[1, 1]], [[1, 1, 2, 2]], [[1, 1, 2, 2, 3]], [[1, 1, 9, 1, 9, 9, 4]],
        [None], [["a"] * 6], [[None] * 6], [{}], [[[1, 1]] * 6], [[float("nan")] * 6], [[float("inf")] * 6],
        [[1e9, 1e9, -1e9, 3, 4, 5]], [[10**400] * 6], [[3, 3, 3, 3, 3, 3]], [[100, 100, 110, 100, 105, 110]],
        [[-5, -5, 20, 15] * 400_000 + [1, 1]],
        {"size": [12, 10], "counts": [0, 120]}, {"size": [10, 12], "counts": [0, 119]},
        {"size": [10, 12], "counts": [0, 121]}, {"size": [10, 12], "counts": [130, -10]},
        {"size": [10, 12], "counts": [0, 1.5, 118.5]}, {"size": [10, 12], "counts": [10**30]},
        {"size": [10, 12], "counts": [[1]]}, {"size": [10, 12], "counts": ["a"]}, {"size": [10, 12], "counts": None},
        {"size": [10, 12]}, {"counts": [0, 120]}, {"size": [10**6, 10**6], "counts": [0, 10**12]},
        {"size": [10, 12], "counts": [120]}, {"size": [10, 12], "counts": ""}, {"size": [10, 12], "counts": "abc"},
        {"size": [10, 12], "counts": "oooooooooooooooo"}, {"size": [10, 12], "counts": "é"},
        {"size": [10, 12], "counts": "0P"},
    ],
    ids=lambda raw: repr(raw)[:40],
)  # fmt: skip
def test_what_is_no_mask_is_refused_with_the_reason(raw: object) -> None:
    with pytest.raises(InputError):
        read_segmentation(raw, SIZE)
