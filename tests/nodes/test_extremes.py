"""The smallest, longest and strangest that a user can give a node: it works, or it says what is wrong."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import torch
from clip_explainability import nodes
from clip_explainability.core.errors import InputError
from clip_explainability.nodes import host

NODES = nodes.NODE_CLASS_MAPPINGS
SIZES = [(1, 1), (1, 900), (900, 1)]
WORDS = " ".join(f"word{number}" for number in range(10_000))
SECONDS = 20  # of processor time; tiny CLIPs take about one
STRANGE = [
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    r"$\frac{1$ and \n",
    "{} {0} %s %(x)s",
    "a\0b\x1b[31m\x07",
    "\u202eright to left\u2066",
    "\ud83d half a character",
    "猫" * 300,
    "🐱👩‍👩‍👧",
    "<end_of_text> [UNK] <|endoftext|>",
]
IMAGES = [
    (node_id, name)
    for node_id, node in NODES.items()
    for group in node.INPUT_TYPES().values()
    for name, spec in group.items()
    if spec[0] == "IMAGE"
]
TEXTS = [
    ("CLIPRelevancyMap", "text"),
    ("CompareMethods", "text"),
    ("FindNeglectedWords", "prompt"),
    ("PickBestExplained", "prompt"),
    ("PromptEnsembleClassifier", "classes"),
    ("LearnClassPrompts", "labels"),
    ("TrainECLIPProjection", "captions"),
    ("DemoScene", "objects"),
    ("RouteImagesByClass", "class_name"),
    ("BoxSpatialConstraint", "template"),
]


def with_text(name: str, text: str, good: dict[str, Any]) -> dict[str, Any]:
    """Inputs with a text where the node wants one: templates hold a place, labels come one an image."""
    if name == "template":
        text = f"{text} {{}}"
    if name in ("labels", "captions"):
        text = " ".join(text.split()) + "\na dog"
    return {**good, name: text}


def numbers_of(result: tuple[Any, ...]) -> list[torch.Tensor]:
    return [value for value in result if isinstance(value, torch.Tensor)]


def tried(run: Any, node: str, inputs: dict[str, Any]) -> tuple[tuple[Any, ...], str]:
    """A node's outputs, or what it said instead."""
    try:
        return run(NODES[node], **inputs), ""
    except InputError as error:
        return (), str(error)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("node", "name"), [each for each in IMAGES if each[0] != "GuidanceReport"])
def test_a_picture_of_one_pixel_or_one_line(node: str, name: str, size: tuple[int, int], good_inputs: Any, run: Any):
    image = torch.rand(2, *size, 3, generator=torch.Generator().manual_seed(1))
    result = run(NODES[node], **{**good_inputs(NODES[node]), name: image})
    assert all(value.isfinite().all() for value in numbers_of(result))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("node", "name"),
    [each for each in IMAGES if each[0] not in ("GuidanceReport", "RouteImagesByClass", "BoxSpatialConstraint")],
)
def test_pixels_that_are_no_numbers_are_named(node: str, name: str, value: float, good_inputs: Any, run: Any) -> None:
    image = torch.rand(2, 8, 8, 3)
    image[1, 3, 3] = value
    with pytest.raises(InputError, match=rf"^{name}: number 1 of the batch contains NaN or infinite"):
        run(NODES[node], **{**good_inputs(NODES[node]), name: image})


@pytest.mark.parametrize(("node", "name"), TEXTS)
def test_ten_thousand_words(node: str, name: str, good_inputs: Any, run: Any) -> None:
    inputs = with_text(name, WORDS, good_inputs(NODES[node]))
    start = time.process_time()
    result, message = tried(run, node, inputs)
    assert time.process_time() - start < SECONDS
    # Classes are named where they are too long for the CLIP, and objects where they can't be drawn.
    assert bool(message) == (node in ("LearnClassPrompts", "DemoScene"))
    assert len(message) < 2000
    assert all(value.isfinite().all() for value in numbers_of(result))


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize(("node", "name"), TEXTS)
def test_strange_texts_are_shown_or_refused(node: str, name: str, text: str, good_inputs: Any, run: Any) -> None:
    result, message = tried(run, node, with_text(name, text, good_inputs(NODES[node])))
    assert not message or node in ("DemoScene", "LearnClassPrompts")  # one draws what it knows, one wants words
    for value in result:
        if isinstance(value, str):
            value.encode()  # what was not refused can be sent to a browser
    assert all(value.isfinite().all() for value in numbers_of(result))


@pytest.mark.parametrize("label", STRANGE)
def test_strange_labels_on_boxes_are_drawn(label: str, good_inputs: Any, run: Any) -> None:
    boxes = {"version": 1, "boxes": [{"label": label, "x": 0, "y": 0, "width": 0.5, "height": 1}]}
    node = NODES["BoxSpatialConstraint"]
    constraints, _, _, preview, _ = run(node, **{**good_inputs(node), "boxes": json.dumps(boxes)})
    assert preview.isfinite().all()
    ranked = NODES["PickBestExplained"]
    report = run(ranked, **good_inputs(ranked), constraints=constraints)[3]
    assert json.loads(report)["images"][0]["boxes"][0]["label"] == constraints[0].label


@pytest.mark.parametrize(
    ("node", "changes"),
    [
        ("BoxSpatialConstraint", {"width": 16384, "height": 16384}),
        ("DemoScene", {"width": 4096, "height": 4096, "scenes": 64}),
        ("DemoScene", {"width": 1024, "height": 1024, "scenes": 64, "objects": "cat, dog, car", "apart": True}),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_before_the_work(
    node: str, changes: dict[str, Any], good_inputs: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with 2 GB free; the server would be ended by its system amid the work."""

    def require_memory(wanted: int, what: str) -> None:
        if wanted > 2 * 2**30:
            raise InputError(f"{what} needs too much")

    monkeypatch.setattr(host, "require_memory", require_memory)
    run(NODES[node], **good_inputs(NODES[node]))
    with pytest.raises(InputError, match=r"^width, height and .* needs too much"):
        run(NODES[node], **{**good_inputs(NODES[node]), **changes})
