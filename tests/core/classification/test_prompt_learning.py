import dataclasses

import pytest
import torch
from classification_worlds import random_features
from clip_explainability.core.classification.class_prompts import POSITIONS, LearningSettings
from clip_explainability.core.classification.learned_context import ContextPrompts, encode_learned, trace_context
from clip_explainability.core.classification.prompt_learning import (
    PromptLearner,
    explainability_loss,
    learning_rate,
    name_evidence,
)
from clip_explainability.core.classification.zero_shot import encode_texts
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.errors import InputError
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.relevancy import word_relevancy
from tiny_clips import tiny_clip

NAMES = ("dog", "traffic light", "snail")
LABELS = torch.tensor([0, 1, 2])
QUICK = LearningSettings(context_tokens=4, epochs=6, learning_rate=0.02)


@pytest.fixture
def clip() -> ExplainableCLIP:
    return tiny_clip("vit-cls")


def learn(clip: ExplainableCLIP, settings: LearningSettings, images: torch.Tensor | None = None) -> PromptLearner:
    images = random_features(3, 48) if images is None else images
    learner = PromptLearner(clip, NAMES, images, LABELS[: len(images)], settings)
    for _ in learner.epochs():
        pass
    return learner


def loss_of(clip: ExplainableCLIP, context: torch.Tensor, settings: LearningSettings) -> torch.Tensor:
    learner = PromptLearner(clip, NAMES, random_features(3, 48), LABELS, settings)
    return learner._loss(context, learner._images, learner._labels)[0]


@pytest.mark.parametrize("position", POSITIONS)
def test_context_made_of_word_embeddings_is_that_prompt(clip: ExplainableCLIP, position: str) -> None:
    words = clip.tokenizer(["a photo of the"])[0, 1:5]
    context = clip.text.token_embedding(words).detach()
    filled = {"end": "a photo of the {}.", "middle": "a photo {} of the.", "front": "{} a photo of the."}[position]
    prompts = ContextPrompts.build(clip, NAMES, 4, position)  # type: ignore[arg-type]
    with torch.no_grad():
        features = trace_context(clip, prompts, context).features
    expected = encode_texts(clip, [filled.replace("{}", name) for name in NAMES])
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("position", POSITIONS)
def test_the_name_mask_marks_the_names_tokens_alone(clip: ExplainableCLIP, position: str) -> None:
    prompts = ContextPrompts.build(clip, NAMES, 3, position)  # type: ignore[arg-type]
    table = clip.text.token_embedding.weight
    for index, name in enumerate(NAMES):
        ids = clip.tokenizer.encode(name)
        assert torch.equal(prompts.base[index][prompts.name_mask[index] == 1], table[ids])


@pytest.mark.parametrize("position", POSITIONS)
def test_a_name_that_ends_in_a_mark_keeps_it(clip: ExplainableCLIP, position: str) -> None:
    """BPE would merge the mark with the stop: "A+" and "A-" would differ in the stop's token alone."""
    names = ("A+", "A-", "C++", "50%", "(other)", "Dr.", "dog")
    prompts = ContextPrompts.build(clip, names, 2, position)  # type: ignore[arg-type]
    table = clip.text.token_embedding.weight
    (stop,) = clip.tokenizer.encode(".")
    for index, name in enumerate(names):
        own = prompts.base[index][prompts.name_mask[index] == 1]
        assert torch.equal(own, table[clip.tokenizer.encode(name)])
        assert torch.equal(prompts.base[index][prompts.pooled[index] - 1], table[stop])
    assert not torch.equal(prompts.base[0][prompts.name_mask[0] == 1], prompts.base[1][prompts.name_mask[1] == 1])


def test_evidence_is_the_best_name_token_of_the_row_without_its_own_entry() -> None:
    relevancy = torch.tensor([[[0.5, 1.0, 0.5, 9.0]]])
    evidence = name_evidence(relevancy, torch.tensor([3]), torch.tensor([[0, 1, 1, 0]]))
    assert evidence.tolist() == [[0.5]]


