"""Which tokenizer a CLIP has: its vocabulary must be the one whose tokens the model has embeddings of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..towers.source_text import Span
from .tokenizer_files import JSON, TOKENIZER_FILES, TokenizerFile, read_tokenizer

_CONFIGURATIONS = ("open_clip_config.json", "config.json")
_OPENAI_OPTIONS = ("clean", "additional_special_tokens")
# Rows of an embedding that no token has: sizes are rounded up (T5's by 28; CLIPA's 32000 for BERT's 30522).
_SPARE_ROWS = 2048


class FileTokenizer:
    """A tokenizer from files, called as open_clip's own are: texts to ids ``[K, context]``.

    Attributes:
        context_length: length of a row.
        clean_fn: what is done to a text first, in open_clip's manner.
        eos_token_id: the token that ends a text, or None.
    """

    def __init__(self, file: TokenizerFile, text_config: dict[str, Any], rows: int | None = None) -> None:
        """Use ``file`` as open_clip's text configuration says, for a model with embeddings of ``rows`` tokens."""
        from open_clip.tokenizer import get_clean_fn

        options = text_config.get("tokenizer_kwargs", {})
        self.context_length: int = text_config.get("context_length", 77)
        self.clean_fn = get_clean_fn(options.get("clean", "whitespace"))
        self._file, self._rows = file, rows
        self._after = file.after or _missing_end(file, text_config)
        self.eos_token_id = self._after[0] if self._after else None
        self._pad = _pad(file, text_config)
        # CLIPA was trained with BERT's separator replaced by padding.
        separator = file.mark("sep_token") if "sep_token" in file.marks else file.vocabulary.get("[SEP]")
        self._replaced = {separator: 0} if options.get("strip_sep_token") else {}

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> torch.Tensor:
        """Ids ``[K, context]`` of K texts: cut off or filled up to the context's length.

        Raises:
            InputError: a text with a token that the model has no embedding of.
        """
        texts = [texts] if isinstance(texts, str) else texts
        length = context_length or self.context_length
        return torch.tensor([self._row(text, length) for text in texts], dtype=torch.long).reshape(-1, length)

    def pieces(self, text: str) -> tuple[list[int], list[Span]]:
        """The tokens of a cleaned text, none added and none cut off, and their spans in it."""
        ids, spans = self._file.content(text)
        return [self._replaced.get(i, i) for i in ids], spans

    def _row(self, text: str, length: int) -> list[int]:
        ids, spans = self.pieces(self.clean_fn(text))
        if self._rows is not None and ids and max(ids) >= self._rows:
            token = self.clean_fn(text)[slice(*spans[ids.index(max(ids))])]
            raise InputError(f"text has {token!r}, a token that this CLIP has no embedding of; leave it out")
        before, after = ([self._replaced.get(i, i) for i in side] for side in (self._file.before, self._after))
        row = [*before, *ids[: max(0, length - len(before) - len(after))], *after][:length]
        fill = [self._pad] * (length - len(row))
        return fill + row if self._file.pads_left else row + fill


def _missing_end(file: TokenizerFile, text_config: dict[str, Any]) -> tuple[int, ...]:
    """The end token that files without a post-processor don't add, where the tower reads its feature there."""
    if text_config.get("pool_type", "argmax") not in ("argmax", "eos"):
        return ()
    known = [
        text_config.get("eos_id"),
        file.mark("eos_token"),
        file.vocabulary.get("<|endoftext|>"),
        file.vocabulary.get("</s>"),
    ]
    return next(((token,) for token in known if token is not None), ())


def _pad(file: TokenizerFile, text_config: dict[str, Any]) -> int:
    if file.pad is not None and "pad_token" in file.marks:
        return file.pad
    # SigLIP, which reads its feature at the last place, fills up C4's vocabularies with their end token.
    if text_config.get("pool_type") == "last" and file.vocabulary.get("</s>") == 1:
        return 1
    known = (file.pad, *(file.vocabulary.get(token) for token in ("<pad>", "[PAD]", "<|pad|>")), 0)
    return next(token for token in known if token is not None)


