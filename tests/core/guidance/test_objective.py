from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.boxes.geometry import WHOLE
from clip_explainability.core.classification.zero_shot import encode_texts
from clip_explainability.core.errors import InputError
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.guidance import objective as module
from clip_explainability.core.guidance.cutouts import draw_windows, seeded_generator
from clip_explainability.core.guidance.objective import Losses, Objective, Weights
from clip_explainability.core.guidance.similarity import spherical_distance
from clip_explainability.core.guidance.word_loss import WordChoice
from clip_explainability.core.ranking import relevancy_inside
from clip_explainability.core.words.neglected import find_neglected
from tiny_clips import tiny_clip

PROMPT = "a dog and a [cat] near the bench"
CONSTRAINTS = (
    from_box("dog", (0.0, 0.0, 0.5, 0.5), 64, 64, prompt="a photo of a dog"),
    from_box("cat", (0.5, 0.4, 1.0, 1.0), 64, 64, prompt="a photo of a cat", weight=2.0),
)
WINDOWS = draw_windows(4, seeded_generator(0, 1.0))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 48, 40, generator=torch.Generator().manual_seed(1))


def losses(objective: Objective, images: torch.Tensor, windows: torch.Tensor = WINDOWS) -> Losses:
    with gradients():
        return objective.losses(images, windows, generator())


def close(first: torch.Tensor, second: torch.Tensor) -> bool:
    """To five digits of the largest."""
    return bool((first - second).abs().max() < 1e-5 * first.abs().max())


def test_terms_sum_to_the_total() -> None:
    found = losses(Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS), pictures())
    assert list(found.terms) == ["similarity", "words", "box 1: dog", "box 2: cat"]
    assert torch.allclose(torch.stack(list(found.terms.values())).sum(dim=0), found.total)


def test_similarity_alone_is_the_spherical_distance() -> None:
    clip = tiny_clip("vit-cls")
    images = torch.rand(2, 3, 64, 64)
    found = losses(Objective(clip, "a dog", weights=Weights(words=0)), images, WINDOWS[:1])
    with torch.no_grad():
        image = torch.nn.functional.normalize(clip.model.encode_image(clip.normalize_pixels(images)), dim=-1)
        text = torch.nn.functional.normalize(clip.model.encode_text(clip.tokenizer(["a dog"])), dim=-1)
    assert torch.allclose(found.total, spherical_distance(image, text), atol=1e-5)
    assert found.words is None
    assert found.overlaps is None


def test_word_scores_are_those_of_the_neglected_words_node() -> None:
    clip = tiny_clip("vit-cls")
    images = torch.rand(2, 3, 64, 64)
    found = losses(Objective(clip, PROMPT), images, WINDOWS[:1])
    alone = find_neglected(clip, images, PROMPT)
    assert found.words is not None
    assert torch.allclose(found.words, alone.scores, atol=1e-4)
    assert torch.equal(found.chosen, alone.neglected)


def test_words_weight_lambda_times_the_mean_of_the_neglected() -> None:
    found = losses(Objective(tiny_clip("vit-cls"), PROMPT, weights=Weights(words=0.3)), pictures())
    assert found.words is not None
    assert found.chosen is not None
    mean = (found.words * found.chosen).sum(dim=1) / found.chosen.sum(dim=1).clamp(min=1)
    assert torch.allclose(found.terms["words"], -0.3 * mean)


def test_a_box_weighs_its_own_weight_over_the_root_of_its_area() -> None:
    found = losses(Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS, Weights(boxes=0.5)), pictures())
    assert found.overlaps is not None
    assert torch.allclose(found.terms["box 2: cat"], -0.5 * 2.0 * 0.15 / 0.3**0.5 * found.overlaps[:, 1], rtol=1e-4)


def test_the_contrast_weighs_the_objects_and_stands_alone() -> None:
    clip, images = tiny_clip("vit-cls"), pictures()
    found = losses(Objective(clip, PROMPT, CONSTRAINTS, Weights(contrast=0.2)), images)
    assert list(found.terms) == [
        "similarity",
        "words",
        "box 1: dog",
        "box 2: cat",
        "contrast 1: dog",
        "contrast 2: cat",
    ]
    assert torch.allclose(torch.stack(list(found.terms.values())).sum(dim=0), found.total)
    double = losses(Objective(clip, PROMPT, CONSTRAINTS, Weights(contrast=0.4)), images)
    assert torch.allclose(double.terms["contrast 1: dog"], 2 * found.terms["contrast 1: dog"])
    heavier = tuple(replace(each, weight=3 * each.weight) for each in CONSTRAINTS)
    same = losses(Objective(clip, PROMPT, heavier, Weights(contrast=0.2)), images)
    assert torch.allclose(same.terms["contrast 2: cat"], found.terms["contrast 2: cat"])
    alone = losses(Objective(clip, PROMPT, CONSTRAINTS, Weights(contrast=0.2, boxes=0)), images)
    assert list(alone.terms) == ["similarity", "words", "contrast 1: dog", "contrast 2: cat"]
    assert alone.overlaps is None
    assert torch.allclose(alone.terms["contrast 1: dog"], found.terms["contrast 1: dog"])
    assert set(losses(Objective(clip, PROMPT, (), Weights(contrast=0.2)), images).terms) == {"similarity", "words"}


