"""Every format in which CLIPs are on people's disks: ours computes what the library that wrote the file computes."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import open_clip
import pytest
import torch
import transformers
from clip_explainability.core.errors import InputError
from clip_explainability.core.loading import activation, architecture, places
from clip_explainability.core.loading.checkpoints import load_checkpoint
from clip_explainability.core.loading.sources import PRETRAINED_PREFIX, load_source, source_names, source_stamp
from clip_explainability.core.loading.summary import summarise
from safetensors.torch import save_file

SMALL = {"hidden_size": 64, "intermediate_size": 200, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = {**SMALL, "max_position_embeddings": 20, "vocab_size": 600, "bos_token_id": 598, "eos_token_id": 599}
VISION = {**SMALL, "image_size": 64, "patch_size": 16}
OPEN_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 128, "layers": 2},
    "text_cfg": {"context_length": 20, "vocab_size": 600, "width": 64, "heads": 1, "layers": 2},
}
NAMES = [
    "clip",
    "clip, own eos",
    "clip, own settings",
    "siglip",
    "siglip, own settings",
    *(["metaclip 2"] if hasattr(transformers, "MetaClip2Model") else []),
]


def no_tokenizer(prompts):
    raise AssertionError("not asked for here")


def sharpened(model, seed=0):
    """Random weights that tell: default ones leave attention uniform and biases zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name, weight in model.named_parameters():
            if weight.dim() >= 2:
                torch.nn.init.normal_(weight, std=weight.shape[-1] ** -0.5)
            elif "logit" not in name:
                weight.data.add_(torch.randn_like(weight) * 0.1)
    return model.eval()


def theirs(name):
    """A model of transformers and the id of its end of text."""
    kind, _, variant = name.partition(", ")
    text, vision = dict(TEXT), dict(VISION)
    eos = 599
    if variant == "own eos":
        text["eos_token_id"] = eos = 300
    if variant == "own settings":
        text |= {"hidden_act": "gelu", "layer_norm_eps": 1e-3}
        vision |= {"hidden_act": "gelu_pytorch_tanh" if kind == "clip" else "quick_gelu", "layer_norm_eps": 1e-2}
    if kind == "siglip":
        config = transformers.SiglipConfig(text_config=text, vision_config=vision)
        return sharpened(transformers.SiglipModel(config)), eos
    if kind == "metaclip 2":
        text["eos_token_id"] = eos = 2
        config = transformers.MetaClip2Config(text_config=text, vision_config=vision, projection_dim=32)
        return sharpened(transformers.MetaClip2Model(config)), eos
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)
    return sharpened(transformers.CLIPModel(config)), eos


def save(state, path, dtype=None):
    state = {key: value.to(dtype) if dtype else value for key, value in state.items()}
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous().clone() for key, value in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def written(model, folder, config=True):
    path = save(model.state_dict(), folder / "model.safetensors")
    if config:
        (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    return path


def prompts(eos, count=2):
    ids = torch.randint(5, 290, (count, 20), generator=torch.Generator().manual_seed(1))
    ids[0, 9] = ids[1, 15] = eos
    return ids


def their_features(model, pixels, ids):
    if hasattr(model, "get_image_features"):
        pair = model.get_image_features(pixel_values=pixels), model.get_text_features(input_ids=ids)
        return [getattr(each, "pooler_output", each) for each in pair]
    return [model.encode_image(pixels), model.encode_text(ids)]


def assert_same(clip, model, eos=599, size=64, places=20):
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(2))
    ids = torch.nn.functional.pad(prompts(eos), (0, places - 20))
    with torch.no_grad():
        expected = their_features(model, pixels, ids)
        found = [clip.model.encode_image(pixels), clip.model.encode_text(ids)]
    for ours, wanted in zip(found, expected, strict=True):
        assert (ours - wanted).norm() / wanted.norm() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_hugging_face_files_compute_what_transformers_computes(tmp_path, name):
    model, eos = theirs(name)
    assert_same(load_checkpoint(written(model, tmp_path), tokenizer=no_tokenizer), model, eos)


