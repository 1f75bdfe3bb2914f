"""Scenes: the same for the same seed, at any size, with masks and boxes that belong to what is drawn."""

import numpy as np
import pytest
from clip_explainability.core.demo import art, backgrounds
from clip_explainability.core.demo.scenes import Scene, draw_scene, mask_box, plain_caption
from hypothesis import given, settings
from hypothesis import strategies as st


def same(a: Scene, b: Scene) -> bool:
    masks = (np.array_equal(p.mask, q.mask) for p, q in zip(a.objects, b.objects, strict=True))
    return np.array_equal(a.image, b.image) and all(masks) and a.web_caption == b.web_caption


def test_one_seed_one_scene() -> None:
    assert same(draw_scene(3, 96), draw_scene(3, 96))
    assert not np.array_equal(draw_scene(3, 96).image, draw_scene(4, 96).image)


def test_a_seed_gives_the_same_scene_at_every_size() -> None:
    small, large = draw_scene(5, 64, n_objects=2), draw_scene(5, 256, n_objects=2)
    assert [o.label for o in small.objects] == [o.label for o in large.objects]
    for few, many in zip(small.objects, large.objects, strict=True):
        assert np.abs(np.array(few.box) * 4 - np.array(many.box)).max() <= 10


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 160),
    width=st.integers(1, 160),
    n_objects=st.integers(1, 3),
    vendor=st.sampled_from(art.vendors()),
    background=st.sampled_from(backgrounds.KINDS),
    clutter=st.floats(0, 1),
)
def test_any_size(
    seed: int, height: int, width: int, n_objects: int, vendor: str, background: str, clutter: float
) -> None:
    scene = draw_scene(
        seed, (height, width), n_objects=n_objects, vendor=vendor, background=background, clutter=clutter
    )
    assert scene.image.shape == (height, width, 3)
    assert scene.image.dtype == np.float32
    assert np.isfinite(scene.image).all()
    assert scene.image.min() >= 0
    assert scene.image.max() <= 1
    assert len(scene.objects) == n_objects
    for thing in scene.objects:
        assert thing.mask.shape == (height, width)
        assert thing.box == mask_box(thing.mask)


@pytest.mark.parametrize("n_objects", [1, 2, 3])
def test_masks_are_where_the_picture_differs_from_the_background(n_objects: int) -> None:
    scene = draw_scene(11, 128, n_objects=n_objects, background="plain")
    covered = np.any([o.mask for o in scene.objects], axis=0)
    backdrop = np.median(scene.image[~covered], axis=0)
    differs = np.abs(scene.image - backdrop).max(-1) > 0.02
    assert differs[covered].mean() > 0.95
    assert differs[~covered].mean() < 0.05


def test_masks_do_not_overlap_and_objects_are_seen() -> None:
    for seed in range(20):
        scene = draw_scene(seed, 96, n_objects=3)
        assert np.sum([o.mask for o in scene.objects], axis=0).max() <= 1
        assert all(o.mask.sum() > 60 for o in scene.objects)


def test_classes_asked_for_are_drawn_in_order_and_named() -> None:
    scene = draw_scene(0, 64, classes=["owl", "dog"])
    assert [o.label for o in scene.objects] == ["owl", "dog"]
    assert scene.caption == "a photo of an owl and a dog"


def test_more_than_three_objects_fit() -> None:
    assert len(draw_scene(0, 128, classes=list(art.class_names()[:6])).objects) == 6


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(ValueError, match="unicorn"):
        draw_scene(0, 64, classes=["unicorn"])


def test_plain_captions_list_everything() -> None:
    assert plain_caption(["cat"]) == "a photo of a cat"
    assert plain_caption(["cat", "apple", "bus"]) == "a photo of a cat, an apple and a bus"
