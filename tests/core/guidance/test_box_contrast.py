from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from boxed_scenes import two_objects
from clip_explainability.core.boxes.constraint import Constraints, from_box, from_mask
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.demo.clip import load_demo
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.guidance.box_contrast import box_contrast, boxes_hold, draw_places
from clip_explainability.core.guidance.cutouts import draw_windows, seeded_generator
from clip_explainability.core.guidance.objective import Objective, Weights

SCALE = 30.0


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_it_is_the_cross_entropy_over_objects_and_over_places() -> None:
    inside, outside, texts = features(3, 2, 8), features(3, 2, 8, seed=1), features(3, 8, seed=2)
    found = box_contrast(inside, outside, texts)
    for k in range(3):
        for b in range(2):
            what = F.cross_entropy(SCALE * texts @ inside[k, b], torch.tensor(k))
            places = torch.stack([*inside[:, b], outside[k, b]])
            where = F.cross_entropy(SCALE * places @ texts[k], torch.tensor(k))
            assert found[k, b].item() == pytest.approx((what + where).item(), rel=1e-5)


def test_one_object_alone_is_told_from_the_rest_of_the_picture() -> None:
    text = features(1, 8)
    inside, outside = text.unsqueeze(0), features(1, 1, 8, seed=1)
    margin = SCALE * (1 - (outside[0] @ text[0]).item())
    assert box_contrast(inside, outside, text).item() == pytest.approx(math.log1p(math.exp(-margin)), abs=1e-6)
    assert box_contrast(outside, inside, text).item() == pytest.approx(margin, rel=1e-3)


def test_objects_of_one_text_do_not_compete() -> None:
    texts = features(2, 8)
    both, outside = texts.unsqueeze(1), features(2, 1, 8, seed=1)
    twice = torch.cat([texts, texts[:1]])
    found = box_contrast(torch.cat([both, both[:1]]), torch.cat([outside, outside[:1]]), twice)
    assert torch.allclose(found[0], found[2])
    assert found[0].item() == pytest.approx(box_contrast(both, outside, texts)[0].item(), rel=1e-5)


def test_a_box_holds_its_object_if_it_wins_among_objects_and_among_places() -> None:
    texts, nowhere = torch.eye(4)[:2], torch.eye(4)[2:3].expand(2, 1, 4)  # the blanked picture shows neither
    right = texts.unsqueeze(1)
    assert boxes_hold(right, nowhere, texts).flatten().tolist() == [True, True]
    assert boxes_hold(right.flip(0), nowhere, texts).flatten().tolist() == [False, False]
    beside = torch.stack([texts[:1], nowhere[0]])  # the second object is in neither box, the first in its own ...
    assert boxes_hold(0.9 * right, beside, texts).flatten().tolist() == [False, True]  # ... and once more beside it


def test_objects_of_one_text_may_both_be_held() -> None:
    texts = torch.eye(3)[:1].expand(2, 3)
    assert boxes_hold(texts.unsqueeze(1), torch.zeros(2, 1, 3), texts).all()


def test_places_are_the_boxes_and_a_little_around_them() -> None:
    box = (0.25, 0.5, 0.5, 1.0)
    constraints = (from_box("dog", box, 64, 64), from_box("cat", (0.0, 0.0, 1.0, 1.0), 64, 64))
    for seed in range(20):
        places = draw_places(constraints, seeded_generator(seed, 1.0))
        top, left, height, width = places[0].tolist()
        assert 0.5 - 0.1 <= top <= 0.5
        assert 0.25 - 0.05 <= left <= 0.25
        assert top + height == pytest.approx(1.0)
        assert 0.5 <= left + width <= 0.55 + 1e-6
        assert places[1].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert not torch.equal(places, draw_places(constraints, seeded_generator(99, 1.0)))
    assert torch.equal(places, draw_places(constraints, seeded_generator(seed, 1.0)))


def test_a_mask_is_read_in_the_box_around_it() -> None:
    mask = torch.zeros(10, 10)
    mask[2:5, 6:8] = 1
    top, left, height, width = draw_places((from_mask("dog", mask),), seeded_generator(0, 1.0))[0].tolist()
    assert 0.14 <= top <= 0.2
    assert 0.56 <= left <= 0.6
    assert 0.5 <= top + height <= 0.56
    assert 0.8 <= left + width <= 0.84


def test_it_tells_things_in_their_boxes_from_things_in_each_others() -> None:
    """Demo scenes of two objects, read by the demo CLIP."""
    clip, better = load_demo(), 0
    for seed in range(10):
        right, swapped = (contrast_of(clip, *two_objects(seed, swapped)) for swapped in (False, True))
        better += right < swapped
    assert better == 10


def contrast_of(clip: ExplainableCLIP, image: torch.Tensor, prompt: str, constraints: Constraints) -> float:
    objective = Objective(clip, prompt, constraints, Weights(words=0, contrast=1.0))
    with gradients():
        found = objective.losses(image, draw_windows(1, seeded_generator(0, 1.0)), seeded_generator(0, 1.0))
    return sum(value.item() for name, value in found.terms.items() if name.startswith("contrast"))
