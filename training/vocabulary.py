"""The words of the demo world as standard BPE ids, and as the few rows the small model stores."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from art_table import ICON_NAMES
from library import captions

CONTEXT = 32


@lru_cache(maxsize=1)
def tokenizer():  # type: ignore[no-untyped-def]
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(context_length=CONTEXT)


@lru_cache(maxsize=1)
def known_ids() -> tuple[int, ...]:
    """BPE ids that get a row of their own, sorted; every other id shares the last, unknown row."""
    rng = np.random.default_rng(0)
    texts = [f"{n} {captions.plural(n)} {captions.SYNONYMS.get(n, n)} a {n}" for n in ICON_NAMES]
    texts += [captions.fill(t, "dog") for t in captions.TEMPLATES]
    for _ in range(20_000):
        labels = tuple(np.array(list(ICON_NAMES))[rng.integers(len(ICON_NAMES), size=rng.integers(1, 4))])
        texts.append(captions.write_caption(rng, captions.SceneFacts(labels))[0])
    encode = tokenizer().encode
    ids = {i for text in set(texts) for i in encode(text)}
    return tuple(sorted(ids | {tokenizer().sot_token_id, tokenizer().eot_token_id}))


@lru_cache(maxsize=200_000)
def _rows(caption: str) -> tuple[int, ...]:
    row_of = _row_of()
    inner = [row_of.get(i, len(row_of)) for i in tokenizer().encode(caption)][: CONTEXT - 2]
    return (row_of[tokenizer().sot_token_id], *inner, row_of[tokenizer().eot_token_id])


@lru_cache(maxsize=1)
def _row_of() -> dict[int, int]:
    return {i: row for row, i in enumerate(known_ids())}


def encode(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Captions -> compact row ids [N, T] padded to the longest, and the position of EOT [N]."""
    rows = [_rows(text) for text in texts]
    length = max(map(len, rows))
    out = torch.zeros(len(rows), length, dtype=torch.long)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row)
    return out, torch.tensor([len(row) - 1 for row in rows])