@pytest.mark.parametrize("name", ["clip", "siglip"])
@pytest.mark.parametrize("start", ["folder", "index", "shard"])
def test_sharded_models_load_from_the_folder_the_index_and_any_shard(tmp_path, name, start):
    model, eos = theirs(name)
    folder = tmp_path / "a model"
    model.save_pretrained(folder, max_shard_size="200KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    path = {"folder": folder, "index": folder / "model.safetensors.index.json", "shard": shards[1]}[start]
    clip = load_checkpoint(path, tokenizer=no_tokenizer)
    assert clip.name == "a model"
    assert_same(clip, model, eos)


def test_one_shard_alone_is_called_one(tmp_path):
    model, _ = theirs("clip")
    model.save_pretrained(tmp_path, max_shard_size="200KB")
    first, *others = sorted(tmp_path.glob("model-*.safetensors"))
    others[0].unlink()
    for path, what in ((first, "one part"), (tmp_path, "the index")):
        with pytest.raises(
            InputError, match=rf"is {what} of a model in \d+ shards, .*{others[0].name}.*put all shards"
        ):
            load_checkpoint(path)


def test_sizes_of_a_siglip_without_configuration_are_read_from_its_tensors(tmp_path):
    wide = {"hidden_size": 128}
    config = transformers.SiglipConfig(text_config={**TEXT, **wide}, vision_config={**VISION, **wide})
    model = sharpened(transformers.SiglipModel(config))
    clip = load_checkpoint(written(model, tmp_path, config=False), tokenizer=no_tokenizer)
    assert clip.image_mean == (0.5, 0.5, 0.5)
    assert_same(clip, model)


def openai_style(state):
    marks = {"input_resolution": 64, "context_length": 20, "vocab_size": 600}
    return {**state, **{key: torch.tensor(value) for key, value in marks.items()}}


def long_clip(state):
    places = state["positional_embedding"]
    kept = torch.cat([places[:20], torch.zeros_like(places[20:])])
    learned = torch.cat([torch.zeros_like(places[:20]), places[20:]])
    return {**state, "positional_embedding": kept, "positional_embedding_res": learned}


def prefixed(prefix):
    return lambda state: {prefix + key: value for key, value in state.items()}


LAYOUTS = {
    "open_clip": dict,
    "OpenAI": openai_style,
    "Long-CLIP": long_clip,
    "position ids": lambda state: {**state, "text_model.embeddings.position_ids": torch.arange(20)},
    **{prefix: prefixed(prefix) for prefix in ("module.", "model.", "_orig_mod.", "module._orig_mod.", "clip.model.")},
    "compiled tower": lambda state: {key.replace("visual.", "visual._orig_mod."): v for key, v in state.items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_every_layout_of_open_clips_tensors(tmp_path, layout, suffix):
    config = {**OPEN_CLIP, "text_cfg": {**OPEN_CLIP["text_cfg"], "context_length": 20 if layout != "Long-CLIP" else 48}}
    model = sharpened(open_clip.CLIP(**config, quick_gelu=layout == "OpenAI"))
    path = save(LAYOUTS[layout](model.state_dict()), tmp_path / f"mine{suffix}")
    clip = load_checkpoint(path, tokenizer=no_tokenizer)
    assert_same(clip, model, places=config["text_cfg"]["context_length"])


@pytest.mark.parametrize("prefix", ["", "clip.", "module.", "model."])
def test_every_prefix_of_hugging_faces_tensors(tmp_path, prefix):
    model, _ = theirs("clip")
    state = {**model.state_dict(), "text_model.embeddings.position_ids": torch.arange(20)[None]}
    save(prefixed(prefix)(state), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_dict()))
    assert_same(load_checkpoint(tmp_path / "model.safetensors", tokenizer=no_tokenizer), model)


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
def test_what_trainers_wrap_around_the_weights_is_taken_off(tmp_path, wrapper):
    model = open_clip.CLIP(**OPEN_CLIP)
    torch.save({"epoch": 3, wrapper: model.state_dict(), "optimizer": {"lr": 1.0}}, tmp_path / "epoch_3.pt")
    assert load_checkpoint(tmp_path / "epoch_3.pt", tokenizer=no_tokenizer).image_size == (64, 64)


@pytest.mark.parametrize("names", [("a.pt", "b.safetensors"), ("a.safetensors", "b.bin")])
def test_a_file_under_the_wrong_suffix_is_read_for_what_it_is(tmp_path, names):
    written_as, renamed = (tmp_path / name for name in names)
    save(open_clip.CLIP(**OPEN_CLIP).state_dict(), written_as).rename(renamed)
    assert load_checkpoint(renamed, tokenizer=no_tokenizer).image_size == (64, 64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_load_in_full(tmp_path, dtype):
    model, _ = theirs("clip")
    save(model.state_dict(), tmp_path / "model.safetensors", dtype)
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_dict()))
    clip = load_checkpoint(tmp_path / "model.safetensors", tokenizer=no_tokenizer)
    assert clip.dtype == torch.float32
    assert_same(clip, model.to(dtype).float())


def pixels(mean, std):
    return {"image_mean": [mean] * 3, "image_std": [std] * 3}


@pytest.mark.parametrize(
    ("file", "content", "mean", "std", "interpolation"),
    [
        ("preprocessor_config.json", pixels(0.5, 0.25), 0.5, 0.25, "bicubic"),
        ("preprocessor_config.json", pixels(0.5, 0.5) | {"resample": 2}, 0.5, 0.5, "bilinear"),
        ("preprocessor_config.json", {"do_normalize": False}, 0.0, 1.0, "bicubic"),
        ("preprocessor_config.json", pixels(1.0, 1.0) | {"rescale_factor": 2 / 255}, 0.5, 0.5, "bicubic"),
        ("processor_config.json", {"image_processor": pixels(0.1, 0.2)}, 0.1, 0.2, "bicubic"),
    ],
)  # fmt: skip
def test_preprocessing_beside_a_hugging_face_file_is_heeded(tmp_path, file, content, mean, std, interpolation):
    path = written(theirs("clip")[0], tmp_path)
    (tmp_path / file).write_text(json.dumps(content))
    clip = load_checkpoint(path, tokenizer=no_tokenizer)
    assert clip.image_mean == pytest.approx((mean,) * 3)
    assert clip.image_std == pytest.approx((std,) * 3)
    assert clip.interpolation == interpolation


def test_naflex_is_refused_with_what_to_take(tmp_path):
    model, _ = theirs("siglip")
    state = model.state_dict()
    key = "vision_model.embeddings.patch_embedding.weight"
    path = save({**state, key: state[key].flatten(1)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors is a NaFlex SigLIP 2.*take the fixed-resolution model"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("text_", r"has a text tower but no image tower .*TE-only.*choose a whole CLIP.*Explainable CLIP from Parts"),
        (
            "vis",
            r"has an image tower but no text tower .*CLIP Vision.*choose a whole CLIP.*Explainable CLIP from Parts",
        ),
    ],
)
def test_half_a_clip_is_sent_to_the_node_that_can_use_it(tmp_path, part, says):
    state = {key: value for key, value in theirs("clip")[0].state_dict().items() if key.startswith(part)}
    with pytest.raises(InputError, match=says):
        load_checkpoint(save(state, tmp_path / "half.safetensors"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "pointer of Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>" * 9, "is a web page"),
        (b'\n{"error": "not found"}', "is a JSON text"),
        (b"GGUF\x03\x00\x00\x00", "is a GGUF file .*take the model's .safetensors"),
        (b"\x08\x07\x12\x07pytorch\x1a\x05", "is an ONNX graph"),
    ],
)
@pytest.mark.parametrize("name", ["clip.safetensors", "clip.pt"])
def test_what_is_no_checkpoint_is_called_by_its_name(tmp_path, content, says, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"checkpoint {name} .*{says}"):
        load_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["clip-vit-large-patch14"], "quick_gelu"),
        (["clip-vit-base-patch32-fp16"], "quick_gelu"),
        (["model of mine", "clip-vit-large-patch14-336"], "quick_gelu"),
        (["ViT-L-14-336px"], "quick_gelu"),
        (["ViT-L-14"], "quick_gelu"),
        (["RN50x64"], "quick_gelu"),
        (["ViT-L-14-TEXT-detail-improved-hiT-GmP-HF"], "quick_gelu"),
        (["LongCLIP-L"], "quick_gelu"),
        (["DFN5B-CLIP-ViT-H-14-378"], "quick_gelu"),
        (["metaclip-h14-fullcc2.5b"], "quick_gelu"),
        (["ViT-H-14-quickgelu.dfn5b"], "quick_gelu"),
        (["vit_b_32-quickgelu-laion400m_e31-d867053b"], "quick_gelu"),
        (["DFN2B-CLIP-ViT-L-14-39B"], "gelu"),
        (["CLIP-ViT-H-14-laion2B-s32B-b79K"], "gelu"),
        (["vit_l_14-laion400m_e32-3d133497"], "gelu"),
        (["CLIP-ViT-bigG-14-laion2B-39B-b160k"], "gelu"),
        (["metaclip-2-worldwide-giant"], "gelu"),
        (["metaclip-2-worldwide-huge-quickgelu"], "quick_gelu"),
        (["my finetune", "open_clip"], None),
    ],
)
def test_activations_of_files_by_the_names_under_which_they_go_around(names, expected):
    assert activation.known_activation(names) == expected


