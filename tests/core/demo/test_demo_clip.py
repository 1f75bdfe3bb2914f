"""The shipped demo CLIP: built by open_clip, standard ids, and it still recognises what it should."""

import json

import numpy as np
import pytest
import torch
from clip_explainability.core.demo import art, captions
from clip_explainability.core.demo.clip import WEIGHTS, load_demo, load_demo_clip, read_config
from clip_explainability.core.demo.scenes import draw_scene
from safetensors import safe_open


@pytest.fixture(scope="module")
def loaded():  # type: ignore[no-untyped-def]
    return load_demo_clip()


def test_the_file_is_small_and_tells_how_it_was_made() -> None:
    assert WEIGHTS.stat().st_size < 15_000_000
    training = read_config().training
    assert training["samples"] > 0
    assert training["classes"] == list(art.class_names())
    assert art.TEST_VENDOR not in training["vendors"]
    assert training["validation_vendor"] not in training["vendors"]


def test_it_is_an_open_clip_model_in_eval_mode(loaded) -> None:  # type: ignore[no-untyped-def]
    from open_clip.model import CLIP

    model, tokenizer = loaded
    assert isinstance(model, CLIP)
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    ids = tokenizer(["a photo of a dog"])
    assert ids.shape == (1, read_config().text_cfg["context_length"])
    assert ids.max() < len(model.token_embedding.weight)


def test_words_in_use_have_their_stored_rows_and_all_others_share_one(loaded) -> None:  # type: ignore[no-untyped-def]
    model, tokenizer = loaded
    table = model.token_embedding.weight
    with safe_open(str(WEIGHTS), framework="pt") as stored:
        rows, ids = stored.get_tensor("token_embedding.weight").float(), stored.get_tensor("token_ids").long()
    assert torch.equal(table[ids], rows[:-1])
    zebra, quantum = tokenizer.encode("zebra"), tokenizer.encode("quantum")
    assert torch.equal(table[zebra[0]], table[quantum[0]])
    assert torch.equal(table[zebra[0]], rows[-1])


def test_the_metadata_is_plain_json() -> None:
    with safe_open(str(WEIGHTS), framework="pt") as stored:
        config = json.loads(stored.metadata()["config"])
    assert set(config) == {"embed_dim", "vision_cfg", "text_cfg", "image_mean", "image_std", "training"}


def test_the_pack_takes_it_with_its_preprocessing() -> None:
    clip = load_demo()
    assert clip.image_size == (96, 96)
    assert clip.image_mean == read_config().image_mean
    assert clip.fingerprint


@torch.no_grad()
def test_it_recognises_what_it_was_trained_on_in_new_scenes(loaded) -> None:  # type: ignore[no-untyped-def]
    model, tokenizer = loaded
    config, labels = read_config(), art.class_names()
    scenes = [
        draw_scene(i, 96, classes=[label], background="gradient", vendor="noto") for i, label in enumerate(labels)
    ]
    images = torch.from_numpy(np.stack([s.image for s in scenes])).permute(0, 3, 1, 2)
    mean, std = torch.tensor(config.image_mean).view(3, 1, 1), torch.tensor(config.image_std).view(3, 1, 1)
    prompts = [captions.fill(captions.PLAIN_TEMPLATE, label) for label in labels]
    scores = (
        model.encode_image((images - mean) / std, normalize=True)
        @ model.encode_text(tokenizer(prompts), normalize=True).T
    )
    assert (scores.argmax(1) == torch.arange(len(labels))).float().mean() >= 0.5
