import pytest
import torch
from classification_worlds import random_features
from clip_explainability.core.classification.ensembles import (
    ENSEMBLES,
    Ensemble,
    class_vectors,
    score,
    template_predictions,
    zpe_weights,
)
from clip_explainability.core.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

IMAGES, PROMPTS = random_features(6, 16), random_features(5, 7, 16, seed=1)
WEIGHTS = torch.rand(5, 7, generator=torch.Generator().manual_seed(2)).softmax(dim=1)
SCALE = 20.0
every_ensemble = pytest.mark.parametrize("ensemble", ENSEMBLES)


def weights_for(ensemble: Ensemble, weights: torch.Tensor = WEIGHTS) -> torch.Tensor | None:
    return weights if ensemble == "explainability-weighted" else None


@every_ensemble
def test_probabilities_are_probabilities_and_the_ranking_sorts_them(ensemble: Ensemble) -> None:
    found = score(IMAGES, PROMPTS, SCALE, ensemble, weights=weights_for(ensemble))
    torch.testing.assert_close(found.probabilities.sum(dim=1), torch.ones(6))
    assert (found.probabilities.gather(1, found.ranking).diff(dim=1) <= 1e-7).all()
    assert ((found.margin >= 0) & (found.margin <= 1)).all()
    assert ((found.agreement >= 0) & (found.agreement <= 1)).all()
    assert found.class_vectors.shape == (5, 16)


@every_ensemble
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_order_of_classes_and_templates_does_not_matter(ensemble: Ensemble, data: st.DataObject) -> None:
    classes = data.draw(st.permutations(range(5)))
    templates = data.draw(st.permutations(range(7)))
    straight = score(IMAGES, PROMPTS, SCALE, ensemble, weights=weights_for(ensemble))
    mixed = score(
        IMAGES,
        PROMPTS[classes][:, templates],
        SCALE,
        ensemble,
        weights=weights_for(ensemble, WEIGHTS[classes][:, templates]),
    )
    torch.testing.assert_close(mixed.probabilities, straight.probabilities[:, classes], atol=1e-5, rtol=0)
    torch.testing.assert_close(mixed.agreement, straight.agreement)
    assert [classes[c] for c in mixed.top.tolist()] == straight.top.tolist()


@every_ensemble
def test_the_order_of_images_does_not_matter(ensemble: Ensemble) -> None:
    straight = score(IMAGES, PROMPTS, SCALE, ensemble, weights=weights_for(ensemble))
    mixed = score(IMAGES.flip(0), PROMPTS, SCALE, ensemble, weights=weights_for(ensemble))
    torch.testing.assert_close(mixed.probabilities.flip(0), straight.probabilities)


@every_ensemble
def test_one_template_is_plain_clip_whatever_the_ensemble(ensemble: Ensemble) -> None:
    single = PROMPTS[:, :1]
    found = score(IMAGES, single, SCALE, ensemble, weights=weights_for(ensemble, WEIGHTS[:, :1]))
    assert found.top.tolist() == (IMAGES @ single[:, 0].T).argmax(dim=1).tolist()
    assert (found.agreement == 1).all()


@every_ensemble
def test_a_single_class_always_wins_by_everything(ensemble: Ensemble) -> None:
    found = score(IMAGES, PROMPTS[:1], SCALE, ensemble, weights=weights_for(ensemble, WEIGHTS[:1]))
    assert (found.probabilities == 1).all()
    assert (found.margin == 1).all()


@every_ensemble
def test_temperature_flattens_and_never_reorders(ensemble: Ensemble) -> None:
    cold, hot = (score(IMAGES, PROMPTS, SCALE, ensemble, t, weights_for(ensemble)) for t in (0.5, 5.0))
    assert cold.ranking.tolist() == hot.ranking.tolist()
    if ensemble != "majority vote":
        assert (cold.margin > hot.margin).all()


def test_the_mean_of_logits_is_the_mean_of_the_templates_logits() -> None:
    found = score(IMAGES, PROMPTS, SCALE, "mean of logits")
    logits = torch.stack([SCALE * IMAGES @ PROMPTS[:, t].T for t in range(7)]).mean(dim=0)
    torch.testing.assert_close(found.probabilities, logits.softmax(dim=1))


def test_votes_are_counted_and_ties_go_to_the_higher_mean_logit() -> None:
    image = torch.tensor([[1.0, 0.0]])
    strong, weak = torch.tensor([1.0, 0.0]), torch.nn.functional.normalize(torch.tensor([0.5, 1.0]), dim=0)
    feeble = torch.tensor([0.0, 1.0])
    prompts = torch.stack([torch.stack([weak, feeble]), torch.stack([feeble, strong])])  # one vote each
    found = score(image, prompts, SCALE, "majority vote")
    assert found.probabilities.tolist() == [[0.5, 0.5]]
    assert found.top.tolist() == [1]
    assert found.agreement.tolist() == [0.5]


def test_template_predictions_are_each_templates_own_best_class() -> None:
    expected = torch.stack([(IMAGES @ PROMPTS[:, t].T).argmax(dim=1) for t in range(7)], dim=1)
    assert torch.equal(template_predictions(IMAGES, PROMPTS), expected)


def test_zpe_weights_follow_their_formula() -> None:
    logits = SCALE * torch.einsum("bd,ctd->bct", IMAGES, PROMPTS)
    scores = (logits - logits.mean(dim=0)).amax(dim=1).mean(dim=0)
    torch.testing.assert_close(zpe_weights(IMAGES, PROMPTS, SCALE), scores.softmax(dim=0))


def test_zpe_of_a_single_image_has_nothing_to_compare_and_weighs_evenly() -> None:
    torch.testing.assert_close(zpe_weights(IMAGES[:1], PROMPTS, SCALE), torch.full((7,), 1 / 7))


def test_zpe_prefers_the_template_that_tells_images_apart() -> None:
    blind = PROMPTS.clone()
    blind[:, 3] = random_features(16, seed=9)  # the same direction for every class
    assert zpe_weights(IMAGES, blind, SCALE).argmin() == 3


def test_weights_of_zero_leave_a_template_out() -> None:
    only_second = torch.tensor([0.0, 1, 0, 0, 0, 0, 0])
    torch.testing.assert_close(class_vectors(PROMPTS, only_second), PROMPTS[:, 1])
    torch.testing.assert_close(class_vectors(PROMPTS, only_second.expand(5, 7)), PROMPTS[:, 1])


def test_even_weights_are_the_plain_mean() -> None:
    torch.testing.assert_close(class_vectors(PROMPTS, torch.ones(5, 7)), class_vectors(PROMPTS))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(InputError, match="temperature is"):
        score(IMAGES, PROMPTS, SCALE, temperature=temperature)


def test_an_unknown_ensemble_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'median'; choose one of: mean of embeddings"):
        score(IMAGES, PROMPTS, SCALE, "median")  # type: ignore[arg-type]
