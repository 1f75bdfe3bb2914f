"""Which template listens to the class's own words: ensemble weights from word relevancy (ours).

A prompt whose feature rests on "beach" rather than on "dog" is lucky or unlucky phrasing. So a template counts for
a class as much as its relevancy falls on the class's own words:

    w_ct ∝ share_ct ^ sharpness,   share_ct = Σ_{class tokens} r_ct / Σ_{content tokens} r_ct

``r_ct`` is the word relevancy of prompt (c, t) for an anchor: by default the class's own mean direction over all
templates, so that no image is needed, the weights of a class do not depend on the batch, and they are made once.
"""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..grad_mode import gradients, normal
from ..relevancy import trace_texts
from ..towers.text import require_word_tower
from ..towers.tokens import tokenize
from .class_words import class_word_mask, name_share, paired_word_relevancy
from .ensembles import class_vectors
from .templates import fill
from .zero_shot import PromptFeatures, Report

_TEXTS_PER_PASS = 128
SHARPNESS = 2.0  # chosen on the validation vendor of the demo world, see benchmarks/classification.py --choose


def class_word_shares(
    clip: ExplainableCLIP,
    prompts: PromptFeatures,
    anchors: torch.Tensor | None = None,
    texts_per_pass: int = _TEXTS_PER_PASS,
    report: Report | None = None,
) -> torch.Tensor:
    """Share of each prompt's relevancy that falls on the class's own words: ``[C, T]`` in 0..1.

    Args:
        anchors: L2-normalised ``[C, D]``, what the relevancy explains the similarity to; None: the class's mean
            direction over all templates.
        report: called with (prompts done, prompts in total) after each pass; may raise to stop.

    Raises:
        UnsupportedFamilyError: the text tower can't be explained (a Hugging Face text encoder).
    """
    require_word_tower(clip)
    anchors = normal(class_vectors(prompts.features) if anchors is None else anchors)
    pairs = [
        (template, name, index)
        for template in prompts.templates
        for index, entry in enumerate(prompts.classes)
        for name in entry.names
    ]
    found = []
    for start in range(0, len(pairs), texts_per_pass):
        chunk = pairs[start : start + texts_per_pass]
        templates, names, owners = (list(column) for column in zip(*chunk, strict=True))
        with gradients():
            tokens = tokenize(clip, [fill(t, n) for t, n in zip(templates, names, strict=True)])
            trace = trace_texts(clip, tokens)
            relevancy = paired_word_relevancy(trace, anchors[owners])
            mask = class_word_mask(tokens, templates, names)
            found.append(name_share(relevancy.detach(), tokens, trace.pooled, mask).cpu())
        if report is not None:
            report(start + len(chunk), len(pairs))
    shares = torch.cat(found).unflatten(0, (len(prompts.templates), -1))
    groups = shares.split([len(entry.names) for entry in prompts.classes], dim=1)
    return torch.stack([group.mean(dim=1) for group in groups])


def explainability_weights(shares: torch.Tensor, sharpness: float = SHARPNESS) -> torch.Tensor:
    """Weights ``[C, T]``, each row summing to 1, from the shares ``[C, T]`` of :func:`class_word_shares`.

    A class none of whose prompts rests on its words at all is weighted evenly.
    """
    raised = shares.clamp(min=0) ** sharpness
    total = raised.sum(dim=1, keepdim=True)
    return torch.where(total > 0, raised / total.clamp(min=torch.finfo(raised.dtype).tiny), 1 / shares.shape[1])
