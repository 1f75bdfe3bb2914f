import open_clip
import pytest
import torch
from classification_worlds import CLASSES, TEMPLATES, random_images
from clip_explainability.core.classification import zero_shot
from clip_explainability.core.classification.classes import ClassName
from clip_explainability.core.classification.ensembles import class_vectors
from clip_explainability.core.classification.templates import preset_templates
from clip_explainability.core.classification.zero_shot import encode_classes, encode_images, encode_texts
from clip_explainability.core.errors import InputError
from clip_explainability.core.explain import check_images
from tiny_clips import FAMILIES, tiny_clip

NAMES = [entry.name for entry in CLASSES]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_plain_mean_is_open_clips_zero_shot_classifier(family: str) -> None:
    clip = tiny_clip(family)
    theirs = open_clip.build_zero_shot_classifier(clip.model, clip.tokenizer, NAMES, TEMPLATES).T
    ours = class_vectors(encode_classes(clip, CLASSES, TEMPLATES).features)
    assert (ours - theirs).abs().max() <= 1e-6


def test_the_plain_mean_of_the_80_imagenet_templates_is_open_clips() -> None:
    clip = tiny_clip("vit-cls")
    theirs = open_clip.build_zero_shot_classifier(
        clip.model, clip.tokenizer, NAMES, open_clip.OPENAI_IMAGENET_TEMPLATES
    )
    ours = class_vectors(encode_classes(clip, CLASSES, preset_templates("imagenet 80")).features)
    assert (ours - theirs.T).abs().max() <= 1e-6


def test_order_of_classes_and_templates_only_reorders_the_features() -> None:
    clip = tiny_clip("vit-cls")
    straight = encode_classes(clip, CLASSES, TEMPLATES).features
    mixed = encode_classes(clip, CLASSES[::-1], TEMPLATES[::-1]).features
    torch.testing.assert_close(mixed.flip(0, 1), straight, atol=1e-6, rtol=0)


@pytest.mark.parametrize("texts_per_pass", [1, 3, 1000])
def test_the_pass_size_changes_nothing_but_the_memory(texts_per_pass: int) -> None:
    clip = tiny_clip("vit-cls")
    whole = encode_classes(clip, CLASSES, TEMPLATES).features
    split = encode_classes(clip, CLASSES, TEMPLATES, texts_per_pass).features
    torch.testing.assert_close(split, whole, atol=1e-6, rtol=0)


def test_a_synonym_moves_its_class_and_no_other() -> None:
    clip = tiny_clip("vit-cls")
    plain = encode_classes(clip, CLASSES, TEMPLATES).features
    named = encode_classes(clip, (ClassName("dog", ("hound",)), *CLASSES[1:]), TEMPLATES).features
    hound = encode_classes(clip, (ClassName("hound"),), TEMPLATES).features[0]
    torch.testing.assert_close(named[1:], plain[1:], atol=1e-6, rtol=0)
    expected = torch.nn.functional.normalize((plain[0] + hound) / 2, dim=-1)
    torch.testing.assert_close(named[0], expected, atol=1e-6, rtol=0)


def test_a_thousand_classes_in_80_templates_are_encoded_in_passes_of_bounded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = []

    def count_only(clip, ids):  # type: ignore[no-untyped-def]
        sizes.append(len(ids))
        return torch.ones(len(ids), 4)

    monkeypatch.setattr(zero_shot, "_encode_ids", count_only)
    monkeypatch.setattr(
        type(tiny_clip("vit-cls").tokenizer), "__call__", lambda self, texts: torch.zeros(len(texts), 1)
    )
    classes = tuple(ClassName(f"class {i}") for i in range(1000))
    seen = []
    found = encode_classes(
        tiny_clip("vit-cls"), classes, preset_templates("imagenet 80"), report=lambda *step: seen.append(step)
    )
    assert found.features.shape == (1000, 80, 4)
    assert max(sizes) <= zero_shot.TEXTS_PER_PASS
    assert sum(sizes) == 80_000
    assert seen[-1] == (80_000, 80_000)


def test_a_thousand_classes_are_classified_for_real() -> None:
    clip = tiny_clip("vit-cls")
    classes = tuple(ClassName(f"thing {i}") for i in range(1000))
    assert encode_classes(clip, classes, ("a {}",)).features.shape == (1000, 1, 48)


def test_features_are_unit_vectors_that_autograd_accepts_even_from_inference_mode() -> None:
    clip = tiny_clip("vit-cls")
    with torch.inference_mode():
        texts, images = encode_texts(clip, ["a dog"]), encode_images(clip, random_images(2))
    for features in (texts, images):
        assert not features.is_inference()
        torch.testing.assert_close(features.norm(dim=-1), torch.ones(len(features)))


@pytest.mark.parametrize("family", FAMILIES)
def test_images_get_the_features_of_the_towers_own_forward_pass(family: str) -> None:
    clip = tiny_clip(family)
    images = random_images(3, *clip.image_size)
    with torch.no_grad():
        expected = clip.model.encode_image(clip.normalize_pixels(images), normalize=True)
    torch.testing.assert_close(encode_images(clip, images), expected, atol=1e-5, rtol=0)


def test_batches_of_images_of_any_size_give_what_single_images_give() -> None:
    clip = tiny_clip("vit-cls")
    images = random_images(5, 70, 130)
    whole = encode_images(clip, images, images_per_pass=2)
    single = torch.cat([encode_images(clip, image.unsqueeze(0)) for image in images])
    torch.testing.assert_close(whole, single, atol=1e-5, rtol=0)


def test_tiles_are_refused_with_the_choice_there_is() -> None:
    with pytest.raises(InputError, match="choose 'crop' or 'stretch'"):
        encode_images(tiny_clip("vit-cls"), random_images(1), "tile")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_pixel_that_is_no_number_is_refused_and_its_image_named(bad: float) -> None:
    images = random_images(5)
    images[3, 1, 2, 2] = bad
    with pytest.raises(InputError, match="number 3 of the batch"):
        encode_images(tiny_clip("vit-cls"), images, images_per_pass=2)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_values_and_channels_are_taken_as_everywhere_in_the_pack(channels: int) -> None:
    clip = tiny_clip("vit-cls")
    images = 1.5 * torch.rand(2, channels, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.25  # overshoots
    torch.testing.assert_close(encode_images(clip, images), encode_images(clip, check_images(images)))
