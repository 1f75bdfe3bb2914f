"""Small tokenizers of every kind that CLIPs have, trained on the spot: the true pipelines, a few hundred tokens."""

from __future__ import annotations

import functools
import io
import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = (
    "a red cat on the bench photo of dog traffic light café semi realistic bird house tree car blue green running "
    "quickly t shirt don't Tom Jerry 50% C++ (other), hot-air balloon! grüne Straße Dog other & -"
)
SIZE = 160


@functools.cache
def lines() -> tuple[str, ...]:
    drawn = random.Random(0)
    return tuple(" ".join(drawn.choices(TEXT.split(), k=8)) for _ in range(300))


def library_tokenizer(kind: str) -> Tokenizer:
    """``siglip`` (Unigram, end mark), ``xlm-roberta`` (Unigram, both marks), ``gemma`` (BPE with bytes, end mark),
    ``bert`` (WordPiece, both marks), ``clip`` (byte BPE, both marks)."""
    return Tokenizer.from_str(_trained(kind))


@functools.cache
def _trained(kind: str) -> str:
    tokenizer, trainer, before, after = {
        "siglip": lambda: _unigram(["<pad>", "</s>", "<unk>"], "", "</s>"),
        "xlm-roberta": lambda: _unigram(["<s>", "<pad>", "</s>", "<unk>"], "<s>", "</s>"),
        "gemma": _gemma,
        "bert": _bert,
        "clip": _clip,
    }[kind]()
    tokenizer.train_from_iterator(lines(), trainer)
    marks = [(mark, tokenizer.token_to_id(mark)) for mark in (before, after) if mark]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(part for part in (before, "$A", after) if part), special_tokens=marks
    )
    return tokenizer.to_str()


def _unigram(special: list[str], before: str, after: str):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=SIZE, special_tokens=special, unk_token="<unk>", show_progress=False)
    return tokenizer, trainer, before, after


def _gemma():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=len(special) + SIZE, special_tokens=special[:4], show_progress=False,
                                  initial_alphabet=["▁"], max_token_length=8)  # fmt: skip
    return tokenizer, trainer, "", "<eos>"


def _bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return (
        tokenizer,
        trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=special, show_progress=False),
        "[CLS]",
        "[SEP]",
    )


def _clip():
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    pattern = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pattern, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<|startoftext|>", "<|endoftext|>"], end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    return tokenizer, trainer, "<|startoftext|>", "<|endoftext|>"


def sentencepiece_model(kind: str = "unigram", **marks: int) -> bytes:
    """A SentencePiece model in its own format."""
    from sentencepiece import SentencePieceTrainer

    out = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines()), model_writer=out, vocab_size=75, model_type=kind, minloglevel=2, **marks
    )
    return out.getvalue()


def put(folder: Path, kind: str, settings: dict | None = None) -> int:
    """Write a ``tokenizer.json`` (and, if given, its settings) and return the number of its tokens."""
    tokenizer = library_tokenizer(kind)
    tokenizer.save(str(folder / "tokenizer.json"))
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return max(tokenizer.get_vocab().values()) + 1
