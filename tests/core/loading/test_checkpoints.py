"""Files in every format, true shapes, random weights: what is loaded must compute what was saved."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import open_clip
import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.loading import architecture, hugging_face
from clip_explainability.core.loading.checkpoints import _find_config, find_tokenizer, load_checkpoint
from clip_explainability.core.loading.pretrained import PRETRAINED, load_pretrained
from clip_explainability.core.loading.weights import fingerprint, read_weights
from safetensors.torch import save_file
from tiny_clips import CONFIGS, tiny_clip

NO_TEXTS = object()  # a tokenizer for models whose texts are given as ids: 600 tokens have none of their own


def saved(tmp_path, name, state):
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file({k: v.contiguous().clone() for k, v in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def same_features(one, other):
    pixels = torch.rand(1, 3, *one.image_size)
    ids = one.tokenizer(["a red cat"])
    with torch.no_grad():
        image = [c.model.encode_image(c.normalize_pixels(pixels)) for c in (one, other)]
        text = [c.model.encode_text(ids) for c in (one, other)]
    torch.testing.assert_close(*image)
    torch.testing.assert_close(*text)


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.pt", "clip.bin"])
@pytest.mark.parametrize("family", ["vit-cls", "vit-mean", "resnet", "vit-quickgelu"])
def test_open_clip_files_with_a_configuration_beside_them(tmp_path, family, name):
    clip = tiny_clip(family)
    path = saved(tmp_path, name, clip.model.state_dict())
    config = {
        "model_cfg": {"embed_dim": 48, **CONFIGS[family]},
        "preprocess_cfg": {"mean": [0.1] * 3, "std": [0.2] * 3},
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    loaded = load_checkpoint(path)
    assert loaded.image_mean == (0.1, 0.1, 0.1)
    assert loaded.vision == clip.vision
    same_features(type(clip)(clip.model, clip.tokenizer, "", (0.1,) * 3, (0.2,) * 3), loaded)


@pytest.mark.parametrize("wrap", [lambda s: {"state_dict": s}, lambda s: {f"module.{k}": v for k, v in s.items()}])
def test_training_checkpoints_are_unwrapped(tmp_path, wrap):
    clip = tiny_clip("vit-cls")
    path = saved(tmp_path, "clip.pt", wrap(clip.model.state_dict()))
    assert read_weights(path).keys() == clip.model.state_dict().keys()


def head64(layers=2):
    """A size that is on nobody's list, with the usual 64 a head: describable from its tensors alone."""
    torch.manual_seed(0)
    vision = {"image_size": 64, "patch_size": 16, "width": 128, "layers": layers}
    text = {"context_length": 20, "vocab_size": 600, "width": 64, "heads": 1, "layers": 2}
    return {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text}


def test_an_unlisted_vit_is_described_from_its_tensors(tmp_path):
    model = open_clip.CLIP(**head64()).eval()
    path = saved(tmp_path, "mine.safetensors", model.state_dict())
    loaded = load_checkpoint(path, tokenizer=NO_TEXTS)
    pixels = torch.rand(1, 3, 64, 64)
    ids = torch.randint(1, 600, (2, 20))
    with torch.no_grad():
        torch.testing.assert_close(model.encode_image(pixels), loaded.model.encode_image(pixels))
        torch.testing.assert_close(model.encode_text(ids), loaded.model.encode_text(ids))


@pytest.mark.parametrize(
    "name",
    [
        "ViT-B-32",
        "ViT-L-14-336",
        "ViT-H-14",
        "ViT-bigG-14",
        "RN50x4",
        "coca_ViT-B-32",
        "EVA02-B-16",
        "ViT-B-16-SigLIP",
        "ViT-B-16-SigLIP2",
        "ViT-L-14-CLIPA",
    ],
)
def test_true_architectures_are_recognised_by_their_shapes(name):
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        state = architecture.build_model(config).state_dict()
    inferred = architecture.infer_config(state)
    inferred.pop("quick_gelu")
    assert inferred == config


@pytest.mark.parametrize(
    ("file_name", "activation", "expected"),
    [
        ("ViT-B-32-openai.safetensors", "auto", True),
        ("dfn5b.bin", "auto", True),
        ("laion2b.safetensors", "auto", False),
        ("openai.pt", "gelu", False),
        ("mine.pt", "quick_gelu", True),
    ],
)
def test_the_activation_comes_from_the_name_or_the_user(file_name, activation, expected):
    state = open_clip.CLIP(**head64()).state_dict()
    assert architecture.infer_config(state, file_name, activation)["quick_gelu"] is expected


