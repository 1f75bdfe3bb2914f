"""Guidance in the real sampler of a real host: epsilon, v and flow models, 4 and 16 channels, both routes.

The checks run in the host's own Python (guidance_probe.py), once for all tests of this file.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ONE_HALF = ("table", "families", "samplers")
Results = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def probe() -> Results:
    """What guidance_probe.py printed, by check; two processes share them."""
    comfyui = os.environ.get("COMFYUI_PATH")
    if not comfyui and importlib.util.find_spec("comfy") is None:
        pytest.skip("this Python has no ComfyUI: run scripts/test.py, or set COMFYUI_PATH")
    command = [sys.executable, str(HERE / "guidance_probe.py"), "--runs", "8"]
    if comfyui:
        command += ["--comfyui", comfyui]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(part: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *part], capture_output=True, text=True, timeout=1800, env=environment, check=False
        )

    results: Results = {}
    with ThreadPoolExecutor() as halves:  # of about the same length, for a machine of two cores
        for done in halves.map(run, (["--only", *ONE_HALF], ["--without", *ONE_HALF])):
            for line in done.stdout.splitlines():
                if line.startswith("PROBE "):
                    result = json.loads(line.removeprefix("PROBE "))
                    results.setdefault(result.pop("check"), []).append(result)
            assert done.returncode == 0, done.stderr[-3000:]
    return results


def failures(results: list[dict[str, Any]], *names: str) -> list[str]:
    assert results
    return [f"{result['case']}: {name}" for result in results for name in names if not result[name]]


def test_every_kind_of_model_both_routes(probe: Results) -> None:
    assert len(probe["table"]) == 12
    names = ("falls", "same_seed_same_image", "changes_the_image", "strength_0_is_unguided", "unpatched_identical")
    assert failures(probe["table"], *names) == []


def test_the_gradient_through_the_denoiser_is_right(probe: Results) -> None:
    """PyTorch's own checkpoints were 7 % off on the host of 2024, in silence."""
    assert [each["case"] for each in probe["full_route_gradient"]] == ["eps", "v", "flow"]
    assert all(each["relative_error"] < 0.01 for each in probe["full_route_gradient"])
    assert all(each["same_prediction"] < 1e-4 for each in probe["full_route_gradient"])


def test_every_family_of_the_host(probe: Results) -> None:
    """Whatever the host's list of models has, with both routes; the trial compares gradients with differences."""
    tried = [each for each in probe["families"] if "not_shrunken" not in each]
    assert len(tried) >= 0.6 * len(probe["families"])
    assert failures(tried, "cheap_ok", "auto_ok", "modules_unchanged", "unpatched_identical") == []
    assert all(each["modes_left"] == 0 for each in tried)
    through = [each["gradient_error"] for each in tried if each["auto"] == "full"]
    assert len(through) >= 0.9 * len(tried)
    assert max(through) < 0.05


def test_patches_before_and_after(probe: Results) -> None:
    assert failures(probe["patches"], "before_ok", "after_ok") == []


def test_guiders(probe: Results) -> None:
    assert failures(probe["guiders"], "ok") == []
    assert {each["route"] for each in probe["guiders"] if each["case"] != "PerpNeg"} == {"full"}


def test_weights_of_every_kind(probe: Results) -> None:
    tried = [each for each in probe["weights"] if "not_built" not in each]
    assert {"fp32", "LoRA patched in"} <= {each["case"] for each in tried}  # the host of 2024 builds no others here
    assert failures(tried, "ok", "unpatched_identical") == []


def test_through_the_hosts_vae(probe: Results) -> None:
    assert failures(probe["vae_decode"], "falls", "weights_put_back") == []


def test_samplers_of_every_kind(probe: Results) -> None:
    assert failures(probe["samplers"], "finite", "same_seed_same_image", "same_calls") == []


def test_settings_and_company(probe: Results) -> None:
    assert failures(probe["settings"], "ok") == []


def test_cancel_ends_the_run_within_the_step(probe: Results) -> None:
    for each in probe["interrupt"]:
        assert each["raised"] == "InterruptProcessingException"
        assert (each["calls"], each["guided"]) == (2, 1)
        assert each["runs_again"]


def test_too_little_memory_is_said_before_the_model_is_called(probe: Results) -> None:
    (result,) = probe["memory_is_checked"]
    assert "fewer cutouts" in result["message"]
    assert result["model_calls"] == 0


def test_nothing_grows_from_run_to_run(probe: Results) -> None:
    (result,) = probe["growth"]
    assert result["tensors_at_the_end"] == result["tensors_after_warm_up"]
    assert result["peak_mib_at_the_end"] <= result["peak_mib_after_warm_up"] * 1.05 + 20


def test_a_model_that_nobody_needs_any_more_is_released(probe: Results) -> None:
    """Hosts of 2024 unload a model by counting references to its patcher."""
    assert failures(probe["release"], "released") == []
