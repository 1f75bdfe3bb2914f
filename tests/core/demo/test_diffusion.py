"""The file of the demo diffusion model: what it says about itself fits what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from clip_explainability.core.demo.art import class_names
from clip_explainability.core.demo.diffusion import (
    WEIGHTS,
    diffusion_classes,
    read_diffusion_config,
    read_diffusion_weights,
)
from clip_explainability.core.errors import InputError


def test_it_draws_at_least_sixteen_classes_of_the_demo_world() -> None:
    assert len(set(diffusion_classes())) >= 16
    assert set(diffusion_classes()) <= set(class_names())


def test_settings_fit_weights() -> None:
    config, weights = read_diffusion_config(), read_diffusion_weights()
    assert config.unet["in_channels"] == config.channels == weights.unet["input_blocks.0.0.weight"].shape[1]
    assert weights.vae["post_quant_conv.weight"].shape[:2] == (config.channels, config.channels)
    assert len(config.rgb_factors) == config.channels
    positions = weights.text["text_model.embeddings.position_embedding.weight"]
    assert positions.shape == (config.tokens, config.text["hidden_size"])


def test_words_that_were_never_read_share_an_embedding() -> None:
    from open_clip.tokenizer import SimpleTokenizer

    table = read_diffusion_weights().text["text_model.embeddings.token_embedding.weight"]
    assert table.shape[0] == read_diffusion_config().text["vocab_size"]
    ids = {word: SimpleTokenizer()(word)[0, 1].item() for word in ("frog", "donut", "zeppelin", "marmalade")}
    assert torch.equal(table[ids["zeppelin"]], table[ids["marmalade"]])
    assert not torch.equal(table[ids["frog"]], table[ids["donut"]])


def test_it_is_small_enough_for_the_registry() -> None:
    assert WEIGHTS.stat().st_size < 15e6


def test_a_copy_without_the_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fetch it from the pack's repository"):
        read_diffusion_config(tmp_path / "demo_diffusion.safetensors")