def find_tokenizer(config: dict[str, Any], folder: Path, file_name: str, rows: int | None = None) -> Any:
    """The tokenizer of a checkpoint: the one beside it, or open_clip's own where the model has OpenAI's vocabulary.

    Args:
        config: open_clip configuration.
        folder, file_name: of the checkpoint.
        rows: how many tokens the model has embeddings of; the configuration's number if not given.

    Raises:
        InputError: no tokenizer there, half of one, or another model's; the message names the file that is wanted.
    """
    text = config["text_cfg"]
    wanted = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if rows is None and not text.get("hf_model_name"):
        rows = text.get("vocab_size", 49408)
    folder_is_the_models = any((folder / name).is_file() for name in _CONFIGURATIONS)
    own = None if wanted else _openai_tokenizer(text, rows)
    if own is not None and not (folder_is_the_models and _has_another_vocabulary(folder, own)):
        return own
    found = read_tokenizer(folder, wanted)
    if found is None:
        there = [name for name in TOKENIZER_FILES if (folder / name).is_file()]
        raise InputError(
            f"checkpoint {file_name} {_need(wanted, rows)}, whose files are not beside it"
            f"{f' ({there[0]} alone holds no vocabulary)' if there else ''}; put {_put(folder, wanted, rows)}"
        )
    if rows is not None and not 0 <= rows - found.size <= (rows if folder_is_the_models else _SPARE_ROWS):
        raise InputError(
            f"checkpoint {file_name} {_need(wanted, rows)}, but {found.name} beside it has {found.size} tokens and is "
            f"another model's; give the checkpoint a folder of its own and put {_put(None, wanted, rows)}"
        )
    return FileTokenizer(found, text, rows)


def token_rows(model: Any) -> int:
    """How many tokens a model's text tower has embeddings of."""
    tower = getattr(model, "text", model)
    if hasattr(tower, "token_embedding"):
        return tower.token_embedding.num_embeddings
    return tower.transformer.get_input_embeddings().num_embeddings  # a Hugging Face text encoder


def _openai_tokenizer(text: dict[str, Any], rows: int | None) -> Any:
    """open_clip's own tokenizer, if it has a token for each row and a row for each token; else None."""
    import open_clip

    # Not "reduction_mask": dropping words to shorten a text is for training, draws lots and may ask the network.
    options = {key: value for key, value in text.get("tokenizer_kwargs", {}).items() if key in _OPENAI_OPTIONS}
    own = open_clip.SimpleTokenizer(context_length=text.get("context_length", 77), **options)
    return own if own.vocab_size == rows else None


def _has_another_vocabulary(folder: Path, own: Any) -> bool:
    """Whether a tokenizer lies there that is not OpenAI's."""
    for name in (JSON, "vocab.json"):
        if (folder / name).is_file():
            try:
                content = json.loads((folder / name).read_text(encoding="utf-8"))
                vocabulary = content["model"]["vocab"] if name == JSON else content
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{name} in {folder} can't be read ({error}); download it again") from error
            ordinary = {token: i for token, i in own.encoder.items() if i not in own.all_special_ids}
            return not (isinstance(vocabulary, dict) and ordinary.items() <= vocabulary.items())
    return read_tokenizer(folder) is not None


def _need(wanted: str | None, rows: int | None) -> str:
    if wanted:
        return f"needs the tokenizer {wanted}"
    return f"has embeddings of {rows} tokens (OpenAI's tokenizer has 49408) and needs a tokenizer of its own"


def _put(folder: Path | None, wanted: str | None, rows: int | None) -> str:
    """Which file is wanted where; whose, by the number of tokens, where no configuration says it."""
    import open_clip

    texts = [open_clip.get_model_config(name)["text_cfg"] for name in ([] if wanted else open_clip.list_models())]
    alike = next((text["hf_tokenizer_name"] for text in texts if _named(text, rows)), None)
    whose = f"huggingface.co/{wanted}" if wanted else "the same model"
    perhaps = f", perhaps huggingface.co/{alike}," if alike else ""
    return f"{JSON} (and tokenizer_config.json) of {whose}{perhaps} into {folder or 'it'}"


def _named(text: dict[str, Any], rows: int | None) -> bool:
    return text.get("vocab_size") == rows and "hf_tokenizer_name" in text
