"""The guidance nodes outside a host: inputs, errors, and what they hand on. tests/host samples with them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.errors import InputError
from clip_explainability.core.guidance.record import GuidanceRecord
from clip_explainability.nodes.explainability_guidance import ExplainabilityGuidance, decoder_for
from clip_explainability.nodes.find_neglected_words import FindNeglectedWords
from clip_explainability.nodes.guidance_report import GuidanceReport
from clip_explainability.nodes.hosted_clip import HostedClip
from clip_explainability.nodes.optimize_latent import OptimizeLatent
from clip_explainability.nodes.pick_best_explained import PickBestExplained
from tiny_clips import tiny_clip

BOX = (from_box("dog", (0.0, 0.0, 0.5, 1.0), 32, 32, prompt="a photo of a dog"),)


class Vae:
    """As much of ComfyUI's VAE as the nodes use."""

    patcher = None
    device = torch.device("cpu")
    vae_dtype = torch.float32

    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first_stage_model = torch.nn.ConvTranspose2d(4, 3, 8, 8).eval()
        self.first_stage_model.decode = self.first_stage_model.forward

    def memory_used_decode(self, shape: tuple[int, ...], dtype: torch.dtype) -> int:
        return shape[2] * shape[3]

    def process_output(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.add_(1.0).div_(2.0).clamp_(0.0, 1.0)


def model(**latent_format: Any) -> Any:
    return SimpleNamespace(model=SimpleNamespace(latent_format=SimpleNamespace(latent_channels=4, **latent_format)))


def clip() -> HostedClip:
    return HostedClip(tiny_clip("vit-cls"))


def optimize(**changes: Any) -> tuple[Any, Any]:
    values: dict[str, Any] = {
        "latent": {
            "samples": torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)),
            "batch_index": [0, 1],
        },
        "prompt": "a dog and a cat",
        "preset": "generate",
        "steps": 4,
        "learning_rate": 0.1,
        "words": "neglected",
        "word_weight": 0.1,
        "box_weight": 1.0,
        "cutouts": 2,
        "seed": 0,
        "constraints": BOX,
    }
    with torch.inference_mode():
        return OptimizeLatent().optimize(clip(), Vae(), **{**values, **changes})


class TestDecoder:
    FACTORS = [[0.1, 0.2, 0.3]] * 4

    def test_auto_takes_a_tiny_vae_then_the_preview_table_then_any_vae(self) -> None:
        full = SimpleNamespace(first_stage_model=torch.nn.Linear(4000, 4000))
        with_table, without = model(latent_rgb_factors=self.FACTORS), model()
        assert decoder_for("auto", with_table, Vae()) == "vae"
        assert decoder_for("auto", with_table, full) == "fast"
        assert decoder_for("auto", with_table, None) == "fast"
        assert decoder_for("auto", without, full) == "vae"

    def test_a_missing_decoder_is_named_with_its_remedy(self) -> None:
        with pytest.raises(InputError, match="no vae is connected"):
            decoder_for("vae", model(latent_rgb_factors=self.FACTORS), None)
        with pytest.raises(InputError, match="connect a vae"):
            decoder_for("auto", model(), None)

    def test_a_table_for_other_channels_is_no_table(self) -> None:
        with pytest.raises(InputError, match="latent-to-RGB"):
            decoder_for("fast", model(latent_rgb_factors=self.FACTORS[:3]), None)


class TestExplainabilityGuidance:
    def patch(self, **changes: Any) -> Any:
        values: dict[str, Any] = {
            "model": model(latent_rgb_factors=TestDecoder.FACTORS),
            "clip": clip(),
            "prompt": "a cat",
            "strength": 0.1,
            "words": "neglected",
            "word_weight": 0.1,
            "box_weight": 1.0,
            "start_percent": 0.0,
            "end_percent": 0.8,
            "every_nth_step": 1,
            "cutouts": 2,
            "decode": "fast",
            "seed": 0,
        }
        return ExplainabilityGuidance().patch(**{**values, **changes})

    def test_a_window_turned_inside_out_is_refused(self) -> None:
        with pytest.raises(InputError, match="start_percent"):
            self.patch(start_percent=0.9, end_percent=0.1)

    def test_marked_needs_marks(self) -> None:
        with pytest.raises(InputError, match="square brackets"):
            self.patch(words="marked")

    def test_an_empty_prompt_is_refused_before_the_run(self) -> None:
        assert "empty" in str(ExplainabilityGuidance.VALIDATE_INPUTS("  "))
        assert ExplainabilityGuidance.VALIDATE_INPUTS("a cat") is True


class TestOptimizeLatent:
    def test_the_loss_falls_and_the_latent_keeps_its_company(self) -> None:
        latent, record = optimize(steps=30)
        losses = [float(step.total[0]) for step in record.steps]
        assert sum(losses[-6:]) < sum(losses[:6])  # every step has windows of its own: single ones are noise
        assert latent["batch_index"] == [0, 1]
        assert latent["samples"].shape == (2, 4, 8, 8)

    def test_manipulation_stays_closer(self) -> None:
        start = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        far, near = (optimize(preset="manipulate", stay=stay)[0]["samples"] - start for stay in (0.0, 100.0))
        assert near.square().mean() < far.square().mean()

    def test_the_report_reads_its_record(self) -> None:
        _, record = optimize()
        curves, steps, data = GuidanceReport().report(record, torch.zeros(1, 8, 8, 3))["result"]
        assert curves.ndim == steps.ndim == 4
        assert json.loads(data)["guided_calls"] == 4


def test_a_report_of_no_run_says_why() -> None:
    record = GuidanceRecord()
    with pytest.raises(InputError, match="no call was guided"):
        GuidanceReport().report(record, torch.zeros(1, 8, 8, 3))  # type: ignore[arg-type]


def test_find_neglected_words() -> None:
    with torch.inference_mode():
        found = FindNeglectedWords().find(clip(), torch.rand(3, 40, 50, 3), "a dog and a (cat:1.1)", 1.4, 0.999)
    prompt, neglected, pictures, report = found["result"]
    assert ("(dog:1.4)" in prompt) == ("dog" in neglected)
    assert ("(cat:1.4)" in prompt) == ("cat" in neglected)
    assert "dog" in neglected or "cat" in neglected
    assert len(pictures) == 3
    assert len(json.loads(report)["images"]) == 3


def test_pick_best_explained() -> None:
    images = torch.rand(4, 40, 50, 3)
    with torch.inference_mode():
        best, index, score, report = PickBestExplained().pick(clip(), images, "a dog and a cat", 2, 0.7, BOX)
    data = json.loads(report)["images"]
    assert torch.equal(best, images[[entry["index"] for entry in data[:2]]])
    assert data[0]["index"] == index
    assert data[0]["score"] == pytest.approx(score, abs=1e-3)
    assert set(data[0]["boxes"][0]) == {"label", "inside", "kept"}
