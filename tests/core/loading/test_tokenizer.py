"""Which tokenizer a checkpoint gets: the one whose tokens its embedding holds, read from any of its formats."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import tiny_tokenizers
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.loading.checkpoints import load_checkpoint
from clip_explainability.core.loading.tokenizer import FileTokenizer, find_tokenizer
from clip_explainability.core.loading.tokenizer_files import TOKENIZER_FILES, read_tokenizer
from safetensors.torch import save_file

TEXTS = ["A 犬 red  cat é on 🐱bench, t-shirt dogcat", "", "cat " * 60, "a café &amp; b"]
SPECIALS = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}


def config(rows: int, wanted: str | None = None, **text: object) -> dict:
    named = {"hf_tokenizer_name": wanted} if wanted else {}
    return {"text_cfg": {"context_length": 20, "vocab_size": rows, **named, **text}}


def saved_clip(folder: Path, rows: int, layout: str) -> Path:
    """A CLIP with embeddings of so many tokens, and its configuration, in a folder of its own."""
    text = {"context_length": 20, "vocab_size": rows, "width": 64, "heads": 1, "layers": 1}
    vision = {"image_size": 32, "patch_size": 16, "width": 64, "layers": 1}
    folder.mkdir()
    if layout == "open_clip":
        model = open_clip.CLIP(32, vision, text)
        about = {"model_cfg": {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text}}
        (folder / "open_clip_config.json").write_text(json.dumps(about))
    else:
        from transformers import CLIPConfig, CLIPModel

        small = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 1, "num_attention_heads": 1}
        about = CLIPConfig(
            text_config={**small, "vocab_size": rows, "max_position_embeddings": 20, "eos_token_id": rows - 1},
            vision_config={**small, "image_size": 32, "patch_size": 16},
            projection_dim=32,
        )
        model = CLIPModel(about)
        (folder / "config.json").write_text(json.dumps(about.to_dict()))
    path = folder / "model.safetensors"
    save_file({key: value.contiguous().clone() for key, value in model.state_dict().items()}, path)
    return path


@pytest.mark.parametrize("layout", ["open_clip", "Hugging Face"])
@pytest.mark.parametrize("rows", [8_000, 60_000, 49_407, 49_409])
def test_openais_tokenizer_is_never_given_to_another_vocabulary(tmp_path: Path, layout: str, rows: int) -> None:
    path = saved_clip(tmp_path / "own", rows, layout)
    with pytest.raises(
        InputError, match=rf"model\.safetensors has embeddings of {rows} tokens.*put tokenizer\.json .*own"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize("layout", ["open_clip", "Hugging Face"])
def test_the_tokenizer_beside_a_checkpoint_is_used(tmp_path: Path, layout: str) -> None:
    path = saved_clip(tmp_path / "own", 8_000, layout)
    tiny_tokenizers.put(path.parent, "clip")
    clip = load_checkpoint(path)
    library = tiny_tokenizers.library_tokenizer("clip")
    ids = library.encode("a red cat").ids
    assert clip.tokenizer(["a red cat"])[0, : len(ids)].tolist() == ids


def test_a_named_tokenizer_that_is_missing_is_named_by_size_and_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokenizer\.json .* of huggingface\.co/facebook/xlm-v-base into"):
        find_tokenizer(open_clip.get_model_config("ViT-H-14-worldwide"), tmp_path, "metaclip2.safetensors")
    with pytest.raises(InputError, match=r"perhaps huggingface\.co/facebook/xlm-v-base, into"):
        find_tokenizer(config(901_629), tmp_path, "metaclip2.safetensors")


@pytest.mark.parametrize("settings", ["tokenizer_config.json", "special_tokens_map.json"])
def test_settings_without_a_vocabulary_are_half_a_tokenizer(tmp_path: Path, settings: str) -> None:
    (tmp_path / settings).write_text(json.dumps({"eos_token": "</s>"}))
    with pytest.raises(InputError, match=rf"{settings} alone holds no vocabulary.*put tokenizer\.json"):
        find_tokenizer(config(32_000, "timm/ViT-B-16-SigLIP"), tmp_path, "siglip.safetensors")


@pytest.mark.parametrize(("there", "missing"), [("vocab.json", "merges.txt"), ("merges.txt", "vocab.json")])
def test_one_file_of_a_pair_names_the_other(tmp_path: Path, there: str, missing: str) -> None:
    (tmp_path / there).write_text("{}")
    with pytest.raises(InputError, match=f"half a tokenizer; put {missing}"):
        find_tokenizer(config(600), tmp_path, "clip.safetensors")


@pytest.mark.parametrize(
    "content", ["", "{}", "version https://git-lfs.github.com/spec/v1", '{"model": {"vocab": {}}}']
)
def test_a_damaged_tokenizer_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json in .* can't be read"):
        find_tokenizer(config(600), tmp_path, "clip.safetensors")


def test_an_empty_vocabulary_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE()).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="no vocabulary"):
        find_tokenizer(config(600), tmp_path, "clip.safetensors")


def test_another_models_tokenizer_is_refused_and_spare_rows_are_not(tmp_path: Path) -> None:
    size = tiny_tokenizers.put(tmp_path, "siglip")
    wanted = "timm/ViT-B-16-SigLIP2"
    assert find_tokenizer(config(size, wanted), tmp_path, "one.safetensors") is not None
    assert find_tokenizer(config(size + 28, wanted), tmp_path, "one.safetensors") is not None
    for rows in (size - 1, 256_000):
        with pytest.raises(InputError, match=rf"has {size} tokens and is another model's; .*{wanted}"):
            find_tokenizer(config(rows, wanted), tmp_path, "one.safetensors")


def test_reserved_tokens_need_no_embedding_until_somebody_types_them(tmp_path: Path) -> None:
    """The first SigLIP files list T5's hundred extra tokens; the model has 32000 embeddings."""
    tokenizer = tiny_tokenizers.library_tokenizer("siglip")
    rows = max(tokenizer.get_vocab().values()) + 1
    tokenizer.add_special_tokens([f"<extra_id_{i}>" for i in range(100)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = find_tokenizer(config(rows, "timm/ViT-B-16-SigLIP"), tmp_path, "siglip.safetensors")
    assert int(found(["a red cat"]).max()) < rows
    with pytest.raises(InputError, match="<extra_id_7>"):
        found(["a <extra_id_7> cat"])


def test_openais_vocabulary_is_read_by_open_clips_tokenizer_whatever_lies_around(tmp_path: Path) -> None:
    own = open_clip.SimpleTokenizer()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": own.encoder}}))
    assert isinstance(find_tokenizer(config(49_408), tmp_path, "clip.safetensors"), open_clip.SimpleTokenizer)
    (tmp_path / "config.json").unlink()
    tiny_tokenizers.put(tmp_path, "siglip")  # that of another model, in a folder of many
    assert isinstance(find_tokenizer(config(49_408), tmp_path, "clip.safetensors"), open_clip.SimpleTokenizer)


def test_another_vocabulary_of_openais_size_is_noticed(tmp_path: Path) -> None:
    tiny_tokenizers.put(tmp_path, "clip")
    (tmp_path / "config.json").write_text("{}")
    assert isinstance(find_tokenizer(config(49_408), tmp_path, "clip.safetensors"), FileTokenizer)


def test_dropping_words_at_random_is_for_training(tmp_path: Path) -> None:
    text = config(49_408, tokenizer_kwargs={"reduction_mask": "random", "clean": "canonicalize"})
    found = find_tokenizer(text, tmp_path, "clip.safetensors")
    assert torch.equal(found(["cat, dog " * 30])[0, 1:19], found(["cat dog " * 30])[0, 1:19])


KINDS = {
    "siglip": ("T5TokenizerFast", {"pad_token": "</s>", "extra_ids": 0}, {"clean": "canonicalize"}),
    "xlm-roberta": ("XLMRobertaTokenizerFast", {}, {}),
    "gemma": (
        "GemmaTokenizerFast",
        {"add_bos_token": False, "add_eos_token": True, "padding_side": "right"},
        {"clean": "canonicalize"},
    ),
    "bert": ("BertTokenizerFast", {}, {"strip_sep_token": True}),
    "clip": ("CLIPTokenizerFast", {}, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_open_clips_hugging_face_tokenizer(tmp_path: Path, kind: str) -> None:
    import transformers

    name, options, kwargs = KINDS[kind]
    theirs = getattr(transformers, name)(tokenizer_object=tiny_tokenizers.library_tokenizer(kind), **options)
    theirs.save_pretrained(tmp_path)
    ours = find_tokenizer(config(2000, "a/b", tokenizer_kwargs=kwargs), tmp_path, "clip.safetensors")
    reference = open_clip.tokenizer.HFTokenizer(str(tmp_path), context_length=20, **kwargs)
    assert torch.equal(ours(TEXTS), reference(TEXTS))


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizer_json_alone_is_enough(tmp_path: Path, kind: str) -> None:
    tiny_tokenizers.put(tmp_path, kind)
    library = tiny_tokenizers.library_tokenizer(kind)
    found = find_tokenizer(config(2000, "a/b"), tmp_path, "clip.safetensors")
    ids = library.encode("a red cat on the bench").ids
    assert found("a red cat on the bench")[0, : len(ids)].tolist() == ids
    assert found([]).shape == (0, 20)


@pytest.mark.parametrize(
    ("kind", "tower", "pad"),
    [
        ("siglip", {"pool_type": "last"}, 1),
        ("gemma", {"pool_type": "last"}, 0),
        ("xlm-roberta", {}, 1),
        ("bert", {}, 0),
    ],
)
def test_the_rest_of_the_context_is_filled_as_in_training(tmp_path: Path, kind: str, tower: dict, pad: int) -> None:
    """SigLIP fills up C4's vocabularies with the end token, Gemma's and all others with <pad>."""
    tiny_tokenizers.put(tmp_path, kind)
    assert find_tokenizer(config(2000, "a/b", **tower), tmp_path, "clip.safetensors")("cat")[0, -1] == pad


def test_a_file_that_adds_no_end_gets_one_where_the_feature_is_read_there(tmp_path: Path) -> None:
    library = tiny_tokenizers.library_tokenizer("clip")
    library.save(str(tmp_path / "tokenizer.json"))
    about = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**about, "post_processor": None}))
    found = find_tokenizer(config(2000, "a/b"), tmp_path, "clip.safetensors")
    end = library.token_to_id("<|endoftext|>")
    assert (found(["a cat", "cat " * 40]) == end).any(dim=1).all()


@pytest.mark.parametrize("kind", ["clip", "bert"])
def test_older_files_say_the_same(tmp_path: Path, kind: str) -> None:
    (tmp_path / "old").mkdir()
    tiny_tokenizers.put(tmp_path, kind)
    tiny_tokenizers.library_tokenizer(kind).model.save(str(tmp_path / "old"))
    new, old = read_tokenizer(tmp_path), read_tokenizer(tmp_path / "old")
    assert new is not None
    assert old is not None
    for text in TEXTS:
        assert new.content(text) == old.content(text)
    assert (new.before, new.after, new.size) == (old.before, old.after, old.size)


@pytest.mark.parametrize(
    ("file", "trained", "specials", "first", "last", "shift"),
    [
        ("spiece.model", "unigram", SPECIALS, [], [1], 0),
        ("tokenizer.model", "bpe", SPECIALS, [], [1], 0),
        ("sentencepiece.bpe.model", "unigram", {"unk_id": 0, "bos_id": 1, "eos_id": 2}, [0], [2], 1),
    ],
)
def test_sentencepiece_models_have_the_ids_that_transformers_gives_them(
    tmp_path: Path, file: str, trained: str, specials: dict, first: list, last: list, shift: int
) -> None:
    from sentencepiece import SentencePieceProcessor

    (tmp_path / file).write_bytes(tiny_tokenizers.sentencepiece_model(trained, **specials))
    processor = SentencePieceProcessor(model_file=str(tmp_path / file))
    found = find_tokenizer(config(200, "xlm"), tmp_path, "clip.safetensors")
    pieces = processor.encode("a red cat on")
    row = [*first, *(piece + shift for piece in pieces), *last]
    assert found("a red cat on")[0, : len(row)].tolist() == row
    unknown = 3 if shift else 2
    ids, spans = found.pieces("a 犬 cat")
    assert spans[ids.index(unknown)] == (2, 3)


def test_a_sentencepiece_model_of_another_kind_asks_for_tokenizer_json(tmp_path: Path) -> None:
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"")
    with pytest.raises(InputError, match=r"not enough for the tokenizer facebook/nllb.*tokenizer\.json"):
        find_tokenizer(config(256_206, "facebook/nllb-200-distilled-600M"), tmp_path, "nllb.safetensors")


def test_every_file_that_is_read_is_listed() -> None:
    assert {"tokenizer.json", "tokenizer_config.json", "spiece.model", "vocab.json", "merges.txt"} < set(
        TOKENIZER_FILES
    )