def test_without_either_box_term_the_constraints_are_left_out() -> None:
    objective = Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS, Weights(boxes=0, contrast=0))
    assert list(losses(objective, pictures()).terms) == ["similarity", "words"]
    assert objective.views(4) == 4


@pytest.mark.parametrize("family", ["vit-cls", "vit-mean", "vit-attention-pool", "siglip", "resnet", "eva"])
def test_the_gradient_is_the_losses_derivative(family: str) -> None:
    """The words' and boxes' terms contain gradients themselves: this is a check of the second order."""
    clip = tiny_clip(family)
    objective = Objective(clip, PROMPT, CONSTRAINTS, Weights(words=1.0, contrast=0.2), "all")
    images = pictures(1)
    with gradients():
        _, gradient = objective.gradient(images, WINDOWS, generator())
    step = 2e-3 * gradient / gradient.norm()
    higher, lower = (losses(objective, images + sign * step).total.sum().item() for sign in (1, -1))
    assert (higher - lower) / 4e-3 == pytest.approx(gradient.norm().item(), rel=0.03)


def test_batch_equals_single() -> None:
    weights, images = Weights(contrast=0.2), pictures(3)
    objective = Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS, weights)
    with gradients():
        _, together = objective.gradient(images, WINDOWS, generator())
        apart = [objective.gradient(image[None], WINDOWS, generator())[1] for image in images]
    assert close(together, torch.cat(apart))


def test_passes_give_what_one_pass_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The word term alone depends on the pass, for it is taken at the windows' mean feature."""
    objective = Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS, Weights(words=0, contrast=0.2))
    with gradients():
        whole, gradient = objective.gradient(pictures(), WINDOWS, generator())
        monkeypatch.setattr(module, "PASS_BYTES", 1)
        parts, in_parts = objective.gradient(pictures(), WINDOWS, generator())
    assert torch.allclose(whole.total, parts.total, atol=1e-5)
    assert close(gradient, in_parts)


def test_weight_zero_leaves_a_box_out() -> None:
    muted = from_box("dog", (0, 0, 1, 1), 8, 8, weight=0.0)
    assert list(losses(Objective(tiny_clip("vit-cls"), "a dog", (muted,)), pictures()).terms) == ["similarity", "words"]


def test_nothing_grows_from_call_to_call() -> None:
    """The text side's graph is kept for the whole run; the steps must not hang on to it."""
    import gc

    objective = Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS, Weights(contrast=0.2))

    def count() -> int:
        with gradients():
            objective.gradient(pictures(1), WINDOWS, generator())
        gc.collect()
        return sum(type(each) is torch.Tensor for each in gc.get_objects())

    count()
    assert count() == count()


@pytest.mark.parametrize("choice", ["neglected", "all", "marked"])
def test_objectives_and_pictures_made_under_inference_mode(choice: WordChoice) -> None:
    with torch.inference_mode():
        objective, images = Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS, choice=choice), pictures() * 1.0
        with gradients():
            found, _ = objective.gradient(images.clone(), WINDOWS, generator())
    expected = losses(Objective(tiny_clip("vit-cls"), PROMPT, CONSTRAINTS, choice=choice), pictures())
    assert torch.allclose(found.total, expected.total)


@pytest.mark.parametrize("prompt", ["", "  ", "[]"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(InputError, match="empty"):
        Objective(tiny_clip("vit-cls"), prompt)


def test_relevancy_inside_a_box_over_everything_is_all_of_it() -> None:
    clip, whole = tiny_clip("vit-cls"), (from_box("dog", WHOLE, 8, 8),)
    texts = encode_texts(clip, ["dog"])
    assert torch.allclose(relevancy_inside(clip, pictures(), whole, texts), torch.ones(2, 1), atol=1e-5)


def test_box_weight_needs_attention_and_names_what_does_not() -> None:
    clip = tiny_clip("convnext")
    whole = (from_box("a cat", WHOLE, 16, 16),)
    with pytest.raises(InputError, match=r"box_weight.*needs attention.*\(ConvNeXt\).*steer by box_contrast"):
        Objective(clip, "a cat", whole, Weights(boxes=1.0))
    found = losses(Objective(clip, "a [red] cat", whole, Weights(words=1.0, boxes=0.0, contrast=1.0)), pictures())
    assert found.total.isfinite().all()
    assert torch.allclose(relevancy_inside(clip, pictures(), whole, torch.randn(1, 48)).sum(), torch.tensor(2.0))
