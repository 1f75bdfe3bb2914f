"""What holds for every map method on every family of image towers."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.eclip.projection import EclipProjection, initial_projection
from clip_explainability.core.errors import InputError, UnsupportedFamilyError
from clip_explainability.core.explain import explain
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.maps import normalize_map
from clip_explainability.core.methods import METHODS, MapOptions
from clip_explainability.core.towers.attention import AttentionTap
from clip_explainability.core.towers.patch_features import head_input, head_projection
from clip_explainability.core.towers.patch_tokens import run_tower
from tiny_clips import DENSE_FAMILIES, FAMILIES, tiny_clip

EVERY_PAIR = [(family, name) for family in FAMILIES for name in METHODS]
EVERY_PAIR += [(f, name) for f in DENSE_FAMILIES for name in METHODS if METHODS[name].applies_to(tiny_clip(f).vision)]
TEXT_FREE = {"rollout", "raw_attention"}
# The tiny random ResNet's one attention layer is saturated: its probabilities have no gradient.
SATURATED = {("resnet", name) for name in TEXT_FREE}


def random_pixels(clip: ExplainableCLIP, count: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, *clip.image_size, generator=torch.Generator().manual_seed(seed))


def random_texts(clip: ExplainableCLIP, count: int = 3) -> torch.Tensor:
    with torch.no_grad():
        size = clip.model.encode_image(clip.normalize_pixels(random_pixels(clip, 1))).shape[-1]
    return F.normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(1)), dim=-1)


def options_for(clip: ExplainableCLIP) -> MapOptions:
    with torch.no_grad():
        width = head_input(clip, run_tower(clip, random_pixels(clip, 1)).tokens).shape[-1]
    return MapOptions(projection=EclipProjection(*initial_projection(clip, width), clip.fingerprint, clip.name, {}))


def maps_of(clip: ExplainableCLIP, name: str, pixels: torch.Tensor, texts: torch.Tensor, create_graph: bool = False):
    with gradients():
        return METHODS[name].patch_maps(clip, pixels, texts, options_for(clip), create_graph)


@pytest.mark.parametrize(("family", "name"), EVERY_PAIR)
def test_maps_are_finite_and_features_are_the_untouched_towers(family: str, name: str) -> None:
    clip = tiny_clip(family)
    pixels, texts = random_pixels(clip), random_texts(clip)
    found = maps_of(clip, name, pixels, texts)
    assert found.maps.shape == (3, 2, *clip.vision.grid)
    assert found.maps.dtype == found.features.dtype == torch.float32
    assert found.maps.isfinite().all()
    with torch.no_grad():
        features = F.normalize(clip.model.encode_image(clip.normalize_pixels(pixels)), dim=-1)
    torch.testing.assert_close(found.features.detach(), features, rtol=0, atol=5e-6)


@pytest.mark.parametrize(("family", "name"), EVERY_PAIR)
def test_a_batch_gives_what_single_images_give(family: str, name: str) -> None:
    clip = tiny_clip(family)
    pixels, texts = random_pixels(clip, 3), random_texts(clip)
    together = maps_of(clip, name, pixels, texts).maps.detach()
    alone = torch.cat([maps_of(clip, name, image[None], texts).maps for image in pixels], dim=1).detach()
    torch.testing.assert_close(together, alone, rtol=0, atol=float(2e-4 * together.abs().max()))


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"surgery"}))
def test_prompts_do_not_influence_each_other(name: str) -> None:
    clip = tiny_clip("vit-cls")
    pixels, texts = random_pixels(clip), random_texts(clip)
    together = maps_of(clip, name, pixels, texts).maps.detach()
    alone = torch.cat([maps_of(clip, name, pixels, text[None]).maps for text in texts]).detach()
    torch.testing.assert_close(together, alone, rtol=0, atol=float(1e-5 * together.abs().max()))


@pytest.mark.parametrize(("family", "name"), [pair for pair in EVERY_PAIR if pair not in SATURATED])
def test_differentiable_means_that_gradients_reach_the_image(family: str, name: str) -> None:
    clip = tiny_clip(family)
    pixels = random_pixels(clip, 1).requires_grad_()
    maps = maps_of(clip, name, pixels, random_texts(clip), create_graph=True).maps
    assert METHODS[name].differentiable
    gradient = torch.autograd.grad(maps.pow(2).sum(), pixels)[0]
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("name", METHODS)
def test_gradients_are_the_finite_differences(name: str) -> None:
    base = tiny_clip("vit-cls")
    clip = ExplainableCLIP(copy.deepcopy(base.model).double(), base.tokenizer, "double")
    pixels, texts = random_pixels(clip, 1), random_texts(base)
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(len(texts), 1, *clip.vision.grid, generator=generator)
    direction = torch.randn(pixels.shape, generator=generator)

    moving = pixels.clone().requires_grad_()
    maps = maps_of(clip, name, moving, texts, create_graph=True).maps
    largest = float(maps.detach().abs().max())
    gradient = torch.autograd.grad((maps * weights).sum() / largest, moving)[0]
    step = 2e-4  # maps come in fp32
    ahead, behind = (maps_of(clip, name, pixels + s * direction, texts).maps for s in (step, -step))
    numeric = float(((ahead - behind).detach() * weights).sum() / largest / (2 * step))
    assert float((gradient * direction).sum()) == pytest.approx(numeric, rel=0.03, abs=0.01)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", ["vit-cls", "siglip"])
@pytest.mark.parametrize("name", METHODS)
def test_half_precision_maps_resemble_full_precision(name: str, family: str, dtype: torch.dtype) -> None:
    clip = tiny_clip(family)
    half = ExplainableCLIP(copy.deepcopy(clip.model).to(dtype), clip.tokenizer, "half")
    pixels, texts = random_pixels(clip, 2), random_texts(clip)
    full, low = maps_of(clip, name, pixels, texts).maps, maps_of(half, name, pixels, texts).maps
    assert low.isfinite().all()
    for a, b in zip(full.detach().flatten(0, 1), low.detach().flatten(0, 1), strict=True):
        if a.std() > 0:
            assert torch.corrcoef(torch.stack([a.flatten(), b.flatten().float()]))[0, 1] > 0.9


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_left_as_it_was(name: str) -> None:
    clip = tiny_clip("vit-cls")
    before = {key: value.clone() for key, value in clip.model.state_dict().items()}
    maps_of(clip, name, random_pixels(clip), random_texts(clip))
    assert all(torch.equal(value, before[key]) for key, value in clip.model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in clip.model.modules())
    assert not any(parameter.requires_grad for parameter in clip.model.parameters())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("colour", [0.0, 1.0])
def test_an_image_of_one_colour_gives_maps_that_can_be_normalised(name: str, colour: float) -> None:
    clip = tiny_clip("resnet")
    maps = maps_of(clip, name, torch.full((1, 3, *clip.image_size), colour), random_texts(clip)).maps.detach()
    assert normalize_map(maps).isfinite().all()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_explains_images_of_any_size_under_inference_mode(name: str) -> None:
    """As ComfyUI calls it."""
    clip = tiny_clip("vit-cls")
    options = options_for(clip)
    with torch.inference_mode():
        found = explain(clip, torch.rand(1, 3, 40, 90), ["a cat", "a dog"], name, options, fit="tile")
    assert found.maps.shape == (2, 1, 40, 90)
    assert found.maps.isfinite().all()


def test_text_free_methods_say_so() -> None:
    clip = tiny_clip("vit-cls")
    for name, method in METHODS.items():
        maps = maps_of(clip, name, random_pixels(clip), random_texts(clip)).maps
        same = bool((maps == maps[:1]).all())
        assert same == (name in TEXT_FREE) == ("without text" in method.source)


def test_the_table_that_users_see_is_complete() -> None:
    expected = [
        "relevancy", "agreement", "legrad", "grad_eclip", "surgery", "eclip", "maskclip", "sclip", "naclip",
        "clearclip", "gem", "itsm", "rclip", "grad_cam", "rollout", "raw_attention",
    ]  # fmt: skip
    assert list(METHODS) == expected
    for method in METHODS.values():
        assert method.needs in ("dense features", "attention")
        assert method.cost
        assert method.source


def test_a_method_that_does_not_apply_names_those_that_do() -> None:
    applying = ["surgery", "eclip", "maskclip", "itsm", "rclip", "grad_cam"]
    for family in DENSE_FAMILIES:
        clip = tiny_clip(family)
        assert [name for name, method in METHODS.items() if method.applies_to(clip.vision)] == applying
        with pytest.raises(UnsupportedFamilyError, match=rf"'gem' does not apply.*attention.*: {', '.join(applying)}$"):
            METHODS["gem"].require_family(clip)


@pytest.mark.parametrize("family", ["fastvit", "swin"])
def test_dense_features_average_to_the_image_embedding(family: str) -> None:
    """Where nothing but a linear layer follows the mean over the places."""
    clip = tiny_clip(family)
    pixels = random_pixels(clip)
    with torch.no_grad():
        hidden = head_input(clip, run_tower(clip, pixels).tokens).mean(dim=1)
        whole = clip.model.encode_image(clip.normalize_pixels(pixels))
        torch.testing.assert_close(F.linear(hidden, *head_projection(clip)), whole)


def test_rclip_is_itsm_upside_down() -> None:
    clip = tiny_clip("vit-cls")
    pixels, texts = random_pixels(clip), random_texts(clip)
    itsm, rclip = (normalize_map(maps_of(clip, name, pixels, texts).maps) for name in ("itsm", "rclip"))
    torch.testing.assert_close(rclip, 1 - itsm, rtol=0, atol=1e-5)


def test_eclip_with_the_towers_own_projection_is_itsm() -> None:
    clip = tiny_clip("eva")
    pixels, texts = random_pixels(clip), random_texts(clip)
    maps = [maps_of(clip, name, pixels, texts).maps for name in ("itsm", "eclip")]
    torch.testing.assert_close(*maps, rtol=0, atol=1e-5)


def test_eclip_asks_for_a_projection_and_refuses_anothers() -> None:
    clip = tiny_clip("vit-cls")
    with pytest.raises(InputError, match="Train ECLIP Projection"):
        explain(clip, torch.rand(1, 3, 64, 64), ["a cat"], "eclip")
    foreign = EclipProjection(torch.eye(48, 96), torch.zeros(48), "other", "ViT-X", {})
    with pytest.raises(InputError, match=r"trained for ViT-X, not for vit-cls"):
        explain(clip, torch.rand(1, 3, 64, 64), ["a cat"], "eclip", MapOptions(projection=foreign))


def test_surgery_with_one_prompt_contrasts_it_with_the_empty_one() -> None:
    clip = tiny_clip("vit-cls")
    pixels = random_pixels(clip)
    texts = random_texts(clip, 1)
    with torch.no_grad():
        empty = F.normalize(clip.model.encode_text(clip.tokenizer([""]).to(clip.device)), dim=-1)
    alone = maps_of(clip, "surgery", pixels, texts).maps
    contrasted = maps_of(clip, "surgery", pixels, torch.cat([texts, empty])).maps[:1]
    assert alone.abs().max() > 0
    torch.testing.assert_close(alone, contrasted, rtol=0, atol=float(1e-4 * alone.abs().max()))


def test_last_blocks_limits_what_is_read() -> None:
    clip = tiny_clip("vit-cls")
    pixels, texts = random_pixels(clip), random_texts(clip)
    for name in ("relevancy", "agreement", "legrad", "rollout", "surgery", "gem"):
        with gradients():
            last, two = (
                METHODS[name].patch_maps(clip, pixels, texts, MapOptions(blocks=n)).maps.detach() for n in (1, 2)
            )
        assert not torch.allclose(last, two)


def test_taps_nest_without_counting_twice() -> None:
    clip = tiny_clip("siglip")
    with torch.no_grad(), AttentionTap() as outer:
        run_tower(clip, random_pixels(clip))
    assert len(outer.calls) == clip.vision.blocks + 1