def test_hugging_face_format_computes_what_transformers_computes(tmp_path):
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    small = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**small, "max_position_embeddings": 20, "vocab_size": 600, "eos_token_id": 599},
        vision_config={**small, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    theirs = CLIPModel(config).eval()
    path = saved(tmp_path, "model.safetensors", theirs.state_dict())
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    ours = load_checkpoint(path, tokenizer=NO_TEXTS)
    pixels, ids = torch.rand(2, 3, 64, 64), torch.randint(1, 598, (2, 20))
    ids[:, 9] = 599
    with torch.no_grad():
        image, text = theirs.get_image_features(pixels), theirs.get_text_features(ids)
        image, text = (getattr(x, "pooler_output", x) for x in (image, text))
        torch.testing.assert_close(ours.model.encode_image(pixels), image, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.model.encode_text(ids), text, rtol=1e-4, atol=1e-5)


def test_hugging_face_configurations_in_their_short_form_have_clips_defaults():
    config = hugging_face.convert_config({"model_type": "clip", "vision_config": {"patch_size": 16}, "text_config": {}})
    assert config["vision_cfg"] == {
        "image_size": 224,
        "patch_size": 16,
        "width": 768,
        "layers": 12,
        "head_width": 64,
        "mlp_ratio": 4.0,
    }
    assert config["quick_gelu"] is True


def test_dtype_changes_neither_fingerprint_nor_meaning(tmp_path):
    path = saved(tmp_path, "mine.safetensors", open_clip.CLIP(**head64()).state_dict())
    full, half = (load_checkpoint(path, dtype=dtype, tokenizer=NO_TEXTS) for dtype in (torch.float32, torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert full.fingerprint == half.fingerprint
    assert len(full.fingerprint) == 16


def test_fingerprints_tell_weights_apart():
    one, two = open_clip.CLIP(**head64()).state_dict(), open_clip.CLIP(**head64()).state_dict()
    assert fingerprint(one) == fingerprint(two)  # same seed
    two["visual.proj"] = two["visual.proj"] + 0.1
    assert fingerprint(one) != fingerprint(two)


class Bomb:
    def __reduce__(self):
        import os

        return os.mkdir, ("/tmp/clip_explainability_bomb_went_off",)


def test_a_pickle_bomb_is_refused_and_does_not_go_off(tmp_path):
    from pathlib import Path

    path = tmp_path / "bomb.pt"
    path.write_bytes(pickle.dumps({"a": Bomb()}))
    zipped = tmp_path / "zipped.pt"
    torch.save({"a": Bomb()}, zipped)
    for bomb in (path, zipped):
        with pytest.raises(InputError, match="refused"):
            load_checkpoint(bomb)
    assert not Path("/tmp/clip_explainability_bomb_went_off").exists()


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.pt"])
@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_truncated_files_are_called_damaged(tmp_path, name, keep):
    path = saved(tmp_path, name, open_clip.CLIP(**head64()).state_dict())
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["model.diffusion_model.out.0.weight", "first_stage_model.x", "cond_stage_model.x"], "of a diffusion model"),
        (["down_blocks.0.resnets.0.conv1.weight"], "is a diffusion model without its text encoder"),
        (["double_blocks.0.img_attn.qkv.weight"], "is a diffusion model without its text encoder"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], "is the autoencoder"),
        (["lora_te_text_model_mlp.lora_up.weight"], "is a LoRA"),
        (["control_model.time_embed.0.weight"], "is a ControlNet"),
        (["shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"], "is a T5 text encoder"),
        (["cls_token", "blocks.0.attn.qkv.weight"], "is an image tower of another kind"),
        (["vision_model.post_layernorm.weight"], "no text tower"),
        (["text_model.final_layer_norm.weight"], "no image tower"),
        (["vision_model.head.probe", "text_model.head.weight"], "a SigLIP in Hugging Face's format"),
        (["weight", "bias"], "has no CLIP in it; its first tensors are bias, weight"),
        ([], "is empty"),
    ],
)
def test_checkpoints_of_another_kind_are_named_with_what_fits(tmp_path, keys, says):
    path = saved(tmp_path, "other.safetensors", {key: torch.zeros(1) for key in keys})
    with pytest.raises(InputError, match=rf"^checkpoint other\.safetensors .*{says}.*; choose a whole CLIP with both"):
        load_checkpoint(path)
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": head64()}))  # of its neighbour
    with pytest.raises(InputError, match=says):
        load_checkpoint(path)


def without(state, part):
    return {key: value for key, value in state.items() if part not in key}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: without(state, "visual.positional_embedding"), r"lacks 'visual\.positional_embedding'"),
        (lambda state: without(state, "visual.transformer"), "lacks 'visual.transformer"),
        (lambda state: without(state, "resblocks.1.mlp.c_fc.weight"), "2 tensors missing.*download the checkpoint"),
        (lambda state: without(state, "text_projection"), "no text projection"),
        (lambda state: {**state, "visual.conv1.weight": torch.zeros(128)}, "makes no CLIP"),
        (lambda state: {**state, "visual.positional_embedding": torch.zeros(0, 128)}, "makes no CLIP"),
        (lambda state: {**state, "logit_scale": torch.zeros(3)}, "makes no CLIP"),
        (lambda state: {**state, "extra.weight": torch.zeros(3)}, "1 unknown: extra.weight"),
        (lambda state: {key: value.to(torch.int8) for key, value in state.items()}, "is quantised .*int8"),
    ],
)
def test_a_part_that_is_missing_or_of_another_shape_is_named(tmp_path, change, says):
    path = saved(tmp_path, "mine.safetensors", change(open_clip.CLIP(**head64()).state_dict()))
    with pytest.raises(InputError, match=rf"checkpoint mine\.safetensors .*{says}"):
        load_checkpoint(path)


