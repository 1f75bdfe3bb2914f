"""Prompts with learned context vectors in place of words: ``[SOT] context … name . … [EOT]``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..errors import InputError, UnsupportedFamilyError
from ..grad_mode import normal
from ..precision import unit
from ..relevancy import TextTrace
from ..towers.attention import AttentionTap
from ..towers.text import encode_embeddings, is_causal, require_word_tower
from ..towers.tokens import tokenize
from .class_prompts import ClassPrompts, Position

_PROMPTS_PER_PASS = 256
_WORD = "dog"  # any word that a stop can follow


@dataclass(frozen=True)
class ContextPrompts:
    """The prompts of C classes with places left for n context vectors.

    Attributes:
        base: token embeddings ``[C, T, width]``, zero at the context's places.
        context_index: ``[C, T]``: which context vector stands there; n where none does.
        name_mask: ``[C, T]``: 1 at the tokens of the class's name.
        pooled: position of EOT ``[C]``.
    """

    base: torch.Tensor
    context_index: torch.Tensor
    name_mask: torch.Tensor
    pooled: torch.Tensor

    @property
    def width(self) -> int:
        return self.base.shape[-1]

    @classmethod
    @torch.inference_mode(False)
    def build(
        cls, clip: ExplainableCLIP, names: tuple[str, ...], context_tokens: int, position: Position
    ) -> ContextPrompts:
        """Lay out the prompts: the context before the name (``"end"``), around it (``"middle"``) or after it
        (``"front"``), and a full stop at the end, as in CoOp (whose middle form keeps the stop last).

        Raises:
            InputError: a name too long for the context. UnsupportedFamilyError: a text tower that is not causal.
        """
        require_word_tower(clip)
        if not is_causal(clip):
            raise UnsupportedFamilyError(
                f"the text tower of {clip.name} looks both ways or has a class token of its own; prompts can be "
                "learned for causal towers (OpenAI, LAION, DataComp and alike): choose one of those"
            )
        stop = _stop(clip)
        rows = [_lay_out(clip, name, stop, context_tokens, position) for name in names]
        length = max(len(ids) for ids, _, _ in rows)
        if length > clip.text.positional_embedding.shape[0]:
            longest = names[max(range(len(rows)), key=lambda i: len(rows[i][0]))]
            raise InputError(
                f"class {longest!r} with {context_tokens} context vectors takes {length} tokens and this CLIP reads "
                f"{clip.text.positional_embedding.shape[0]}; lower n_ctx or shorten the name"
            )
        ids, index, mask = (torch.tensor([_pad(row[part], length, context_tokens * (part == 1)) for row in rows])
                            for part in range(3))  # fmt: skip
        embeddings = normal(clip.text.token_embedding(ids.to(clip.device)).detach()).float()
        free = (index == context_tokens).to(clip.device).unsqueeze(-1)
        pooled = torch.tensor([len(row[0]) - 1 for row in rows], device=clip.device)
        return cls(embeddings * free, index.to(clip.device), mask.to(clip.device), pooled)

    def fill(self, context: torch.Tensor) -> torch.Tensor:
        """Token embeddings ``[C, T, width]`` with the context ``[n, width]`` in place. Differentiable."""
        return self.base + F.pad(context, (0, 0, 0, 1))[self.context_index]


def _lay_out(
    clip: ExplainableCLIP, name: str, stop: list[int], n: int, position: Position
) -> tuple[list[int], list[int], list[int]]:
    """Token ids, context indices (n: none) and name mask of one prompt, up to EOT.

    The name is tokenized alone: a name that ends in a mark ("C++", "Dr.") would lose it to the stop's token.
    """
    tokens = tokenize(clip, [name])
    content = tokens.content[0]
    if tokens.cut_off[0] or not content:
        raise InputError(f"class {name!r} has no words, or more than this CLIP reads; rename it")
    ids = tokens.ids[0].tolist()
    start, words, end = ids[: content[0]], [ids[i] for i in content], ids[content[-1] + 1]
    before = {"end": n, "middle": n // 2, "front": 0}[position]
    row = [*start, *[0] * before, *words, *[0] * (n - before), *stop, end]
    first = len(start)
    after = first + before + len(words)
    index = [n] * len(row)
    index[first : first + before] = range(before)
    index[after : after + n - before] = range(before, n)
    mask = [int(first + before <= i < after) for i in range(len(row))]
    return row, index, mask


def _stop(clip: ExplainableCLIP) -> list[int]:
    """The token of a full stop after a word; none where the tokenizer drops punctuation."""
    tokens = tokenize(clip, [_WORD + "."])
    word = {position for word in tokens.words[0] for position in word.positions}
    return [int(tokens.ids[0, i]) for i in tokens.content[0] if i not in word]


def _pad(row: list[int], length: int, value: int) -> list[int]:
    return row + [value] * (length - len(row))


def trace_context(clip: ExplainableCLIP, prompts: ContextPrompts, context: torch.Tensor) -> TextTrace:
    """Encode the prompts with all attention kept; differentiable with respect to the context ``[n, width]``."""
    with AttentionTap(keep=range(len(clip.text.transformer.resblocks))) as tap:
        features = _encode(clip, prompts.fill(context), prompts.pooled)
    return TextTrace(unit(features), tuple(call.probs for call in tap.calls), prompts.pooled)


def _encode(clip: ExplainableCLIP, embeddings: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
    return encode_embeddings(clip, embeddings.to(clip.text.transformer.get_cast_dtype()), pooled)


@torch.inference_mode(False)
@torch.no_grad()
def encode_learned(clip: ExplainableCLIP, learned: ClassPrompts, names: tuple[str, ...]) -> torch.Tensor:
    """Features ``[C, D]`` of class names in a learned context: L2-normalised, fp32, on the CPU.

    The context is shared by all classes, so names that it was not learned on may be given.

    Raises:
        InputError: learned on another CLIP, or a name too long.
    """
    learned.require_clip(clip)
    prompts = ContextPrompts.build(clip, names, len(learned.context), learned.settings.position)
    embeddings = prompts.fill(normal(learned.context).to(clip.device))
    chunks = zip(embeddings.split(_PROMPTS_PER_PASS), prompts.pooled.split(_PROMPTS_PER_PASS), strict=True)
    features = torch.cat([_encode(clip, part, pooled) for part, pooled in chunks])
    return unit(features).cpu()