def test_the_explainability_loss_is_its_formula() -> None:
    evidence = torch.tensor([[0.6, 0.2, 0.1], [0.3, 0.5, 0.4]])
    labels = torch.tensor([0, 1])
    assert float(explainability_loss(evidence, labels, False)) == pytest.approx(-0.55)
    assert float(explainability_loss(evidence, labels)) == pytest.approx(-0.55 + (0.2 + 0.1 + 0.3 + 0.4) / 6)


def test_the_whole_loss_is_the_papers(clip: ExplainableCLIP) -> None:
    """Against the formulas, one image and one class at a time."""
    settings = dataclasses.replace(QUICK, explainability_weight=0.7)
    context = random_features(4, 64, seed=3)
    images = random_features(3, 48)
    prompts = ContextPrompts.build(clip, NAMES, 4, "middle")
    with gradients():
        found = loss_of(clip, context, settings)
        trace = trace_context(clip, prompts, context)
        features = trace.features.detach()
        cross_entropy, own, others = 0.0, 0.0, 0.0
        for i, image in enumerate(images):
            logits = clip.logit_scale * features @ image
            cross_entropy -= float(logits.log_softmax(dim=0)[i]) / 3
            for c in range(3):
                row = word_relevancy(trace, image.unsqueeze(0), clip.logit_scale)[0, c].detach().clone()
                row[int(prompts.pooled[c])] = 0
                best = float((row / row.sum())[prompts.name_mask[c] == 1].max())
                own, others = (own + best / 3, others) if c == i else (own, others + best / 9)
    assert float(found.detach()) == pytest.approx(cross_entropy + 0.7 * (-own + others), abs=1e-4)


def test_only_the_full_derivative_matches_finite_differences(clip: ExplainableCLIP) -> None:
    settings = {
        kind: dataclasses.replace(QUICK, explainability_weight=50.0, derivative=kind)
        for kind in ("full", "first order")
    }
    start = random_features(4, 64, seed=3)
    direction = random_features(4, 64, seed=4)
    slopes = {}
    for kind, chosen in settings.items():
        context = start.clone().requires_grad_()
        with gradients():
            loss_of(clip, context, chosen).backward()
        slopes[kind] = float((context.grad * direction).sum())
    step = 1e-3
    with gradients():
        ends = [float(loss_of(clip, start + s * direction, settings["full"]).detach()) for s in (step, -step)]
    numeric = (ends[0] - ends[1]) / (2 * step)
    assert slopes["full"] == pytest.approx(numeric, rel=0.05)
    assert slopes["first order"] != pytest.approx(numeric, rel=0.05)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_learning_lowers_the_loss(clip: ExplainableCLIP, weight: float) -> None:
    learner = PromptLearner(
        clip, NAMES, random_features(3, 48), LABELS, dataclasses.replace(QUICK, epochs=15, explainability_weight=weight)
    )
    losses = [report.loss for report in learner.epochs()]
    assert min(losses) < losses[0]


def test_lambda_raises_the_evidence_for_the_images_own_class(clip: ExplainableCLIP) -> None:
    def evidence(weight: float) -> float:
        settings = dataclasses.replace(QUICK, epochs=25, explainability_weight=weight, minimise_others=False)
        learned = learn(clip, settings).prompts()
        prompts = ContextPrompts.build(clip, NAMES, 4, "middle")
        with gradients():
            trace = trace_context(clip, prompts, learned.context)
            rows = word_relevancy(trace, random_features(3, 48), clip.logit_scale)
            return float(name_evidence(rows, trace.pooled, prompts.name_mask).diagonal().mean())

    assert evidence(20.0) > evidence(0.0) + 0.02


def test_the_same_seed_learns_the_same_and_another_does_not(clip: ExplainableCLIP) -> None:
    first, second = (learn(clip, QUICK).prompts().context for _ in range(2))
    assert torch.equal(first, second)
    other = learn(clip, dataclasses.replace(QUICK, seed=1)).prompts().context
    assert not torch.equal(first, other)


def test_the_callers_random_numbers_are_left_alone(clip: ExplainableCLIP) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    learn(clip, QUICK)
    assert torch.equal(torch.rand(3), expected)