def test_openais_own_marks_say_quick_gelu_whatever_the_name(tmp_path):
    path = save(openai_style(open_clip.CLIP(**OPEN_CLIP).state_dict()), tmp_path / "mine.pt")
    clip = load_checkpoint(path, tokenizer=no_tokenizer)
    assert "QuickGELU" in summarise(clip)
    assert clip.notes == ()


def test_a_guessed_activation_is_reported_and_logged_with_the_widgets_name(tmp_path, caplog):
    path = save(open_clip.CLIP(**OPEN_CLIP).state_dict(), tmp_path / "mine.safetensors")
    with caplog.at_level(logging.WARNING):
        clip = load_checkpoint(path, tokenizer=no_tokenizer)
    assert "set the 'activation' widget" in caplog.text
    assert "mine.safetensors" in caplog.text
    assert "Note: " in summarise(clip)
    assert "is a guess" in summarise(clip)
    assert load_checkpoint(path, "gelu", tokenizer=no_tokenizer).notes == ()


@pytest.fixture
def no_sockets(monkeypatch):
    """Any attempt to reach a network fails, and is remembered."""
    asked = []

    def refuse(*args, **kwargs):
        asked.append(args)
        raise OSError("the network was asked")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield
    assert asked == []


ROBERTA = {
    "model_type": "roberta",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 600,
    "max_position_embeddings": 40,
}
WITH_ROBERTA = {
    "embed_dim": 32,
    "vision_cfg": OPEN_CLIP["vision_cfg"],
    "text_cfg": {"hf_model_name": "roberta-base", "hf_proj_type": "mlp", "hf_pooler_type": "mean_pooler"},
}
TIMM = {
    "embed_dim": 32,
    "vision_cfg": {"timm_model_name": "test_vit", "timm_model_pretrained": True, "image_size": 160, "timm_pool": ""},
    "text_cfg": OPEN_CLIP["text_cfg"],
}


