"""Gradients of the host's decoders against finite differences, in the host's own Python (decoder_probe.py).

Kinds that stand for the others: plain, small, handing state to the next frame detached, by list, and by module.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
KINDS = ["AutoencoderKL", "TAESD", "TAEHV", "Wan 2.1", "Wan 2.1, RGBA", "LTXV", "Cascade, stage A", "pixel space"]


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    comfyui = os.environ.get("COMFYUI_PATH")
    if not comfyui and importlib.util.find_spec("comfy") is None:
        pytest.skip("this Python has no ComfyUI: run scripts/test.py, or set COMFYUI_PATH")
    command = [sys.executable, str(HERE / "decoder_probe.py"), *(["--comfyui", comfyui] if comfyui else []), *KINDS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = (line.removeprefix("PROBE ") for line in done.stdout.splitlines() if line.startswith("PROBE "))
    return {result["kind"]: result for result in map(json.loads, lines)}


def test_every_decoder_that_the_host_has_is_right_or_mended(found: dict[str, dict[str, Any]]) -> None:
    assert {"AutoencoderKL", "TAESD", "Cascade, stage A"} <= set(found)
    assert {kind: result["error"] for kind, result in found.items() if not result["error"] < 0.15} == {}
    assert all(result["same_pixels"] < 1e-4 for result in found.values())
    assert all(result["random_numbers_left_alone"] for result in found.values())


def test_the_thriftiest_way_that_is_right_is_taken(found: dict[str, dict[str, Any]]) -> None:
    expected = {"AutoencoderKL": "again", "TAEHV": "carried", "Wan 2.1": "kept", "LTXV": "kept"}
    assert {kind: found[kind]["way"] for kind in expected if kind in found} == {
        kind: way for kind, way in expected.items() if kind in found
    }


def test_a_decoder_without_a_right_gradient_is_refused_with_a_remedy(found: dict[str, dict[str, Any]]) -> None:
    assert "choose decode 'fast'" in found["AutoencoderKL"]["refusal_if_cut"]
