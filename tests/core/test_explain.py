from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from clip_explainability.core.errors import InputError, UnsupportedFamilyError
from clip_explainability.core.explain import check_images, explain
from clip_explainability.core.methods import METHODS, MapOptions
from clip_explainability.core.views import choose_views
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_clips import DENSE_FAMILIES, FAMILIES, tiny_clip


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    batch=st.integers(1, 5),
    channels=st.sampled_from([1, 3, 4]),
    prompts=st.lists(st.text(min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=3),
    fit=st.sampled_from(["stretch", "crop", "tile"]),
)
def test_any_image_and_any_prompt(height, width, batch, channels, prompts, fit):
    found = explain(tiny_clip("vit-cls"), torch.rand(batch, channels, height, width), prompts, fit=fit)
    assert found.maps.shape == (len(prompts), batch, height, width)
    assert found.maps.isfinite().all()
    assert found.scores.abs().max() <= 1.0001
    assert found.word_scores is not None
    assert [s.shape for s in found.word_scores] == [(batch, len(w)) for w in found.words]
    assert all(((s >= 0) & (s <= 1)).all() for s in found.word_scores)


@pytest.mark.parametrize("size", [(1, 1), (1, 4096), (4096, 1), (2048, 3000)])
def test_extreme_sizes(size):
    found = explain(tiny_clip("vit-cls"), torch.rand(1, 3, *size), ["a cat"], fit="tile")
    assert found.maps.shape == (1, 1, *size)
    assert found.maps.isfinite().all()


def test_sixteen_images_equal_sixteen_single_images():
    clip, images = tiny_clip("vit-cls"), torch.rand(16, 3, 40, 60)
    together = explain(clip, images, ["a cat", "a dog"])
    for index in (0, 5, 15):
        alone = explain(clip, images[index : index + 1], ["a cat", "a dog"])
        torch.testing.assert_close(together.maps[:, index], alone.maps[:, 0], rtol=1e-3, atol=1e-7)
        torch.testing.assert_close(together.scores[:, index], alone.scores[:, 0], rtol=1e-4, atol=1e-6)


def test_a_thousand_words_warn_and_name_what_was_cut():
    found = explain(tiny_clip("vit-cls"), torch.rand(1, 3, 40, 40), ["cat " * 999 + "unicorn"])
    assert len(found.warnings) == 1
    assert "cut off" in found.warnings[0]
    assert found.cut_off[0][-1] == "unicorn"


def test_alpha_is_laid_over_white():
    rgba = torch.zeros(1, 4, 2, 2)
    rgba[:, 3, 0] = 1.0
    assert check_images(rgba)[0, :, 0].eq(0).all()
    assert check_images(rgba)[0, :, 1].eq(1).all()


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.full((2, 3, 4, 4), float("nan")), "NaN"),
        (torch.full((2, 3, 4, 4), float("inf")), "infinite"),
        (torch.rand(3, 4, 4), "shape"),
        (torch.rand(1, 2, 4, 4), "channels"),
        (torch.rand(0, 3, 4, 4), "non-empty"),
    ],
)
def test_bad_images_are_named_before_any_work(images, says):
    with pytest.raises(InputError, match=says):
        explain(tiny_clip("vit-cls"), images, ["a cat"])


@pytest.mark.parametrize("prompts", [[], [""], ["a cat", "  "]])
def test_empty_prompts(prompts):
    with pytest.raises(InputError, match="text is empty"):
        explain(tiny_clip("vit-cls"), torch.rand(1, 3, 4, 4), prompts)


def test_an_unknown_method_lists_the_known():
    with pytest.raises(InputError, match="relevancy"):
        explain(tiny_clip("vit-cls"), torch.rand(1, 3, 4, 4), ["a cat"], method="magic")


def test_progress_counts_every_step_and_can_stop():
    seen = []
    explain(
        tiny_clip("vit-cls"), torch.rand(9, 3, 20, 40), ["a cat"], fit="tile", report=lambda d, t: seen.append((d, t))
    )
    assert seen == [(i, 9) for i in range(10)]

    class Stop(Exception):
        pass

    def stop(done, total):
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        explain(tiny_clip("vit-cls"), torch.rand(9, 3, 20, 40), ["a cat"], fit="tile", report=stop)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fit", ["stretch", "tile"])
def test_shifted_grids_change_the_map_alone(family, fit):
    clip, images, seen = tiny_clip(family), torch.rand(2, 3, 60, 90), []
    plain = explain(clip, images, ["a cat"], fit=fit)
    shifted = explain(clip, images, ["a cat"], fit=fit, shifted=True, report=lambda *steps: seen.append(steps))
    assert shifted.maps.shape == plain.maps.shape
    assert not shifted.maps.equal(plain.maps)
    assert shifted.scores.equal(plain.scores)
    assert seen[-1] == (len(seen) - 1, len(seen) - 1)
    assert len(seen) - 1 == 5 * len(choose_views((60, 90), clip.image_size, fit))
    if plain.word_scores is not None:
        assert shifted.word_scores[0].equal(plain.word_scores[0])


