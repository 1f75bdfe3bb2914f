from __future__ import annotations

import json

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.nodes import host
from clip_explainability.nodes.route_images_by_class import RouteImagesByClass

IMAGES = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 4, 6, 3)
SELECTED = {"count": 5, "threshold": 0.5, "classes": {"Dog": [1, 4], "cat": [0]}, "unsure": [2, 3]}


def route(class_name: str = "", selected: object = SELECTED, image: torch.Tensor = IMAGES):  # type: ignore[no-untyped-def]
    text = selected if isinstance(selected, str) else json.dumps(selected)
    return RouteImagesByClass().route(image, text, class_name)


def numbers(batch: torch.Tensor) -> list[int]:
    return batch[:, 0, 0, 0].int().tolist()


def test_one_batch_a_class_in_the_order_of_the_classes_and_the_unsure_last() -> None:
    batches, labels, _, _ = route()
    assert labels == ["Dog", "cat", "(unsure)"]
    assert [numbers(batch) for batch in batches] == [[1, 4], [0], [2, 3]]
    assert all(batch.shape[1:] == (4, 6, 3) for batch in batches)


@pytest.mark.parametrize("name", ["Dog", " dog ", "DOG"])
def test_one_class_and_the_rest(name: str) -> None:
    _, _, matching, others = route(name)
    assert numbers(matching) == [1, 4]
    assert numbers(others) == [0, 2, 3]


def test_unsure_images_can_be_chosen_like_a_class() -> None:
    assert numbers(route("(unsure)")[2]) == [2, 3]


@pytest.mark.parametrize("name", ["", "fish"])
def test_without_a_match_the_matching_output_stands_still(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "nothing", lambda stand_in: ("stopped", stand_in.shape))
    _, _, matching, others = route(name)
    assert matching == ("stopped", (1, 4, 6, 3))
    assert numbers(others) == [0, 1, 2, 3, 4]


def test_where_all_match_the_others_output_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "nothing", lambda _: "stopped")
    everything = {"count": 5, "classes": {"dog": [0, 1, 2, 3, 4]}, "unsure": []}
    assert route("dog", everything)[3] == "stopped"


@pytest.mark.parametrize("selected", ["", "dog", "[]", "{}", '{"count": 5}'])
def test_anything_but_the_classifiers_output_is_refused(selected: str) -> None:
    with pytest.raises(InputError, match="connect its 'selected' output"):
        route("dog", selected)


def test_another_batch_is_refused() -> None:
    with pytest.raises(InputError, match="5 images and 2 came in"):
        route("dog", image=IMAGES[:2])