@pytest.mark.parametrize("part", ["text_projection.weight", "layers.0.self_attn.q_proj.bias", "vision_model.encoder"])
def test_a_pruned_hugging_face_file_is_named(tmp_path, part):
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = CLIPConfig(text_config={**small, "vocab_size": 600}, vision_config={**small, "image_size": 32})
    path = saved(tmp_path, "model.safetensors", without(CLIPModel(config).state_dict(), part))
    with pytest.raises(InputError, match=rf"checkpoint model\.safetensors .*(lacks '.*{part}|tensors missing|lacks)"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "config",
    [
        5,
        [],
        "text",
        {"model_cfg": 5},
        {"model_cfg": {"vision_cfg": {}}},
        {"model_cfg": {"embed_dim": 32, "vision_cfg": {"layers": 2}}},
        {"model_cfg": {"embed_dim": "x", "vision_cfg": {"layers": 2}, "text_cfg": {}}},
        {"model_cfg": {"embed_dim": 32, "vision_cfg": {"no such": 2}, "text_cfg": {}}},
        {"model_cfg": head64(), "preprocess_cfg": {"mean": "grey"}},
        {"model_cfg": head64(), "preprocess_cfg": {"std": [0.5]}},
        {"model_type": "clip", "vision_config": 5, "text_config": None},
        {"model_type": "clip", "vision_config": {"num_attention_heads": 0}},
    ],
)
def test_a_configuration_of_any_content_is_an_error_that_names_it(tmp_path, config):
    path = saved(tmp_path, "mine.safetensors", open_clip.CLIP(**head64()).state_dict())
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="configuration"):
        load_checkpoint(path)


def test_a_configuration_that_does_not_fit_is_named(tmp_path):
    path = saved(tmp_path, "mine.safetensors", open_clip.CLIP(**head64()).state_dict())
    (tmp_path / "mine.json").write_text(json.dumps(head64(layers=3)))
    with pytest.raises(InputError, match=r"does not fit its configuration .*missing"):
        load_checkpoint(path)


def test_siglip_without_its_tokenizer_names_the_files_and_the_folder(tmp_path):
    config = open_clip.get_model_config("ViT-B-16-SigLIP")
    with pytest.raises(InputError, match=r"tokenizer\.json .* of huggingface\.co/timm/ViT-B-16-SigLIP into"):
        find_tokenizer(config, tmp_path, "siglip.safetensors")


def test_every_offered_pretrained_model_exists_in_open_clip():
    assert set(PRETRAINED) <= set(open_clip.list_pretrained())


def test_a_pretrained_model_is_never_downloaded_unasked(tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **k: pytest.fail("touched the network"))
    with pytest.raises(InputError, match=r"open_clip_model.safetensors of huggingface.co/.*download"):
        load_pretrained("ViT-B-32", "laion2b_s34b_b79k", tmp_path)


def test_a_download_lands_in_the_models_own_folder_and_is_found_again(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub.utils import EntryNotFoundError

    torch.manual_seed(0)
    weights = open_clip.CLIP(**open_clip.get_model_config("ViT-S-32")).state_dict()
    calls = []

    def fake(repository, name, local_dir):
        calls.append(name)
        if name != "open_clip_model.safetensors":
            raise EntryNotFoundError("absent", response=_Response())
        local_dir.mkdir(parents=True, exist_ok=True)
        return saved(local_dir, name, weights)

    entry = {"hf_hub": "someone/clip/", "mean": (0.5,) * 3, "std": (0.25,) * 3}
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fake)
    monkeypatch.setattr(open_clip.pretrained, "get_pretrained_cfg", lambda model, tag: entry)
    first = load_pretrained("ViT-S-32", "mine", tmp_path, download=True)
    assert first.image_std == (0.25,) * 3
    assert calls[0] == "open_clip_model.safetensors"
    calls.clear()
    second = load_pretrained("ViT-S-32", "mine", tmp_path, download=False)
    assert calls == []
    assert second.fingerprint == first.fingerprint


class _Response:
    headers: dict = {}
    request = None
    status_code = 404


def test_an_unknown_pretrained_model(tmp_path):
    with pytest.raises(InputError, match="no pretrained model"):
        load_pretrained("ViT-B-32", "nobody", tmp_path)


def test_a_configuration_saved_by_windows_is_read(tmp_path: Path) -> None:
    content = {"model_cfg": {"vision_cfg": {}, "text_cfg": {}}}
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "open_clip_config.json").write_text(json.dumps(content), encoding)
        assert _find_config(tmp_path / "x.safetensors", None) == (content["model_cfg"], {})
