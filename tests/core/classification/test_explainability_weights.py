import pytest
import torch
from classification_worlds import CLASSES, TEMPLATES
from clip_explainability.core.classification.class_words import class_word_mask, paired_word_relevancy
from clip_explainability.core.classification.classes import ClassName
from clip_explainability.core.classification.ensembles import class_vectors
from clip_explainability.core.classification.explainability_weights import class_word_shares, explainability_weights
from clip_explainability.core.classification.templates import fill
from clip_explainability.core.classification.zero_shot import encode_classes
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.relevancy import trace_texts, word_relevancy
from clip_explainability.core.towers.tokens import tokenize
from tiny_clips import FAMILIES, tiny_clip


@pytest.mark.parametrize(
    ("template", "name", "words"),
    [
        ("a photo of a {}.", "dog", ["dog"]),
        ("a photo of a {}.", "traffic light", ["traffic", "light"]),
        ("many {}s!", "dog", ["dogs"]),
        ("{}", "hot-air balloon", ["hot", "air", "balloon"]),
        ("a {} beside a {}", "Dog", ["dog", "dog"]),
        ("a dog, no: a {}", "dog", ["dog"]),
        ("the {} in a game", "rock'n'roll", ["rock'n'roll"]),
    ],
)
def test_the_names_tokens_are_found_in_any_template(template: str, name: str, words: list[str]) -> None:
    tokens = tokenize(tiny_clip("vit-cls"), [fill(template, name)])
    mask = class_word_mask(tokens, [template], [name])[0]
    marked = [word.text for word in tokens.words[0] if mask[list(word.positions)].all()]
    assert marked == words
    assert mask.sum() == sum(len(word.positions) for word in tokens.words[0] if word.text in words) - (
        template.startswith("a dog, no") * 1
    )


def test_a_name_beyond_the_context_has_no_tokens() -> None:
    template = "word " * 30 + "{}"
    tokens = tokenize(tiny_clip("vit-cls"), [fill(template, "dog")])
    assert class_word_mask(tokens, [template], ["dog"]).sum() == 0


def test_paired_relevancy_is_the_diagonal_of_all_pairs() -> None:
    clip = tiny_clip("vit-cls")
    with gradients():
        trace = trace_texts(clip, tokenize(clip, ["a photo of a dog", "traffic light", "the snail in a game"]))
        partners = torch.nn.functional.normalize(torch.randn(3, 48), dim=-1)
        pairs = word_relevancy(trace, partners, scale=3.0)
        paired = paired_word_relevancy(trace, partners, scale=3.0)
    torch.testing.assert_close(paired, torch.stack([pairs[k, k] for k in range(3)]))


@pytest.mark.parametrize("family", FAMILIES)
def test_shares_lie_in_0_to_1_and_are_1_for_the_name_alone(family: str) -> None:
    clip = tiny_clip(family)
    shares = class_word_shares(clip, encode_classes(clip, CLASSES, TEMPLATES))
    assert shares.shape == (len(CLASSES), len(TEMPLATES))
    assert ((shares >= 0) & (shares <= 1 + 1e-6)).all()
    alone = shares[:, TEMPLATES.index("{}")]
    assert ((alone - 1).abs() < 1e-5).logical_or(alone == 0).all()


def test_shares_do_not_depend_on_pass_size_order_or_other_classes() -> None:
    clip = tiny_clip("vit-cls")
    whole = class_word_shares(clip, encode_classes(clip, CLASSES, TEMPLATES))
    split = class_word_shares(clip, encode_classes(clip, CLASSES, TEMPLATES), texts_per_pass=3)
    torch.testing.assert_close(split, whole, atol=1e-5, rtol=0)
    mixed = class_word_shares(clip, encode_classes(clip, CLASSES[::-1], TEMPLATES[::-1]))
    torch.testing.assert_close(mixed.flip(0, 1), whole, atol=1e-5, rtol=0)
    single = class_word_shares(clip, encode_classes(clip, CLASSES[:1], TEMPLATES))
    torch.testing.assert_close(single, whole[:1], atol=1e-5, rtol=0)


def test_a_class_with_synonyms_has_their_mean_share() -> None:
    clip = tiny_clip("vit-cls")
    both = encode_classes(clip, (ClassName("dog", ("hound",)),), TEMPLATES)
    anchors = class_vectors(both.features)
    shares = [
        class_word_shares(clip, encode_classes(clip, (ClassName(name),), TEMPLATES), anchors)
        for name in ("dog", "hound")
    ]
    torch.testing.assert_close(class_word_shares(clip, both), sum(shares) / 2, atol=1e-5, rtol=0)


def test_weights_sum_to_one_and_follow_the_shares() -> None:
    weights = explainability_weights(torch.tensor([[0.2, 0.8], [0.5, 0.5]]), sharpness=1.0)
    torch.testing.assert_close(weights, torch.tensor([[0.2, 0.8], [0.5, 0.5]]))
    sharper = explainability_weights(torch.tensor([[0.2, 0.8]]), sharpness=2.0)
    torch.testing.assert_close(sharper, torch.tensor([[0.04, 0.64]]) / 0.68)


def test_a_class_without_any_share_is_weighted_evenly() -> None:
    assert explainability_weights(torch.zeros(1, 4)).tolist() == [[0.25] * 4]


def test_shares_come_from_under_inference_mode_as_well() -> None:
    clip = tiny_clip("vit-cls")
    with torch.inference_mode():
        shares = class_word_shares(clip, encode_classes(clip, CLASSES, TEMPLATES))
    torch.testing.assert_close(shares, class_word_shares(clip, encode_classes(clip, CLASSES, TEMPLATES)))
