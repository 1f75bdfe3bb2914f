from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core.guidance.cutouts import cut, draw_windows, resample, seeded_generator

WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (40, 33)])
@pytest.mark.parametrize(("kernel", "mode"), [("triangle", "bilinear"), ("cubic", "bicubic")])
def test_resampling_agrees_with_interpolation(size: tuple[int, int], kernel: str, mode: str) -> None:
    images = torch.rand(2, 3, 20, 17, dtype=torch.float64)
    expected = F.interpolate(images, size, mode=mode, antialias=True, align_corners=False)
    assert torch.allclose(resample(images, size, kernel), expected, atol=1e-9)


def test_the_whole_window_is_the_whole_picture() -> None:
    images = torch.rand(2, 3, 20, 17)
    assert torch.allclose(cut(images, WHOLE, (8, 8))[0], resample(images, (8, 8)), atol=1e-6)


def test_a_window_shows_its_part_only() -> None:
    image = torch.zeros(1, 8, 8)
    image[:, :4, 4:] = 1
    quarter = torch.tensor([[0.0, 0.5, 0.5, 0.5]])
    assert torch.allclose(cut(image, quarter, (4, 4))[0, :, 1:, 1:-1][..., :-1, :], torch.ones(1, 2, 2))


def test_image_and_mask_move_together() -> None:
    """NTLB's released notebook returns inside its cutout loop; here picture and mask stay in register."""
    windows = draw_windows(6, seeded_generator(1, 2.0))
    mask = torch.zeros(32, 32)
    mask[4:20, 10:26] = 1
    picture = mask.expand(2, 3, 32, 32)
    seen, moved = cut(picture, windows, (16, 16)), cut(mask, windows, (16, 16))
    assert torch.allclose(seen, moved[:, None, None].expand_as(seen), atol=1e-6)
    assert not torch.allclose(moved[0], moved[1])


def test_windows_lie_inside_the_picture_and_the_first_is_all_of_it() -> None:
    windows = draw_windows(200, seeded_generator(3, 0.5), smallest=0.4)
    assert torch.equal(windows[:1], WHOLE)
    assert (windows[:, 2:] >= 0.4).all()
    assert (windows >= 0).all()
    assert (windows[:, :2] + windows[:, 2:] <= 1 + 1e-6).all()


def test_windows_depend_on_seed_sigma_and_repeat_alone() -> None:
    def draw(*key: float) -> torch.Tensor:
        return draw_windows(4, seeded_generator(*key))  # type: ignore[arg-type]

    torch.manual_seed(0)
    first, state = draw(5, 1.25, 0), torch.random.get_rng_state()
    assert torch.equal(first, draw(5, 1.25, 0))
    assert torch.equal(state, torch.random.get_rng_state())
    for other in [(6, 1.25, 0), (5, 1.26, 0), (5, 1.25, 1)]:
        assert not torch.equal(first, draw(*other))


def test_windows_are_differentiable() -> None:
    images = torch.rand(1, 5, 6, dtype=torch.float64, requires_grad=True)
    windows = draw_windows(2, seeded_generator(0, 0.0))
    assert torch.autograd.gradcheck(lambda x: cut(x, windows, (3, 4)), images)
