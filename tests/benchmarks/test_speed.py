"""benchmarks/speed.py: what is compared must be the same map."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny_clips import tiny_clip

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import speed

    yield speed
    for name in ("speed", "speed_peers", "machine"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("blocks", [None, 1], ids=["all", "last"])
def test_the_reference_order_gives_our_maps(speed, blocks: int | None) -> None:
    clip = tiny_clip("vit-cls")
    pixels, texts = torch.rand(1, 3, 64, 64), F.normalize(torch.randn(5, 48), dim=-1)
    literal = speed.reference_order(clip, pixels, texts, blocks)
    assert literal.abs().max() > 0
    torch.testing.assert_close(
        speed.ours(clip, pixels, texts, blocks), literal, rtol=0, atol=float(1e-5 * literal.max())
    )
    if blocks is None:
        single = speed.one_gradient_call(clip, pixels, texts)
        torch.testing.assert_close(single, literal, rtol=0, atol=float(1e-5 * literal.max()))


def test_a_peer_that_is_not_there_is_reported_not_raised(speed, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ImportError("No module named 'peer'")

    monkeypatch.setattr(speed, "PEERS", {"peer": missing})
    found = speed.time_peers(tiny_clip("vit-cls"), torch.rand(1, 3, 64, 64), 1)
    assert found == {"peer": "ImportError: No module named 'peer'"}


def test_the_table_has_every_goal(speed) -> None:
    row = {
        "reference": 100.0, "one_gradient_call": 50.0, "floor": 12.0, "all_blocks": 10.0, "last_block": 4.0,
        "reference_last_block": 30.0, "speedup_all_blocks": 10.0, "speedup_last_block": 25.0, "floor_ratio": 0.83,
    }  # fmt: skip
    result = {
        "machine": speed.describe_machine(),
        "seconds": 1,
        "models": {"ViT-B-32": {"forward": 5.0, "k": {8: row}, "peers": {"legrad-torch": "failed", "gem-torch": 7.0}}},
        "memory": {"model": "ViT-B-32", "bound_mib": 64, "mib": {8: 70.0}, "mib_bounded": {8: 60.0}},
        "guidance": {"similarity": 100.0, "similarity + words": 105.0},
        "classifier": {"images a second": 9.0, "prompts a second": 80.0},
    }
    table = speed.markdown(result)
    assert "| ViT-B-32 | 8 | 100 | 50 | 12 | 10 | 4 | 10.0 x | 25.0 x | 0.83 |" in table
    assert "| gem-torch | 7 ms |" in table
    assert "| similarity + words | 105 | 1.05 |" in table
