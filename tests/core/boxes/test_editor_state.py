"""The editor's saved state: what a good one gives, and that no other one gives more than a clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clip_explainability.core.boxes import editor_state
from clip_explainability.core.errors import InputError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ_CASES = 2500


def state(*boxes: Any, version: Any = 1) -> str:
    return json.dumps({"version": version, "boxes": list(boxes)})


def box(**change: Any) -> dict[str, Any]:
    return {"label": "a cat", "x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4, **change}


class TestGoodStates:
    def test_the_least_a_box_needs(self) -> None:
        (found,) = editor_state.read(state(box()))
        assert found.label == "a cat"
        assert found.box == pytest.approx((0.1, 0.2, 0.4, 0.6))
        assert found.weight == 1
        assert found.color == editor_state.PALETTE[0]

    def test_all_keys(self) -> None:
        (found,) = editor_state.read(state(box(weight=2.5, color="#ABCDEF", id="b7", locked=True)))
        assert (found.weight, found.color) == (2.5, "#ABCDEF")

    @pytest.mark.parametrize("empty", ["", None, "  \n", state()])
    def test_nothing_drawn(self, empty: str | None) -> None:
        assert editor_state.read(empty) == ()

    def test_hidden_boxes_are_left_out_and_may_be_unfinished(self) -> None:
        text = state(box(hidden=True, label=""), box(label="a dog"))
        assert [found.label for found in editor_state.read(text)] == ["a dog"]
        assert editor_state.hidden_count(text) == 1

    def test_labels_become_one_clean_line(self) -> None:
        (found,) = editor_state.read(state(box(label="  a\nred\tcar \ud83d\x00 ")))
        assert found.label == "a red car \ufffd"

    def test_rounding_at_the_edge_is_forgiven(self) -> None:
        (found,) = editor_state.read(state(box(x=-1e-9, width=1.0000000001)))
        assert found.box[0] == 0
        assert found.box[2] == pytest.approx(1)
        assert found.box[2] <= 1


class TestBadStates:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"label": " "}, "no label"),
            ({"label": 5}, "label"),
            ({"width": 0}, "no area"),
            ({"height": -0.1}, "no area"),
            ({"x": 0.8}, "outside"),
            ({"y": -0.2}, "outside"),
            ({"x": 2, "width": 0.1}, "outside"),
            ({"x": "0.1"}, '"x"'),
            ({"x": True}, '"x"'),
            ({"x": 10**400}, '"x"'),
            ({"weight": -1}, "weight"),
            ({"weight": 101}, "weight"),
        ],
    )
    def test_a_bad_box_is_named(self, change: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError) as error:
            editor_state.read(state(box(label="a dog"), box(**change)))
        assert said in str(error.value)
        assert "box 2" in str(error.value)

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[]",
            "5",
            '"text"',
            '{"version": 1}',
            '{"version": 1, "boxes": {}}',
            '{"version": 1, "boxes": [7]}',
            '{"version": 1, "boxes": [{"x": NaN}]}',
            "[" * 100_000,
            state(*[box()] * 257),
            state(version=2),
            state(version=True),
            state(version=None),
        ],
    )
    def test_what_is_no_state_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="boxes"):
            editor_state.read(text)

    def test_messages_stay_short(self) -> None:
        with pytest.raises(InputError) as error:
            editor_state.read("x" * 100_000)
        assert len(str(error.value)) < 300


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**400)
    | st.floats()
    | st.text(st.characters(), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
numbers = st.floats(-0.5, 1.5) | st.just(0) | json_values
almost_boxes = st.fixed_dictionaries(
    {},
    optional={
        "label": st.text(max_size=8) | json_values,
        "x": numbers,
        "y": numbers,
        "width": numbers,
        "height": numbers,
        "weight": st.floats(-1, 200) | json_values,
        "color": st.sampled_from(["#123456", "#GGGGGG", "red"]) | json_values,
        "hidden": json_values,
        "locked": json_values,
        "id": json_values,
    },
)
almost_states = st.fixed_dictionaries(
    {"version": st.just(1) | json_values, "boxes": st.lists(almost_boxes | json_values, max_size=4) | json_values}
)


@settings(max_examples=FUZZ_CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(almost_states | json_values)
def test_any_json_is_read_or_refused_with_our_own_error(value: Any) -> None:
    check(json.dumps(value))


@settings(max_examples=FUZZ_CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_refused_with_our_own_error(text: str) -> None:
    check(text)


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_any_value_is_read_or_refused_with_our_own_error(value: Any) -> None:
    check(value)


def check(value: Any) -> None:
    try:
        found = editor_state.read(value)
    except InputError:
        return
    for each in found:
        x0, y0, x1, y1 = each.box
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
        assert each.label.strip()
        each.label.encode("utf-8")
        assert 0 <= each.weight <= editor_state.HIGHEST_WEIGHT


def test_a_byte_order_mark_before_the_text_does_no_harm() -> None:
    assert editor_state.read('\ufeff{"version": 1, "boxes": []}\r\n') == ()
    assert editor_state.read("\ufeff") == ()
