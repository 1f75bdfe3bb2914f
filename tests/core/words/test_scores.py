"""core.words.scores, by hand."""

from __future__ import annotations

import pytest
import torch
from clip_explainability.core.towers.tokens import tokenize
from clip_explainability.core.words.scores import normalize_tokens, word_scores
from tiny_clips import tiny_clip


def test_normalizations_by_hand():
    row = torch.tensor([[0.5, 2.0, 1.0, 1.0, 3.0, 0.0]])  # start, three content tokens, pooled, padding
    content, pooled = (1, 2, 3), 4
    by = {n: normalize_tokens(row, content, pooled, n)[0].tolist() for n in ("sum-max", "sum", "self-zero")}
    assert by["sum-max"] == [0, 1.0, 0.5, 0.5, 0, 0]
    assert by["sum"] == [0, 0.5, 0.25, 0.25, 0, 0]
    assert by["self-zero"] == pytest.approx([0.5 / 4.5, 2 / 4.5, 1 / 4.5, 1 / 4.5, 0, 0])


def test_a_word_scores_as_its_best_token():
    clip = tiny_clip("vit-cls")
    batch = tokenize(clip, ["supercalifragilistic cat"])
    pieces = batch.words[0][0].positions
    assert len(pieces) > 1
    row = torch.zeros(1, 1, 20)
    row[0, 0, pieces[1]] = 4.0
    row[0, 0, batch.words[0][1].positions[0]] = 1.0
    scores = word_scores(row, batch, torch.tensor([len(batch.content[0]) + 1]))[0]
    assert scores.tolist() == [[1.0, 0.25]]


def test_no_relevancy_at_all_gives_zeros_not_nan():
    assert normalize_tokens(torch.zeros(1, 4), (1, 2), 3).tolist() == [[0, 0, 0, 0]]
