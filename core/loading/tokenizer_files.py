"""Tokenizers from the files that lie beside a checkpoint, by the libraries that those files are made for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..towers.source_text import Span

JSON = "tokenizer.json"
_T5, _XLM_ROBERTA, _GEMMA = "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"
_SETTINGS = ("special_tokens_map.json", "tokenizer_config.json")
_PAIR = ("vocab.json", "merges.txt")
_WORDPIECE = "vocab.txt"
TOKENIZER_FILES = (JSON, _T5, _XLM_ROBERTA, _GEMMA, *_PAIR, _WORDPIECE, *_SETTINGS)
"""Every file that a tokenizer may be read from; those before the settings hold a vocabulary, or half of one."""

Content = Callable[[str], tuple[list[int], list[Span]]]


@dataclass(frozen=True)
class TokenizerFile:
    """What a tokenizer's files say.

    Attributes:
        name: of the file with the vocabulary.
        content: of a text its tokens, without any that are added around them, and their spans in it.
        vocabulary: all tokens and their ids.
        before, after: ids of the tokens that are added around the content.
        pad: id that fills up the context; None where the files don't say.
        pads_left: whether it does so from the left.
        marks: the tokens that have a name in the settings ("eos_token": "</s>").
    """

    name: str
    content: Content
    vocabulary: Mapping[str, int]
    before: tuple[int, ...]
    after: tuple[int, ...]
    pad: int | None
    pads_left: bool
    marks: Mapping[str, str]

    @property
    def size(self) -> int:
        """One more than the highest id, tokens of reserved form (``<extra_id_7>``) at the end left out."""
        # SigLIP's first files list T5's hundred extra tokens, for which the model has no embeddings.
        return 1 + max((i for token, i in self.vocabulary.items() if not _is_reserved(token)), default=-1)

    def mark(self, name: str) -> int | None:
        """Id of a token that has a name in the settings."""
        return self.vocabulary.get(self.marks.get(name, ""))


def _is_reserved(token: str) -> bool:
    return token.lstrip("▁").startswith("<extra_id_")


def read_tokenizer(folder: Path, wanted: str | None = None) -> TokenizerFile | None:
    """The tokenizer whose files lie in a folder; None where there is no vocabulary.

    Args:
        wanted: name of the tokenizer on Hugging Face, which tells kinds apart that share a file's name.

    Raises:
        InputError: its files can't be read, or are half a tokenizer.
    """
    settings = _read_settings(folder)
    pair = [name for name in _PAIR if (folder / name).is_file()]
    if (folder / JSON).is_file():
        return _read(folder / JSON, settings, _library_file)
    for name in (_T5, _XLM_ROBERTA, _GEMMA):
        if (folder / name).is_file():
            kind = settings.get("tokenizer_class") or wanted or ""
            if name == _XLM_ROBERTA and kind and "xlm" not in kind.lower():
                raise InputError(f"{name} in {folder} is not enough for the tokenizer {kind}; put {JSON} beside it")
            return _read(folder / name, settings, _sentencepiece_file)
    if len(pair) == 2 or (folder / _WORDPIECE).is_file():
        return _read(folder / (pair[0] if len(pair) == 2 else _WORDPIECE), settings, _old_file)
    if pair:
        (missing,) = set(_PAIR) - set(pair)
        raise InputError(
            f"{pair[0]} in {folder} is half a tokenizer; put {missing} of the same model, or {JSON}, beside it"
        )
    return None


def _read_settings(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in _SETTINGS:
        if (folder / name).is_file():
            try:
                content = json.loads((folder / name).read_text(encoding="utf-8-sig"))
            except (OSError, ValueError) as error:
                raise InputError(f"{name} in {folder} can't be read ({error}); download it again") from error
            settings |= {key: value for key, value in dict(content).items() if value is not None}
    return settings


def _read(
    path: Path, settings: dict[str, Any], reader: Callable[[Path, dict[str, Any]], TokenizerFile]
) -> TokenizerFile:
    try:
        found = reader(path, settings)
    except Exception as error:  # the libraries raise many types, tokenizers a bare Exception
        raise InputError(f"{path.name} in {path.parent} can't be read ({error}); download it again") from error
    if not any(found.content(text)[0] for text in ("a", *list(found.vocabulary)[:100])):
        raise InputError(f"{path.name} in {path.parent} has no vocabulary; download it again")
    return found


def _marks(settings: dict[str, Any]) -> dict[str, str]:
    named = {key: value for key, value in settings.items() if key.endswith("_token")}
    texts = {key: value.get("content") if isinstance(value, dict) else value for key, value in named.items()}
    return {key: text for key, text in texts.items() if isinstance(text, str)}


def _around(
    settings: dict[str, Any], vocabulary: Mapping[str, int], before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The added tokens, as the settings of Llama's kind (Gemma) have it where they say so."""
    marks = _marks(settings)
    sides = []
    for side, name in ((before, "bos"), (after, "eos")):
        wanted, token = settings.get(f"add_{name}_token"), vocabulary.get(marks.get(f"{name}_token", ""))
        if wanted is not None and token is not None:
            side = (token,) if wanted else ()
        sides.append(side)
    return sides[0], sides[1]


