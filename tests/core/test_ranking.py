from __future__ import annotations

import torch
from boxed_scenes import two_objects
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.demo.clip import load_demo
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


def test_a_picture_with_each_object_in_its_box_beats_its_mirror_images() -> None:
    """Demo scenes of two objects, the demo CLIP: mirrored, each scene has both objects but not where they should be."""
    clip, first, kept, seen = load_demo(), 0, 0, 0
    for seed in range(8):
        image, prompt, constraints = two_objects(seed)
        images = torch.cat([image.flip(2), image.flip(3), image, image.flip(2, 3)])
        found = rank_images(clip, images, prompt, constraints)
        first += found.order[0] == 2
        kept, seen = kept + int(found.kept[2].sum()), seen + 2
        assert (found.kept.shape, found.inside.shape, found.contrast.shape) == ((4, 2), (4, 2), (4,))
    assert first >= 7
    assert kept / seen >= 0.9
