"""Which words of a prompt a picture neglects, without gradients through the picture (NTLB, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..clip import ExplainableCLIP
from ..explain import check_images, check_prompts
from ..grad_mode import gradients, normal
from ..guidance.cutouts import resample
from ..guidance.prompt import parse_prompt
from ..relevancy import trace_texts, word_relevancy
from ..towers.source_text import Span
from ..towers.text import require_word_tower
from ..towers.tokens import tokenize, truncation_warning, word_spans
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
        share = self.neglected.float().mean(dim=0)
        return [word for word, part in zip(self.words, share.tolist(), strict=True) if part > 0.5]


def find_neglected(
    clip: ExplainableCLIP, images: torch.Tensor, prompt: str, threshold: float = NEGLECTED_BELOW
) -> NeglectedWords:
    """Judge a prompt's words on images ``[B, C, H, W]`` in 0..1 of any size.

    One pass of each image through the image tower, one of the prompt through the text tower, and a vector-Jacobian
    product through the latter for each image.

    Raises:
        InputError: empty prompt, unusable images, or a text tower that can't be explained.
    """
    images = check_images(images)
    parsed = parse_prompt(prompt)
    (text,) = check_prompts([parsed.text], "prompt")
    require_word_tower(clip)
    with gradients():
        tokens = tokenize(clip, [text])
        trace = trace_texts(clip, tokens)
        features = torch.cat([_encode(clip, part) for part in normal(images).split(_IMAGES_PER_PASS)])
        relevancy = word_relevancy(trace, features).detach()
        (scores,) = word_scores(relevancy, tokens, trace.pooled)
        similarity = (features @ trace.features[0]).detach()
        clip.require_finite(similarity)
    words = tokens.words[0]
    content = are_content_words(words, text)
    scores = scores.cpu()
    return NeglectedWords(
        prompt=text,
        words=tuple(word.text for word in words),
        spans=tuple(parsed.as_written(word.span) for word in words),
        content=content,
        scores=scores,
        neglected=(scores < threshold) & torch.tensor(content, dtype=torch.bool),
        similarity=similarity.cpu(),
        warning=truncation_warning(tokens),
    )


def _encode(clip: ExplainableCLIP, images: torch.Tensor) -> torch.Tensor:
    pixels = resample(images.to(clip.device), clip.image_size).clamp(0, 1)
    with torch.no_grad():
        features = clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False)
    return torch.nn.functional.normalize(features.float(), dim=-1)


def emphasize(prompt: str, words: list[str], weight: float) -> str:
    """The prompt with ComfyUI's emphasis ``(word:1.3)`` on exactly these words; everything else stays as it was.

    Words are matched without regard to case, all their occurrences. A word that already carries emphasis
    ``(word:1.1)`` gets the new weight; inside a longer emphasised phrase it is emphasised in its own brackets.
    """
    wanted = {word.lower() for word in words}
    parts, cursor = [], 0
    for start, end in word_spans(prompt):
        if prompt[start:end].lower() not in wanted or _is_weight(prompt, start):
            continue
        closing = _own_emphasis_end(prompt, start, end)
        if closing is not None:
            start, stop = start - 1, closing
        else:
            stop = end
        bare = prompt[start:stop] if closing is None else prompt[start + 1 : end]
        parts += [prompt[cursor:start], f"({bare}:{weight:g})"]
        cursor = stop
    return "".join([*parts, prompt[cursor:]])


def _is_weight(prompt: str, start: int) -> bool:
    """Whether this word is the number of an emphasis or the name of an embedding."""
    return start > 0 and prompt[start - 1] == ":"


def _own_emphasis_end(prompt: str, start: int, end: int) -> int | None:
    """Where ``(word)`` or ``(word:1.1)`` ends if the word at start..end stands alone in brackets."""
    if start == 0 or prompt[start - 1] != "(" or prompt[max(0, start - 2) : start - 1] == "\\":
        return None
    closing = prompt.find(")", end)
    if closing < 0:
        return None
    between = prompt[end:closing]
    is_weight = between.startswith(":") and between[1:].strip().replace(".", "", 1).isdigit()
    return closing + 1 if not between or is_weight else None
