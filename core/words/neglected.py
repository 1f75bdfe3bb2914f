"""Which words of a prompt a picture neglects, without gradients through the picture (NTLB, section 4.1)."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import torch

from ..clip import ExplainableCLIP
from ..explain import check_images
from ..grad_mode import gradients, normal
from ..guidance.cutouts import resample
from ..guidance.prompt import MarkedPrompt, readable_prompt
from ..precision import unit
from ..relevancy import trace_texts, word_relevancy
from ..towers.source_text import Span
from ..towers.text import require_word_tower
from ..towers.tokens import TokenBatch, tokenize, truncation_warning, word_spans
from .notation import Group, Notation, read_notation
from .nouns import are_content_words
from .scores import word_scores

NEGLECTED_BELOW = 0.7  # NTLB, section 4.1
_IMAGES_PER_PASS = 16


@dataclass(frozen=True)
class NeglectedWords:
    """Words of one prompt, judged on B images.

    Attributes:
        prompt: what CLIP read (without notation).
        words: all words in order, as the tokenizer saw them.
        spans: where each of them stands in the prompt as it was written, notation included.
        content: which of them name something a picture can show.
        scores: ``[B, words]`` in 0..1, relative to the strongest word.
        neglected: ``[B, words]`` bool: content words scoring below the threshold.
        similarity: cosine ``[B]`` of image and prompt.
        warning: a sentence where the prompt was too long, or None.
    """

    prompt: str
    words: tuple[str, ...]
    spans: tuple[Span, ...]
    content: tuple[bool, ...]
    scores: torch.Tensor
    neglected: torch.Tensor
    similarity: torch.Tensor
    warning: str | None

    @property
    def neglected_on_average(self) -> list[str]:
        """Words that most of the images neglect, in order."""
        return [word for word, often in zip(self.words, self._neglected_by_most(), strict=True) if often]

    @property
    def spans_on_average(self) -> list[Span]:
        """Where :attr:`neglected_on_average` stand in the prompt as it was written, for :func:`emphasize_at`."""
        return [span for span, often in zip(self.spans, self._neglected_by_most(), strict=True) if often]

    def _neglected_by_most(self) -> list[bool]:
        return (self.neglected.float().mean(dim=0) > 0.5).tolist()


def find_neglected(
    clip: ExplainableCLIP, images: torch.Tensor, prompt: str, threshold: float = NEGLECTED_BELOW
) -> NeglectedWords:
    """:func:`judge_words` of one prompt."""
    return judge_words(clip, images, [prompt], threshold)[0]


def judge_words(
    clip: ExplainableCLIP, images: torch.Tensor, prompts: Sequence[str], threshold: float = NEGLECTED_BELOW
) -> tuple[NeglectedWords, ...]:
    """Judge the words of K prompts on images ``[B, C, H, W]`` in 0..1 of any size.

    One pass of each image through the image tower, one of each prompt through the text tower, and a vector-Jacobian
    product through the latter for each image.

    Raises:
        InputError: empty prompt, unusable images, or a text tower that can't be explained.
    """
    images = check_images(images)
    parsed = [readable_prompt(prompt) for prompt in prompts]
    require_word_tower(clip)
    with gradients():
        tokens = tokenize(clip, [each.text for each in parsed])
        trace = trace_texts(clip, tokens)
        features = torch.cat([_encode(clip, part) for part in normal(images).split(_IMAGES_PER_PASS)])
        scores = word_scores(word_relevancy(trace, features).detach(), tokens, trace.pooled)
        similarity = (features @ trace.features.T).detach()
        clip.require_finite(similarity)
    return tuple(
        _judged(parsed[k], tokens, k, scores[k].cpu(), similarity[:, k].cpu(), threshold) for k in range(len(parsed))
    )


def _judged(
    parsed: MarkedPrompt, tokens: TokenBatch, k: int, scores: torch.Tensor, similarity: torch.Tensor, threshold: float
) -> NeglectedWords:
    words = tokens.words[k]
    content = are_content_words(words, parsed.text)
    return NeglectedWords(
        prompt=parsed.text,
        words=tuple(word.text for word in words),
        spans=tuple(parsed.as_written(word.span) for word in words),
        content=content,
        scores=scores,
        neglected=(scores < threshold) & torch.tensor(content, dtype=torch.bool),
        similarity=similarity,
        warning=truncation_warning(replace(tokens, cut_off=tokens.cut_off[k : k + 1])),
    )


def _encode(clip: ExplainableCLIP, images: torch.Tensor) -> torch.Tensor:
    pixels = resample(images.to(clip.device), clip.image_size).clamp(0, 1)
    with torch.no_grad():
        features = clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False)
    return unit(features)


def emphasize(prompt: str, words: Sequence[str], weight: float) -> str:
    """The prompt with ComfyUI's emphasis ``(word:1.3)`` on exactly these words; everything else stays as it was.

    All their occurrences, found without regard to case, width, composition of letters and kind of apostrophe. See
    :func:`emphasize_at`.
    """
    wanted = {_plain(word) for word in words}
    return emphasize_at(prompt, [(a, b) for a, b in word_spans(prompt) if _plain(prompt[a:b]) in wanted], weight)


def emphasize_at(prompt: str, places: Iterable[Span], weight: float) -> str:
    """The prompt with emphasis on the words at these places (start, end).

    A word alone in brackets, ``(word)`` or ``(word :1.1)``, gets the new weight there; inside a longer emphasised
    phrase it is emphasised in its own brackets; of a tag like ``long_hair`` the whole. Left as they are: notation
    (:mod:`.notation`), and what stands where brackets don't pair up, since ComfyUI reads no weights there.
    """
    notation = read_notation(prompt)
    tags = word_spans(prompt.replace("_", "x"))
    edits: dict[tuple[int, int], str] = {}
    for place in places:
        tag = tags[bisect_right(tags, place[0], key=itemgetter(0)) - 1] if tags else place
        start, end = tag if tag[0] <= place[0] and place[1] <= tag[1] else place
        glued = start > 0 and prompt[start - 1] == ":"  # name:value means something to some other node
        if end > notation.sound_until or any(notation.fixed[start:end]) or glued:
            continue
        group = next((group for group in notation.groups if group.opening < start and end <= group.closing), None)
        if group is None or not _is_alone(prompt, notation, group, start, end):
            edits[start, end] = f"({prompt[start:end]}:{weight:g})"
        elif group.number:
            edits[group.number] = f"{weight:g}"
        else:
            edits[group.closing, group.closing] = f":{weight:g}"
    parts, cursor = [], 0
    for (start, end), text in sorted(edits.items()):
        parts += [prompt[cursor:start], text]
        cursor = end
    return "".join([*parts, prompt[cursor:]])


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).replace("’", "'").casefold()


def _is_alone(prompt: str, notation: Notation, group: Group, start: int, end: int) -> bool:
    """Whether the word is all that a pair of brackets holds, its weight aside."""
    return all(
        start <= i < end or (not prompt[i].isalnum() and not notation.fixed[i])
        for i in range(group.opening + 1, prompt.rindex(":", 0, group.number[0]) if group.number else group.closing)
    )
