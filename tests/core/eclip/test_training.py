"""core.eclip.training: the parts by their definitions, the whole by what it does to maps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core.eclip import training
from clip_explainability.core.eclip.projection import initial_projection
from clip_explainability.core.errors import InputError
from clip_explainability.core.evaluation import metrics
from tiny_clips import tiny_clip


def test_free_mask_keeps_the_largest_patches_up_to_the_mass() -> None:
    attention = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.0, 0.0, 0.0, 0.0], [5.0, 0.0, 0.0, 5.0]])
    mask = training.free_mask(attention, 0.6)
    assert mask.tolist() == [[False, True, False, True], [True, True, True, True], [True, False, False, True]]
    assert training.free_mask(attention, 1.0)[0].all()
    assert training.free_mask(attention, 0.01).sum(dim=-1).tolist() == [1, 4, 1]


def test_masked_max_pool_is_the_channelwise_maximum_inside() -> None:
    patches = torch.randn(2, 5, 3)
    mask = torch.tensor([[True, False, True, False, False], [False, False, False, True, False]])
    pooled = training.masked_max_pool(patches, mask)
    torch.testing.assert_close(pooled[0], torch.maximum(patches[0, 0], patches[0, 2]))
    torch.testing.assert_close(pooled[1], patches[1, 3])


def test_contrastive_loss_is_the_mean_of_both_directions() -> None:
    logits = torch.randn(4, 4)
    own = torch.eye(4, dtype=torch.bool)
    rows = -torch.stack([logits[i].log_softmax(0)[i] for i in range(4)]).mean()
    columns = -torch.stack([logits[:, i].log_softmax(0)[i] for i in range(4)]).mean()
    torch.testing.assert_close(training.contrastive_loss(logits, own), (rows + columns) / 2)


def test_equal_captions_are_no_negatives() -> None:
    same = training._same_captions(("a cat", "a dog", "a cat"))
    assert same.tolist() == [[True, False, True], [False, True, False], [True, False, True]]
    logits = torch.randn(3, 3)
    changed = logits.clone()
    changed[0, 2], changed[2, 0] = 99.0, -99.0
    torch.testing.assert_close(training.contrastive_loss(logits, same), training.contrastive_loss(changed, same))


@pytest.mark.parametrize(
    ("change", "name"),
    [({"epochs": 0}, "epochs"), ({"batch_size": 1}, "batch_size"), ({"learning_rate": 0.0}, "learning_rate"),
     ({"attention_mass": 0.0}, "attention_mass"), ({"attention_mass": 1.5}, "attention_mass")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_named(change: dict, name: str) -> None:
    with pytest.raises(InputError, match=name):
        training.TrainingSettings(**change).check()


@pytest.mark.parametrize("family", ["vit-cls", "vit-mean", "resnet", "siglip", "coca", "eva"])
def test_pairs_of_every_family_can_be_trained_on(family: str) -> None:
    clip = tiny_clip(family)
    images = list(torch.rand(6, 3, *clip.image_size, generator=torch.Generator().manual_seed(0)))
    captions = ["a cat", "a dog", "a tree", "two birds", "a cat", "a red car"]
    done: list[int] = []
    pairs = training.encode_pairs(clip, images, captions, done.append)
    assert done == [6]
    assert pairs.hidden.shape[:2] == (6, clip.vision.grid[0] * clip.vision.grid[1])
    torch.testing.assert_close(pairs.texts.norm(dim=-1), torch.ones(6))
    history: list[list] = []
    settings = training.TrainingSettings(epochs=3, batch_size=3, learning_rate=1e-3)
    first = training.train_projection(clip, pairs, settings, lambda epochs: history.append(list(epochs)))
    assert [len(epochs) for epochs in history] == [1, 2, 3]
    assert first.history == tuple(history[-1])
    again = training.train_projection(clip, pairs, settings)
    assert torch.equal(first.weight, again.weight)
    weight, _ = initial_projection(clip, pairs.hidden.shape[-1])
    assert not torch.allclose(first.weight, weight)


def test_too_few_pairs_are_refused() -> None:
    clip = tiny_clip("vit-cls")
    with pytest.raises(InputError, match="1 image-caption pairs"):
        training.encode_pairs(clip, [torch.rand(3, *clip.image_size)], ["a cat"])


def test_training_learns_which_patch_the_caption_speaks_of() -> None:
    """A world of its own: each image has one patch that carries its caption's direction, under a fixed rotation that
    the projection must learn, and attention twice as high there as elsewhere."""
    clip = tiny_clip("vit-cls")
    generator = torch.Generator().manual_seed(0)
    classes = F.normalize(torch.randn(12, 48, generator=generator), dim=-1)
    mixing = torch.randn(48, 96, generator=generator)
    label = torch.randint(12, (384,), generator=generator)
    place = torch.randint(16, (384,), generator=generator)
    hidden = torch.randn(384, 16, 96, generator=generator)
    attention = torch.ones(384, 16)
    for index in range(384):
        hidden[index, place[index]] += 3 * classes[label[index]] @ mixing
        attention[index, place[index]] = 2.0
    pairs = training.FrozenPairs(
        hidden.half(), attention, classes[label], tuple(f"a {int(number)}" for number in label)
    )
    projection = training.train_projection(clip, pairs, training.TrainingSettings(epochs=30, learning_rate=3e-3))
    assert projection.history[-1][2] < projection.history[0][2]

    def contrast(weight: torch.Tensor, bias: torch.Tensor) -> float:
        patches = F.normalize(F.linear(hidden, weight, bias), dim=-1)
        maps = torch.einsum("bnd,bd->bn", patches, classes[label]).unflatten(-1, (4, 4))
        masks = F.one_hot(place, 16).float().unflatten(-1, (4, 4))
        return float(metrics.score_maps(maps, masks).contrast.mean())

    assert contrast(projection.weight, projection.bias) > contrast(*initial_projection(clip, 96)) + 0.3
