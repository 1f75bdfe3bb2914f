from __future__ import annotations

import torch
from clip_explainability.core.maps import normalize_map, threshold_map


def test_each_map_is_normalised_by_itself():
    maps = torch.tensor([[[0.0, 2.0], [4.0, 1.0]], [[-1.0, -1.0], [-3.0, -2.0]]])
    heat = normalize_map(maps)
    assert heat[0].tolist() == [[0.0, 0.5], [1.0, 0.25]]
    assert heat[1].tolist() == [[1.0, 1.0], [0.0, 0.5]]


def test_a_constant_map_has_no_heat_and_no_mask():
    heat = normalize_map(torch.full((1, 3, 3), 7.0))
    assert heat.eq(0).all()
    assert threshold_map(heat, 0.0).eq(0).all()


def test_threshold_includes_its_value():
    heat = torch.tensor([[[0.0, 0.5], [1.0, 0.49]]])
    assert threshold_map(heat, 0.5).tolist() == [[[0, 1], [1, 0]]]
