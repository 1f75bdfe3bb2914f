"""The judge: how it reads logits, how detections are matched to objects, and that the shipped weights do their job."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

TRAINING = Path(__file__).resolve().parents[2] / "training"
NAMES = ("cat", "dog")
MODULES = ("judge", "train_judge", "judge_pictures", "diffusion_world", "library")


@pytest.fixture(scope="module")
def scripts():
    """The modules of training/, which import each other by bare name."""
    sys.path.insert(0, str(TRAINING))
    import judge
    import judge_pictures
    import train_judge

    yield SimpleNamespace(judge=judge, pictures=judge_pictures, train=train_judge)
    sys.path.remove(str(TRAINING))
    for name in MODULES:
        sys.modules.pop(name, None)


def logits_of(*blocks: tuple[int, slice, slice, float]) -> torch.Tensor:
    """Logits [3, 24, 24] of background, but for blocks (class, rows, columns, its probability there)."""
    probabilities = torch.zeros(3, 24, 24)
    probabilities[2] = 1
    for label, rows, columns, probability in blocks:
        probabilities[label, rows, columns] = probability
        probabilities[2, rows, columns] = 1 - probability
    return probabilities.clamp(min=1e-9).log()


def test_a_block_of_cells_is_an_object_with_the_blocks_box(scripts) -> None:
    (found,) = scripts.judge.detect(logits_of((1, slice(6, 12), slice(3, 15), 1.0)), 0.5, NAMES)
    assert found.class_name == "dog"
    assert found.box == pytest.approx((3 / 24, 6 / 24, 15 / 24, 12 / 24), abs=1e-5)
    assert found.area == pytest.approx(6 * 12 / 576)
    assert found.confidence == pytest.approx(1)


def test_an_object_at_the_border_ends_at_the_border(scripts) -> None:
    (found,) = scripts.judge.detect(logits_of((0, slice(0, 24), slice(20, 24), 1.0)), 0.5, NAMES)
    assert found.box == pytest.approx((20 / 24, 0, 1, 1), abs=1e-5)


def test_the_edge_lies_where_the_probability_crosses_one_half(scripts) -> None:
    # The column beside the block has 0.4: 5/6 of the way from the centre with 1.0 to the centre with 0.4.
    logits = logits_of((0, slice(4, 10), slice(4, 10), 1.0), (0, slice(4, 10), slice(10, 11), 0.4))
    (found,) = scripts.judge.detect(logits, 0.5, NAMES)
    assert found.box[2] == pytest.approx((9.5 + 5 / 6) / 24, abs=1e-5)
    assert found.area == pytest.approx(36 / 576), "a cell below one half is no part of the object"


def test_empty_logits_hold_no_object(scripts) -> None:
    assert scripts.judge.detect(logits_of(), 0.0, NAMES) == []


def test_apart_are_two_objects_and_corner_to_corner_is_one(scripts) -> None:
    first = (0, slice(2, 6), slice(2, 6), 1.0)
    apart = scripts.judge.detect(logits_of(first, (0, slice(7, 11), slice(2, 6), 1.0)), 0.5, NAMES)
    touching = scripts.judge.detect(logits_of(first, (0, slice(6, 10), slice(6, 10), 1.0)), 0.5, NAMES)
    neighbours = scripts.judge.detect(logits_of(first, (1, slice(2, 6), slice(6, 10), 1.0)), 0.5, NAMES)
    assert [len(apart), len(touching)] == [2, 1]
    assert sorted(found.class_name for found in neighbours) == ["cat", "dog"]


def test_tiny_and_unsure_regions_are_dropped_and_the_surest_comes_first(scripts) -> None:
    tiny = (0, slice(0, 1), slice(0, scripts.judge.SMALLEST - 1), 1.0)
    smallest = (0, slice(20, 21), slice(0, scripts.judge.SMALLEST), 0.95)
    unsure, sure = (1, slice(8, 12), slice(2, 6), 0.6), (1, slice(8, 12), slice(12, 16), 0.9)
    logits = logits_of(tiny, smallest, unsure, sure)
    for threshold, confidences in ((0.5, [0.95, 0.9, 0.6]), (0.7, [0.95, 0.9]), (0.97, [])):
        found = scripts.judge.detect(logits, threshold, NAMES)
        assert [detection.confidence for detection in found] == pytest.approx(confidences)


def test_logits_of_other_classes_are_refused(scripts) -> None:
    with pytest.raises(ValueError, match="3 channels for 3 classes"):
        scripts.judge.detect(logits_of(), 0.5, ("cat", "dog", "cow"))


def test_only_the_right_class_in_the_right_place_counts(scripts) -> None:
    box = (0.2, 0.2, 0.6, 0.6)

    def outcome(*found: tuple[str, tuple[float, ...]]) -> tuple:
        detections = [scripts.judge.Detection(name, place, 0.9, 0.1) for name, place in found]
        result = scripts.train.compare(detections, ["cat"], [box])
        return result.ious[0], result.false, result.absent

    assert outcome(("cat", box)) == (pytest.approx(1), 0, 0)
    assert outcome(("dog", box)) == (0, 1, 1)
    assert outcome(("cat", (0.6, 0.6, 1.0, 1.0))) == (0, 1, 0)
    assert outcome(("cat", box), ("cat", box)) == (pytest.approx(1), 1, 0)
    assert outcome(("cat", (0.2, 0.2, 0.6, 0.5))) == (pytest.approx(0.75), 0, 0)


def test_frechet_distance_of_gaussians_that_are_known(scripts) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, 8)) @ rng.standard_normal((8, 8))
    distance = scripts.judge.frechet_distance
    assert distance(features, features) == pytest.approx(0, abs=1e-6)
    assert distance(features, features + 2) == pytest.approx(8 * 2**2)
    spread = ((features - features.mean(0)) * 3) + features.mean(0)
    assert distance(features, spread) == pytest.approx(np.trace(np.cov(features, rowvar=False)) * (3 - 1) ** 2)


def test_spoiled_objects_are_background_and_whole_ones_are_not(scripts) -> None:
    source = scripts.pictures.PictureSource(5)
    spoiled = source.spoiled_scenes(8, scripts.pictures.shuffled)
    changed = (spoiled.images - torch.stack([scripts.pictures.backdrop(image) for image in spoiled.images])).abs()
    assert (changed.amax((1, 2, 3)) > 0.1).all(), "something is drawn on each"
    assert (spoiled.covered == scripts.pictures.BACKGROUND).all()
    # Where pixels differ from the empty background, the cells are marked as those of an object to refuse.
    drawn = torch.nn.functional.avg_pool2d((changed.amax(1) > 0.1).float(), 4) > 0.9
    assert drawn.any()
    assert spoiled.refused[drawn].all()
    pictures = source.batch(32)
    whole = (pictures.covered >= 0) & (pictures.covered < scripts.pictures.BACKGROUND)
    assert whole.flatten(1).any(1).float().mean() > 0.5
    assert pictures.refused.flatten(1).any(1).float().mean() > 0.2
    assert not (whole & pictures.refused).any()


def test_undecided_cells_do_not_count_and_refused_ones_count_most(scripts) -> None:
    covered = torch.full((1, 24, 24), scripts.pictures.BACKGROUND)
    covered[:, :12], covered[:, 12:18] = scripts.pictures.UNDECIDED, 3
    refused = torch.zeros_like(covered, dtype=torch.bool)
    refused[:, 21:] = True
    scores = torch.zeros(1, 17, 24, 24)
    scores[:, 0, :12] = 50  # wrong, but undecided

    def loss(wrong: slice) -> float:
        changed = scores.clone()
        changed[:, 0, wrong] = 10
        pictures = scripts.pictures.Pictures(torch.zeros(1, 3, 96, 96), covered, refused)
        return float(scripts.train.cell_loss(lambda images: changed, pictures))

    even = loss(slice(0, 12))
    assert even == pytest.approx(np.log(17))
    assert loss(slice(21, 24)) - even > 2 * (loss(slice(18, 21)) - even) > 0


def test_a_file_holds_the_same_judge(scripts, tmp_path: Path) -> None:
    torch.manual_seed(0)
    judge = scripts.judge.Judge(scripts.judge.JudgeNet(2).eval(), NAMES, 0.65)
    (tmp_path / "judge.safetensors").write_bytes(scripts.judge.pack_judge(judge))
    loaded = scripts.judge.load_judge(tmp_path / "judge.safetensors")
    images = torch.rand(2, 3, 96, 96)
    assert (loaded.classes, loaded.threshold) == (NAMES, 0.65)
    with torch.no_grad():
        torch.testing.assert_close(loaded.net(images), judge.net(images), atol=5e-3, rtol=0)
    assert loaded.features(images).shape == (2, 64)


# --- the shipped weights ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped(scripts):
    return scripts.judge.load_judge()


@pytest.fixture(scope="module")
def measured() -> dict:
    return json.loads((TRAINING / "results" / "judge.json").read_text())


def test_the_weights_are_small_and_know_the_worlds_classes(scripts, shipped, measured) -> None:
    from diffusion_world import CLASSES

    assert scripts.judge.WEIGHTS.stat().st_size < 3_000_000
    assert shipped.classes == CLASSES
    assert shipped.threshold == measured["threshold"]


def test_it_finds_the_objects_of_fresh_scenes_where_they_are(scripts, shipped, measured) -> None:
    from diffusion_world import ScenePainter

    found = scripts.train.summarise(scripts.train.outcomes(shipped, ScenePainter(31_337).batch(120)))
    expected = measured["test"]["scenes"]
    assert found["recall"]["value"] >= expected["recall"]["value"] - 0.03
    assert found["precision"]["value"] >= expected["precision"]["value"] - 0.03
    assert found["box_iou"]["value"] >= expected["box_iou"]["value"] - 0.03


def test_it_keeps_silent_on_spoiled_objects_and_on_empty_pictures(scripts, shipped, measured) -> None:
    source = scripts.pictures.PictureSource(31_338)
    pictures = torch.cat([source.spoiled_scenes(20, spoiler).images for spoiler in scripts.pictures.SPOILERS])
    hits = [bool(found) for found in shipped.detect(pictures)]
    expected = measured["test"]["spoiled_objects_found"]
    trained = [expected[spoiler.__name__]["value"] for spoiler in scripts.pictures.SPOILERS]
    assert np.mean(hits) <= np.mean(trained) + 0.05
    empty = torch.stack([scripts.pictures.backdrop(image) for image in pictures])
    assert not any(shipped.detect(empty))