def _library_file(path: Path, settings: dict[str, Any]) -> TokenizerFile:
    from tokenizers import Tokenizer

    return _of_library(Tokenizer.from_file(str(path)), path.name, settings)


def _of_library(tokenizer: Any, name: str, settings: dict[str, Any]) -> TokenizerFile:
    padding = tokenizer.padding or {}
    tokenizer.no_padding()
    tokenizer.no_truncation()
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    before, after = _around(settings, vocabulary, *_added(tokenizer, vocabulary))
    marks = _marks(settings)

    def content(text: str) -> tuple[list[int], list[Span]]:
        found = tokenizer.encode(text, add_special_tokens=False)
        return found.ids, found.offsets

    return TokenizerFile(
        name=name,
        content=content,
        vocabulary=vocabulary,
        before=before,
        after=after,
        pad=vocabulary.get(marks.get("pad_token", ""), padding.get("pad_id")),
        pads_left=settings.get("padding_side", padding.get("direction")) == "left",
        marks=marks,
    )


def _added(tokenizer: Any, vocabulary: Mapping[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens that its post-processor puts before and after a text."""
    for text in ("a", *list(vocabulary)[:100]):
        found = tokenizer.encode(text)
        inside = [i for i, special in enumerate(found.special_tokens_mask) if not special]
        if inside:
            return tuple(found.ids[: inside[0]]), tuple(found.ids[inside[-1] + 1 :])
    return (), ()


def _old_file(path: Path, settings: dict[str, Any]) -> TokenizerFile:
    """A vocabulary in transformers' older files: BPE of CLIP's or RoBERTa's kind, or BERT's WordPiece."""
    import transformers

    if path.name == _WORDPIECE:
        kind = transformers.BertTokenizerFast
    elif any(token.endswith("</w>") for token in json.loads(path.read_text(encoding="utf-8"))):
        kind = transformers.CLIPTokenizerFast
    else:
        kind = transformers.RobertaTokenizerFast
    found = kind.from_pretrained(str(path.parent), local_files_only=True)
    named = {key: value for key, value in found.special_tokens_map.items() if isinstance(value, str)}
    return _of_library(found.backend_tokenizer, path.name, {**named, **settings})


def _sentencepiece_file(path: Path, settings: dict[str, Any]) -> TokenizerFile:
    """SentencePiece's own format, with the ids that transformers gives its pieces."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(path))
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    before: tuple[int, ...]
    after: tuple[int, ...]
    pad: int | None
    if path.name == _XLM_ROBERTA:  # fairseq's order: four of its own first, <mask> last
        first = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
        ids = [first.get(piece, i + 1) for i, piece in enumerate(pieces)]
        vocabulary = {**dict(zip(pieces, ids, strict=True)), **first, "<mask>": len(pieces) + 1}
        before, after, pad = (0,), (2,), 1
    else:
        ids = list(range(len(pieces)))
        vocabulary = dict(zip(pieces, ids, strict=True))
        before, after = _around(settings, vocabulary, (), (processor.eos_id(),))
        pad = processor.pad_id() if processor.pad_id() >= 0 else None

    def content(text: str) -> tuple[list[int], list[Span]]:
        try:
            found = processor.encode(text, return_type="offset_mapping")
        except TypeError:  # sentencepiece before 0.2.2
            pieces = processor.encode(text, out_type="immutable_proto").pieces  # type: ignore[arg-type]
            found = {"ids": [p.id for p in pieces], "offsets": [(p.begin, p.end) for p in pieces]}
        return [ids[i] for i in found["ids"]], found["offsets"]

    marks = _marks(settings)
    return TokenizerFile(
        name=path.name,
        content=content,
        vocabulary=vocabulary,
        before=before,
        after=after,
        pad=vocabulary.get(marks.get("pad_token", ""), pad),
        pads_left=settings.get("padding_side") == "left",
        marks=marks,
    )