class TestTheNetworkIsNeverAsked:
    pytestmark = pytest.mark.usefixtures("no_sockets")

    @pytest.mark.parametrize("name", ["clip", "siglip"])
    def test_for_hugging_face_files(self, tmp_path, name):
        path = written(theirs(name)[0], tmp_path)
        load_checkpoint(path, tokenizer=no_tokenizer)

    def test_for_a_siglip_without_its_tokenizer(self, tmp_path):
        with pytest.raises(InputError, match="tokenizer"):
            load_checkpoint(written(theirs("siglip")[0], tmp_path))

    @pytest.mark.parametrize("place", [".", "roberta-base"])
    def test_for_a_text_tower_whose_configuration_lies_beside_the_file(self, tmp_path, place):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "config.json").write_text(json.dumps(ROBERTA))
        model = architecture.build_model(WITH_ROBERTA, tmp_path)
        path = save(model.state_dict(), tmp_path / "open_clip_model.safetensors")
        (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": WITH_ROBERTA}))
        assert_same(load_checkpoint(path, tokenizer=no_tokenizer), model.eval())

    def test_for_a_text_tower_whose_configuration_is_missing(self, tmp_path):
        path = save(open_clip.CLIP(**OPEN_CLIP).state_dict(), tmp_path / "mine.safetensors")
        (tmp_path / "mine.json").write_text(json.dumps(WITH_ROBERTA))
        with pytest.raises(InputError, match=r"text tower is Hugging Face's roberta-base.*put config\.json of"):
            load_checkpoint(path)

    def test_for_a_timm_tower_that_was_trained_from_a_pretrained_one(self, tmp_path):
        model = architecture.build_model(TIMM)
        path = save(model.state_dict(), tmp_path / "mine.safetensors")
        (tmp_path / "mine.json").write_text(json.dumps(TIMM))
        assert_same(load_checkpoint(path, tokenizer=no_tokenizer), model.eval(), size=160)

    def test_for_a_timm_tower_on_a_hub(self, tmp_path):
        vision = {**TIMM["vision_cfg"], "timm_model_name": "hf-hub:timm/test_vit.r160_in1k"}
        path = save(open_clip.CLIP(**OPEN_CLIP).state_dict(), tmp_path / "mine.safetensors")
        (tmp_path / "mine.json").write_text(json.dumps({**TIMM, "vision_cfg": vision}))
        with pytest.raises(InputError, match="a model on a hub"):
            load_checkpoint(path)

    @pytest.mark.parametrize(
        "name", ["ViT-B-32/laion2b_s34b_b79k", "ViT-B-32/openai", "hf-hub:a/b", "ViT-B-16-SigLIP/webli"]
    )
    def test_for_a_pretrained_model_that_is_not_here(self, tmp_path, name):
        with pytest.raises(InputError):
            load_source(PRETRAINED_PREFIX + name, lambda _: None, str(tmp_path), False, torch.float32)


class TestChangesAreNoticed:
    @pytest.mark.parametrize("source", ["sub/clip.safetensors", "sub", PRETRAINED_PREFIX + "ViT-B-32/openai"])
    @pytest.mark.parametrize(
        "beside",
        [
            "open_clip_config.json",
            "clip.json",
            "tokenizer.json",
            "merges.txt",
            "preprocessor_config.json",
            "spiece.model",
        ],
    )
    def test_of_files_put_beside_changed_and_removed(self, tmp_path, source, beside):
        folder = tmp_path / ("ViT-B-32.openai" if source.startswith(PRETRAINED_PREFIX) else "sub")
        folder.mkdir()
        (folder / "clip.safetensors").write_bytes(b"weights")

        def stamp():
            return source_stamp(source, lambda name: str(tmp_path / name), str(tmp_path))

        seen = [stamp()]
        assert stamp() == seen[0]
        (folder / beside).write_text("{}")
        seen.append(stamp())
        (folder / beside).write_text('{"a": 1}')
        seen.append(stamp())
        assert len(set(seen)) == 3
        (folder / beside).unlink()
        assert stamp() == seen[0]

    def test_of_shards(self, tmp_path):
        shards = [tmp_path / f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
        shards[0].write_bytes(b"1")
        seen = [places.stamp(shards[0])]
        for shard in shards[1:]:
            shard.write_bytes(b"2")
            seen.append(places.stamp(shards[0]))
        assert len(set(seen)) == 3

    def test_of_a_pretrained_model_that_was_not_here(self, tmp_path):
        name = PRETRAINED_PREFIX + "ViT-B-32/openai"
        before = source_stamp(name, lambda _: None, str(tmp_path))
        (tmp_path / "ViT-B-32.openai").mkdir()
        (tmp_path / "ViT-B-32.openai" / "open_clip_model.safetensors").write_bytes(b"weights")
        assert source_stamp(name, lambda _: None, str(tmp_path)) != before


def test_a_sharded_model_stands_in_the_list_by_its_folder():
    files = ["big/model-00001-of-00002.safetensors", "big/model-00002-of-00002.safetensors", "small.safetensors"]
    names = source_names(files)
    assert names[1:3] == [str(Path("big")), "small.safetensors"]


def test_a_folder_with_several_models_asks_for_one(tmp_path):
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(InputError, match=r"several models \(a\.safetensors, b\.safetensors\); choose one"):
        load_checkpoint(tmp_path)
