from __future__ import annotations

import json

import torch
from clip_explainability.core.explain import Explanation
from clip_explainability.core.report import build_report


def explanation(word_scores):
    return Explanation(
        prompts=("a cat",),
        maps=torch.zeros(1, 2, 2, 3),
        scores=torch.tensor([[0.25, -0.5]]),
        logits=torch.tensor([[25.0, -50.0]]),
        words=(("a", "cat"),),
        cut_off=((),),
        word_scores=word_scores,
        warnings=("careful",),
    )


HEAT = torch.tensor([[[[0.0, 0.5, 0.0], [0.0, 0.0, 1.0]], [[0.0] * 3, [0.0] * 3]]])


def test_report_by_hand():
    report = build_report(
        explanation((torch.tensor([[0.25, 1.0], [1.0, 0.75]]),)), HEAT, (HEAT >= 0.5).float(), "demo", "relevancy", 0.7
    )
    assert report["warnings"] == ["careful"]
    first, second = report["prompts"][0]["images"]
    assert first["score"] == 0.25
    assert first["coverage"] == round(2 / 6, 5)
    assert first["hottest"] == [2, 1]
    assert [w["neglected"] for w in first["words"]] == [True, False]
    assert second["hottest"] is None
    json.dumps(report)


def test_without_a_text_tower_there_are_no_words():
    report = build_report(explanation(None), HEAT, HEAT, "demo", "relevancy", 0.7)
    assert report["prompts"][0]["images"][0]["words"] == []
