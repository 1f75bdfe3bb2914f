from __future__ import annotations

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.nodes.demo_scene import DemoScene


def draw(**changes):
    return DemoScene().draw(
        **{
            "objects": "cat, Guitar",
            "random_objects": 2,
            "width": 160,
            "height": 128,
            "scenes": 3,
            "clutter": 0.3,
            "seed": 5,
            **changes,
        }
    )


def test_pictures_masks_and_prompts_belong_together():
    images, masks, prompts, captions = draw()
    assert images.shape == (3, 128, 160, 3)
    assert images.dtype == masks.dtype == torch.float32
    assert masks.shape == (6, 128, 160)
    assert masks.amax(dim=(1, 2)).eq(1).all()
    assert (masks[:3] * masks[3:]).eq(0).all()
    assert prompts == "a photo of a cat\na photo of a guitar"
    assert len(captions.splitlines()) == 3


def test_a_seed_draws_the_same_again():
    assert draw()[0].equal(draw()[0])
    assert not draw()[0].equal(draw(seed=6)[0])


def test_empty_objects_are_chosen_by_the_seed():
    prompts = draw(objects="", random_objects=3)[2]
    assert len(prompts.splitlines()) == 3
    assert prompts == draw(objects=" , ", random_objects=3)[2]


def test_an_unknown_object_lists_the_known():
    with pytest.raises(InputError, match=r"'unicorn'.*cat"):
        draw(objects="unicorn")


def test_too_many_objects():
    with pytest.raises(InputError, match="at most 6"):
        draw(objects="cat, " * 7)


def test_apart_each_object_has_scenes_of_its_own():
    images, masks, prompts, captions = draw(scenes=2, apart=True)
    assert images.shape == (4, 128, 160, 3)
    assert masks.shape == (4, 128, 160)
    assert masks.amax(dim=(1, 2)).eq(1).all()
    assert prompts == "a photo of a cat\na photo of a guitar"
    assert len(captions.splitlines()) == 4
    assert draw(scenes=1, apart=True, objects="cat, dog, owl, fish, key, car, bus")[0].shape[0] == 7
