from __future__ import annotations

import pytest
import torch
from clip_explainability.core.edges import CONTRAST, REACH, follow_edges
from hypothesis import given, settings
from hypothesis import strategies as st


def literal(maps, images, reach, contrast):
    """The formula pixel by pixel, samples being the pixels themselves."""
    count, batch, height, width = maps.shape
    result = torch.zeros_like(maps)
    places = [(y, x) for y in range(height) for x in range(width)]
    longer = max(height, width)
    for b in range(batch):
        for y, x in places:
            weights = torch.tensor(
                [
                    -(((y - v) / longer / reach) ** 2 + ((x - u) / longer / reach) ** 2) / 2
                    - float(((images[b, :, y, x] - images[b, :, v, u]) / contrast).square().sum()) / 2
                    for v, u in places
                ],
                dtype=torch.float64,
            ).exp()
            for k in range(count):
                result[k, b, y, x] = (weights * maps[k, b].flatten().double()).sum() / weights.sum()
    return result


def test_the_formula():
    images, maps = torch.rand(2, 3, 7, 9), torch.rand(3, 2, 7, 9)
    torch.testing.assert_close(
        follow_edges(maps, images, 0.2, 0.3), literal(maps, images, 0.2, 0.3), rtol=1e-4, atol=1e-5
    )


def test_heat_that_spills_over_an_edge_is_drawn_back():
    image = torch.zeros(1, 3, 64, 64)
    image[..., 16:48, 16:48] = 1  # a white square on black
    blurred = torch.zeros(1, 1, 64, 64)
    blurred[..., 8:56, 8:56] = 1  # heat that knows it within half a patch only
    heat = follow_edges(blurred, image)[0, 0]
    square = image[0, 0].bool()
    assert heat[square].min() > 0.99
    ring = (blurred[0, 0] > 0) & ~square
    assert heat[ring].mean() < 0.6
    iou = [float(((h > 0.8) & square).sum() / ((h > 0.8) | square).sum()) for h in (blurred[0, 0], heat)]
    assert iou[0] < 0.5
    assert iou[1] > 0.99


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), count=st.integers(1, 3), batch=st.integers(1, 3))
def test_any_size_keeps_shape_and_range(height, width, count, batch):
    maps = torch.randn(count, batch, height, width)
    followed = follow_edges(maps, torch.rand(batch, 3, height, width))
    assert followed.shape == maps.shape
    assert followed.min() >= maps.min() - 1e-5
    assert followed.max() <= maps.max() + 1e-5


@pytest.mark.parametrize("size", [(1, 4096), (3000, 2000)])
def test_large_images(size):
    followed = follow_edges(torch.rand(1, 1, *size), torch.rand(1, 3, *size))
    assert followed.isfinite().all()


def test_a_constant_map_stays_and_a_lone_colour_does_not_underflow():
    image = torch.zeros(1, 3, 200, 200)
    image[0, :, 100, 100] = 1  # no sample has this pixel's colour: every weight underflows unless they are shifted
    flat = follow_edges(torch.full((1, 1, 200, 200), 0.25), image, REACH, CONTRAST)
    torch.testing.assert_close(flat, torch.full_like(flat, 0.25))


def test_each_image_has_its_own_edges():
    images, maps = torch.rand(3, 3, 20, 30), torch.rand(2, 3, 20, 30)
    together = follow_edges(maps, images)
    for index in range(3):
        alone = follow_edges(maps[:, index : index + 1], images[index : index + 1])
        torch.testing.assert_close(together[:, index : index + 1], alone)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_comes_back_as_fp32(dtype):
    followed = follow_edges(torch.rand(1, 1, 20, 20).to(dtype), torch.rand(1, 3, 20, 20).to(dtype))
    assert followed.dtype == torch.float32
    assert followed.isfinite().all()
