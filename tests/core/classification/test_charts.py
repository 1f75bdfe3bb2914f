import pytest
import torch
from classification_worlds import random_features
from clip_explainability.core.classification.classify import Classification
from clip_explainability.core.classification.ensembles import score
from clip_explainability.core.drawing.class_chart import class_chart
from clip_explainability.core.drawing.learning_chart import learning_chart


def classification(images: int, classes: int, name: str = "class") -> Classification:
    scores = score(random_features(images, 8), random_features(classes, 2, 8, seed=1), 10.0)
    return Classification(tuple(f"{name} {i}" for i in range(classes)), scores, ())


@pytest.mark.parametrize(("images", "classes"), [(1, 1), (1, 1000), (3, 4), (64, 1000)])
def test_from_1_to_64_images_and_1000_classes_the_chart_has_a_sane_shape(images: int, classes: int) -> None:
    chart = class_chart(torch.rand(images, 40, 60, 3), classification(images, classes))
    height, width = chart.shape[:2]
    assert chart.shape[2] == 3
    assert chart.min() >= 0
    assert chart.max() <= 1
    assert max(height, width) <= 4096
    assert 0.3 < height / width < 3


def test_every_image_has_a_panel_with_its_own_picture() -> None:
    images = torch.stack([torch.full((40, 40, 3), value) for value in (0.1, 0.4, 0.7)])
    chart = class_chart(images, classification(3, 5))
    for value in (0.1, 0.4, 0.7):
        level = round(value * 255) / 255
        assert ((chart - level).abs().amax(dim=-1) < 1e-3).sum() >= 40 * 40


def test_names_of_any_length_and_script_are_drawn() -> None:
    class_chart(torch.rand(2, 500, 20, 3), classification(2, 3, "ein sehr langer Name " * 20))
    class_chart(torch.rand(2, 20, 500, 3), classification(2, 3, "猫 قط 🐈"))


def test_the_learning_chart_draws_any_stage() -> None:
    history = [(i + 1, 10, 2.0 - i / 5, i / 10) for i in range(10)]
    empty, one, all_of_it = (learning_chart(history[:n]) for n in (0, 1, 10))
    assert empty.shape == one.shape == all_of_it.shape == (240, 480, 3)
    assert not torch.equal(one, all_of_it)
