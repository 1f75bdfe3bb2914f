from __future__ import annotations

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.loading import sources
from clip_explainability.nodes.load_explainable_clip import LoadExplainableCLIP


def test_the_demo_is_the_default_and_loads_under_inference_mode():
    spec = LoadExplainableCLIP.INPUT_TYPES()["required"]["source"]
    assert spec[1]["default"] == sources.DEMO == spec[0][0]
    with torch.inference_mode():
        hosted, _ = LoadExplainableCLIP().load(sources.DEMO, False)
    clip = hosted.ready()
    assert clip.dtype == torch.float32
    assert not any(p.is_inference() or p.requires_grad for p in clip.model.parameters())


@pytest.mark.parametrize(("dtype", "expected"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_dtype(dtype, expected):
    hosted, _ = LoadExplainableCLIP().load(sources.DEMO, False, dtype=dtype)
    assert hosted.clip.dtype == expected


def test_any_open_clip_model_passes_validation_but_an_absent_file_does_not():
    assert LoadExplainableCLIP.VALIDATE_INPUTS("open_clip: ViT-S-32/whatever") is True
    assert LoadExplainableCLIP.VALIDATE_INPUTS(sources.DEMO) is True
    assert LoadExplainableCLIP.VALIDATE_INPUTS(None) is True  # comes over a connection: checked when it is there
    assert "source '5' is not there" in str(LoadExplainableCLIP.VALIDATE_INPUTS(5))
    message = LoadExplainableCLIP.VALIDATE_INPUTS("gone.safetensors")
    assert isinstance(message, str)
    assert "gone.safetensors" in message
    assert "models/open_clip" in message


def test_outside_a_host_pretrained_models_have_no_folder():
    with pytest.raises(InputError, match="model folder"):
        LoadExplainableCLIP().load("open_clip: ViT-B-32/openai", False)
