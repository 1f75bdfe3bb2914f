from __future__ import annotations

import torch
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.ranking import rank_images
from tiny_clips import tiny_clip

BOX = (from_box("dog", (0.0, 0.0, 0.5, 1.0), 32, 32),)


def test_the_best_picture_neglects_least_and_keeps_most() -> None:
    found = rank_images(tiny_clip("vit-cls"), torch.rand(6, 3, 40, 60), "a dog and a cat", BOX)
    assert sorted(found.order) == list(range(6))
    scores = [float(found.score[i]) for i in found.order]
    assert scores == sorted(scores, reverse=True)
    kept = found.kept.float().mean(dim=1)
    words = 1 - found.words.neglected[:, [1, 4]].float().mean(dim=1)
    assert torch.allclose(found.score, (kept + words) / 2)


def test_without_boxes_words_alone_count() -> None:
    found = rank_images(tiny_clip("vit-cls"), torch.rand(2, 3, 40, 60), "a dog and a cat")
    assert found.inside.shape == (2, 0)
    assert torch.allclose(found.score, 1 - found.words.neglected[:, [1, 4]].float().mean(dim=1))


def test_a_prompt_without_content_words_ranks_by_similarity() -> None:
    found = rank_images(tiny_clip("vit-cls"), torch.rand(3, 3, 40, 60), "the of and")
    assert found.order == found.words.similarity.argsort(descending=True).tolist()


def test_equal_scores_are_ordered_by_similarity() -> None:
    images = torch.rand(6, 3, 40, 60)
    found = rank_images(tiny_clip("vit-cls"), images, "a dog and a cat", threshold=0.0)  # no word is ever neglected
    assert found.score.eq(1).all()
    assert found.order == found.words.similarity.argsort(descending=True).tolist()
