from __future__ import annotations

import json

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.nodes.map_metrics import MapMetrics


def square(size: int = 20) -> torch.Tensor:
    mask = torch.zeros(1, size, size)
    mask[0, 4:10, 4:10] = 1
    return mask


def test_the_masks_themselves_are_perfect_maps() -> None:
    *numbers, report = MapMetrics().score(square(), square(), 0.5)
    assert numbers == [1, 1, 1, 1, 1]
    data = json.loads(report)
    assert data["each"]["pointing"] == [1.0]
    assert data["interval"]["miou"] == [1.0, 1.0]


def test_masks_repeat_in_turn_for_the_maps_of_several_methods() -> None:
    masks = torch.cat([square(), square().flip(-1)])
    maps = torch.cat([masks, masks.flip(0)])  # the second method swaps the objects
    report = json.loads(MapMetrics().score(maps, masks, 0.5)[-1])
    assert report["each"]["pointing"] == [1, 1, 0, 0]
    assert report["mean"]["pointing"] == 0.5


def test_masks_of_another_size_and_single_masks_fit() -> None:
    assert MapMetrics().score(square()[0], square(40).roll((4, 4), (1, 2))[0], 0.5)[2] == 1.0


def test_an_empty_mask_is_left_out() -> None:
    masks = torch.cat([square(), torch.zeros(1, 20, 20)])
    *numbers, report = MapMetrics().score(torch.cat([square(), torch.rand(1, 20, 20)]), masks, 0.5)
    assert numbers == [1, 1, 1, 1, 1]
    assert json.loads(report)["each"]["auc"] == [1.0, None]


def test_numbers_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match=r"\(3, 8, 8\).*\(2, 8, 8\)"):
        MapMetrics().score(torch.rand(3, 8, 8), torch.ones(2, 8, 8), 0.5)


def test_one_bad_map_is_left_out_and_listed() -> None:
    maps, masks = torch.rand(3, 8, 8), torch.zeros(3, 8, 8)
    masks[:, :4] = 1
    alone = MapMetrics().score(maps=maps[::2], masks=masks[::2], threshold=0.3)
    maps[1, 0, 0] = float("nan")
    found = MapMetrics().score(maps=maps, masks=masks, threshold=0.3)
    assert found[:5] == alone[:5]
    assert json.loads(found[5])["left_out"] == {
        "count": 1,
        "items": [{"name": "map 2", "reason": "the map has NaN or infinite values"}],
    }