def test_left_early_it_gives_the_best_so_far_and_at_the_end_the_last(clip: ExplainableCLIP) -> None:
    learner = PromptLearner(clip, NAMES, random_features(3, 48), LABELS, dataclasses.replace(QUICK, epochs=10))
    epochs = learner.epochs()
    losses, contexts = [], [learner.prompts().context]
    for _ in range(4):
        losses.append(next(epochs).loss)
        contexts.append(learner._context.clone())
    early = learner.prompts()
    assert torch.equal(early.context, contexts[losses.index(min(losses))])  # the context that had that loss
    assert len(early.history) == 4
    for _ in epochs:
        pass
    assert torch.equal(learner.prompts().context, learner._context)


def test_before_the_first_epoch_there_is_the_start(clip: ExplainableCLIP) -> None:
    learner = PromptLearner(clip, NAMES, random_features(3, 48), LABELS, QUICK)
    assert learner.prompts().history == ()
    assert learner.prompts().context.shape == (4, 64)


def test_learning_works_under_inference_mode(clip: ExplainableCLIP) -> None:
    with torch.inference_mode():
        context = learn(clip, QUICK, random_features(3, 48)).prompts().context
    assert torch.equal(context, learn(clip, QUICK).prompts().context)


def test_the_schedule_is_one_warm_up_epoch_and_a_cosine() -> None:
    settings = LearningSettings()
    rates = [learning_rate(epoch, settings) for epoch in range(settings.epochs)]
    assert rates[0] == 1e-5
    assert rates[25] == pytest.approx(0.001)
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert 0 < rates[-1] < 1e-5


def test_learned_prompts_classify_names_that_they_were_not_learned_on(clip: ExplainableCLIP) -> None:
    learned = learn(clip, QUICK).prompts()
    features = encode_learned(clip, learned, ("snail", "aeroplane", "dog"))
    known = encode_learned(clip, learned, NAMES)
    assert features.shape == (3, 48)
    torch.testing.assert_close(features[[2, 0]], known[[0, 2]], atol=1e-5, rtol=0)


def test_the_prompts_that_come_out_have_the_features_that_were_trained(clip: ExplainableCLIP) -> None:
    learner = learn(clip, QUICK)
    with torch.no_grad():
        trained = trace_context(clip, learner._frame, learner._context).features
    torch.testing.assert_close(encode_learned(clip, learner.prompts(), NAMES), trained, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context_tokens": 0}, "context_tokens is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"explainability_weight": -1.0}, "lambda is -1"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"position": "between"}, "position is 'between'; choose one of: middle"),
        ({"derivative": "second"}, "derivative is 'second'"),
        ({"context_tokens": 19}, "'traffic light' with 19 context vectors takes 24 tokens and this CLIP reads 20"),
    ],
)
def test_settings_out_of_range_are_refused_before_any_work(clip: ExplainableCLIP, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PromptLearner(clip, NAMES, random_features(3, 48), LABELS, dataclasses.replace(QUICK, **change))


def test_images_and_labels_must_match(clip: ExplainableCLIP) -> None:
    with pytest.raises(InputError, match="2 for 3 images"):
        PromptLearner(clip, NAMES, random_features(3, 48), LABELS[:2], QUICK)
    with pytest.raises(InputError, match="no image for class 'snail'"):
        PromptLearner(clip, NAMES, random_features(2, 48), LABELS[:2], QUICK)
    with pytest.raises(InputError, match="at least two"):
        PromptLearner(clip, NAMES[:1], random_features(1, 48), LABELS[:1], QUICK)


@pytest.mark.parametrize("family", ["siglip", "coca"])
def test_text_towers_that_are_not_causal_are_refused_with_a_remedy(family: str) -> None:
    with pytest.raises(InputError, match="choose one of those"):
        ContextPrompts.build(tiny_clip(family), NAMES, 4, "middle")


def test_divergence_is_said_and_not_returned(clip: ExplainableCLIP) -> None:
    settings = dataclasses.replace(QUICK, learning_rate=1e30, epochs=20)
    with pytest.raises(InputError, match="learning diverged in epoch"):
        learn(clip, settings)
