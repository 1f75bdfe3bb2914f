from __future__ import annotations

import pytest
import torch
from clip_explainability.core.guidance.word_loss import choose_words, word_loss

SCORES = torch.tensor([[1.0, 0.2, 0.6, 0.1], [0.3, 1.0, 0.9, 0.8]])
CONTENT = torch.tensor([True, True, True, False])


def test_neglected_are_the_candidates_below_the_threshold() -> None:
    chosen = choose_words(SCORES, CONTENT, "neglected", 0.7)
    assert chosen.tolist() == [[False, True, True, False], [True, False, False, False]]


@pytest.mark.parametrize("choice", ["all", "marked"])
def test_the_other_choices_take_every_candidate(choice: str) -> None:
    assert torch.equal(choose_words(SCORES, CONTENT, choice, 0.7), CONTENT.expand(2, 4))


def test_the_loss_is_minus_the_mean_of_the_chosen() -> None:
    loss = word_loss(SCORES, choose_words(SCORES, CONTENT, "neglected", 0.7))
    assert loss.tolist() == pytest.approx([-(0.2 + 0.6) / 2, -0.3])


def test_nothing_neglected_costs_nothing() -> None:
    assert word_loss(SCORES, torch.zeros_like(SCORES, dtype=torch.bool)).tolist() == [0, 0]


def test_only_chosen_words_get_a_gradient() -> None:
    scores = SCORES.clone().requires_grad_()
    word_loss(scores, choose_words(scores, CONTENT, "neglected", 0.7)).sum().backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[0, -0.5, -0.5, 0], [-1, 0, 0, 0]]
