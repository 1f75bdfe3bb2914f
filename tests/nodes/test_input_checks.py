"""Every node refuses what its inputs can't be, and says so, before it runs; no host is trusted to have done it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from clip_explainability import nodes
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.errors import InputError
from clip_explainability.nodes import host
from clip_explainability.nodes.demo_scene import DemoScene
from clip_explainability.nodes.load_explainable_clip import LoadExplainableCLIP
from clip_explainability.nodes.map_metrics import MapMetrics
from clip_explainability.nodes.pick_spatial_constraint import PickSpatialConstraint
from clip_explainability.nodes.trained_files import file_for

SCENE = {
    "objects": "cat", "random_objects": 1, "width": 32, "height": 32, "scenes": 1, "clutter": 0.0, "seed": 0,
}  # fmt: skip
NOTHING_KNOWN = object()


def draw(**changes: Any) -> tuple[Any, ...]:
    return DemoScene().draw(**{**SCENE, **changes})


ALL_INPUTS = [
    pytest.param(node, name, id=f"{node.NODE_ID}.{name}")
    for node in nodes.NODE_CLASSES
    for group in node.INPUT_TYPES().values()  # type: ignore[attr-defined]
    for name, spec in group.items()
    if spec[0] not in ("BOUNDING_BOX", "CLIP_EXPLAINABILITY_BOXES")  # core.boxes reads what it can, and says what not
]


@pytest.mark.parametrize(("node", "name"), ALL_INPUTS)
def test_an_object_that_is_of_no_use_is_refused_by_name(node: Any, name: str, good_inputs: Any, run: Any) -> None:
    with pytest.raises(InputError, match=rf"^{name} is of type object; (connect|give|choose) "):
        run(node, **{**good_inputs(node), name: object()})


@pytest.mark.parametrize(
    ("node", "name"), [each for each in ALL_INPUTS if each.values[1] in each.values[0].INPUT_TYPES()["required"]]
)
def test_an_input_that_is_left_out_is_named(node: Any, name: str, good_inputs: Any, run: Any) -> None:
    given = {other: value for other, value in good_inputs(node).items() if other != name}
    with pytest.raises(InputError, match=rf"^{name} is missing; (connect|give) "):
        run(node, **given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 8}, r"^width is 8; give a whole number from 16 to 4096$"),
        ({"width": "wide"}, r"^width is 'wide'; give a whole number"),
        ({"width": float("inf")}, r"^width is inf; give"),
        ({"clutter": float("nan")}, r"^clutter is nan; give a number from 0\.0 to 1\.0$"),
        ({"clutter": torch.zeros(2)}, r"^clutter is a tensor of shape \(2,\); give a number"),
        ({"objects": {"cat": 1}}, r"^objects is \{'cat': 1\}; give a text$"),
        ({"apart": "no"}, r"^apart is 'no'; give true or false$"),
        ({"seed": None}, r"^seed is missing; give a value$"),
        ({"sed": 5}, r"^sed is no input of Demo Scene; take it away \(inputs are: objects, "),
    ],
)
def test_the_message_names_input_value_and_remedy(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(**change)


def test_long_values_are_shortened() -> None:
    with pytest.raises(InputError) as error:
        draw(width="9" * 10_000 + "x")
    assert len(str(error.value)) < 200


def test_numbers_and_texts_arrive_as_hosts_convert_them() -> None:
    plain, converted = draw(), draw(width="32", height=32.7, seed=False, apart=0)
    assert torch.equal(plain[0], converted[0])


def test_an_optional_input_that_gave_nothing_is_as_if_not_connected() -> None:
    assert torch.equal(draw(apart=None)[0], draw()[0])


def test_half_a_character_is_replaced() -> None:
    """Programs that cut texts by length send them; no tokenizer or font can take them."""
    with pytest.raises(InputError, match="objects names 'ca\ufffd'"):
        draw(objects="ca\ud83d")


@pytest.mark.parametrize("choice", ["fp64", 16, NOTHING_KNOWN])
def test_a_choice_that_is_none_is_refused(choice: Any) -> None:
    with pytest.raises(InputError, match=r"^dtype is .*; choose one of: auto, fp32, fp16, bf16$"):
        LoadExplainableCLIP().load("demo (embedded)", False, dtype=choice)


def test_a_node_that_takes_more_than_its_list_is_left_to_judge() -> None:
    with pytest.raises(InputError, match="model folder"):
        LoadExplainableCLIP().load("open_clip: ViT-B-32/openai", False)


@pytest.mark.parametrize("shape", [(8,), (2, 8, 8, 3), (1, 2, 3, 8, 8)])
def test_a_mask_has_the_shape_of_one(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^masks is a tensor of shape .*; connect a MASK output$"):
        MapMetrics().score(torch.zeros(1, 8, 8), torch.zeros(shape), 0.5)


def test_a_layout_is_one_of_objects() -> None:
    box = from_box("dog", (0.0, 0.0, 0.5, 1.0), 8, 8)
    assert PickSpatialConstraint().pick((box,), 1)[4] == "dog"
    with pytest.raises(InputError, match=r"^constraints is .*; connect Box Spatial Constraint$"):
        PickSpatialConstraint().pick((box, "dog"), 1)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host, "model_folder", lambda name: str(tmp_path / name))
    return tmp_path / "clip_explainability"


def test_a_file_to_save_lies_in_the_model_folder(models: Path) -> None:
    assert file_for(" my dogs.safetensors ", "clip_explainability") == models / "my dogs.safetensors"
    assert file_for("  ", "clip_explainability") is None
    assert list(models.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "a\\b", "/etc/passwd", "C:\\boot", "c:evil", "..", ".", ".hidden", "what?", "a\0b", "a\nb"]
)
def test_a_file_to_save_has_no_way_out(models: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"save_as is .*; give a plain file name"):
        file_for(name, "clip_explainability")
    assert not models.exists()


def test_a_place_that_can_t_be_written_is_known_before_the_work(models: Path) -> None:
    models.write_bytes(b"a file, where the folder should be")
    with pytest.raises(InputError, match=r"^save_as: .*dogs\.safetensors can't be written"):
        file_for("dogs", "clip_explainability")


@pytest.mark.parametrize("name", ["..", "../secret", "shots/../../secret"])
def test_a_folder_to_read_does_not_lead_out_of_the_input_folder(name: str) -> None:
    with pytest.raises(InputError, match=r"folder is .* leads out of ComfyUI's input folder"):
        host.input_path(name)


def test_a_folder_inside_or_absolute_is_welcome(tmp_path: Path) -> None:
    for around in ('"{}"', " '{}'\n", "\u202a{}", "{}\ufeff"):
        assert host.input_path(around.format("shots/red  fox")) == Path("shots/red  fox")
    assert host.input_path(' "" ') is None
    assert host.input_path("~/shots") == Path.home() / "shots"
    with pytest.raises(InputError, match="an address"):
        host.input_path("https://example.org/shots")
    assert host.input_path("shots/red fox") == Path("shots/red fox")
    assert host.input_path(str(tmp_path)) == tmp_path