def test_one_pixel_on_shifted_grids():
    assert explain(tiny_clip("vit-cls"), torch.rand(1, 3, 1, 1), ["a cat"], shifted=True).maps.shape == (1, 1, 1, 1)


@pytest.mark.parametrize("fit", ["stretch", "crop", "tile"])
def test_following_edges_changes_the_map_alone_and_only_where_the_tower_looked(fit):
    clip, images = tiny_clip("vit-cls"), torch.rand(5, 3, 60, 90)
    plain = explain(clip, images, ["a cat", "a dog"], fit=fit)
    followed = explain(clip, images, ["a cat", "a dog"], fit=fit, along_edges=True)
    assert followed.maps.shape == plain.maps.shape
    assert followed.scores.equal(plain.scores)
    seen = slice(15, 75) if fit == "crop" else slice(None)
    assert not followed.maps[..., seen].equal(plain.maps[..., seen])
    if fit == "crop":
        assert followed.maps[..., :15].equal(plain.maps[..., :15])
        assert followed.maps[..., 75:].equal(plain.maps[..., 75:])


@pytest.mark.parametrize("family", [*FAMILIES, *DENSE_FAMILIES])
def test_every_family_explains_or_names_the_methods_that_can(family):
    clip = tiny_clip(family)
    for name, method in METHODS.items():
        if method.applies_to(clip.vision):
            continue
        with pytest.raises(UnsupportedFamilyError, match=r"methods that do: surgery"):
            explain(clip, torch.rand(1, 3, 40, 40), ["a cat"], method=name)
    method = "relevancy" if clip.vision.offers("attention") else "itsm"
    assert explain(clip, torch.rand(1, 3, 40, 40), ["a cat"], method, MapOptions(blocks=1)).maps.std() > 0


@pytest.mark.parametrize(
    ("trunk", "size", "message"),
    [
        ("convnext_atto", 70, "ConvNeXt for pictures of 70 x 70.*multiple of the 32"),
        ("mixer_s32_224", 224, "Mlp"),
    ],
)
def test_a_tower_without_a_map_to_read_is_refused_by_name(trunk, size, message):
    import open_clip
    from clip_explainability.core.clip import ExplainableCLIP
    from tiny_clips import TEXT

    vision = {"timm_model_name": trunk, "timm_pool": "", "timm_proj": "linear", "image_size": size}
    with torch.device("meta"):
        model = open_clip.CustomTextCLIP(32, vision, TEXT)
    with pytest.raises(UnsupportedFamilyError, match=message):
        ExplainableCLIP(model, None, trunk)


def test_the_same_input_gives_the_same_bits():
    clip, image = tiny_clip("siglip"), torch.rand(1, 3, 50, 70)
    one, two = (explain(clip, image, ["a cat"], fit="tile") for _ in range(2))
    assert one.maps.equal(two.maps)


@pytest.mark.parametrize("tower", ["visual", "transformer"])
def test_a_clip_that_overflows_is_named(tower):
    """As weights do that are NaN, or too large for fp16."""
    whole = tiny_clip("vit-cls")
    clip = dataclasses.replace(whole, model=copy.deepcopy(whole.model))
    next(getattr(clip.model, tower).parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match=r"gives values that are not finite \(its weights are float32\); load it with"):
        explain(clip, torch.rand(1, 3, 64, 64), ["a cat"])


def test_pictures_in_another_range_are_refused_with_the_remedy() -> None:
    picture = torch.rand(1, 3, 8, 8)
    for images, message in ((picture * 255, "0 .*to 2.*divide by 255"), (picture * 2 - 1, "add 1 and divide by 2")):
        with pytest.raises(InputError, match=message.replace("0 .*", "")):
            check_images(images)
    assert torch.equal(check_images((picture * 255).byte()), (picture * 255).byte() / 255)
    lights = picture.clone()
    lights[..., 0, 0] = 30  # of a wide range
    assert torch.equal(check_images(lights - 0.2), (lights - 0.2).clamp(0, 1))
