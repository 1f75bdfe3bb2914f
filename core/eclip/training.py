"""Training ECLIP's projection: the contrastive loss through masked max pooling, the towers frozen.

Li et al. 2022 explain the reversed maps of CLIP by its pooling, which lets any token speak for the image. ECLIP pools
by a maximum over the patches inside a mask instead:

    z    = W' · norm(x_i)                          the trained projection of every patch
    v_d  = max over patches i in the mask of z_id
    loss = ½ CE(images to texts) + ½ CE(texts to images),  logits = scale · cos(v, t)

The mask is "free attention": the frozen tower's own, no labels. What the paper leaves open is chosen here and measured
(``benchmarks/README.md``): attention is followed through all blocks (rollout), for the last block's alone may point at
the background; the mask keeps the patches that hold the most of it, up to ``attention_mass`` of its sum; W' starts as
the tower's own projection; the texts' side has no projection of its own; the scale is CLIP's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..errors import InputError, UnsupportedFamilyError
from ..methods.base import MapOptions
from ..methods.rollout import Rollout
from ..precision import unit
from ..towers.patch_features import head_input, patch_features, patch_tokens
from ..towers.patch_tokens import ImagePass, run_tower
from ..towers.text import encode_tokens
from ..towers.tokens import tokenize
from .projection import EclipProjection, initial_projection

_IMAGES_PER_PASS = 16


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: passes over the pairs.
        batch_size: pairs a step, each the others' negatives; at least 2.
        learning_rate: of AdamW, with a cosine decay to 0.
        attention_mass: share of the attention that the mask keeps, 0..1; 1 keeps every patch (max pooling unmasked).
        seed: of the shuffling.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    attention_mass: float = 0.95
    seed: int = 0

    def check(self) -> None:
        """Raise :class:`InputError` for values that can't be trained with."""
        if self.epochs < 1:
            raise InputError(f"epochs is {self.epochs}; choose at least 1")
        if self.batch_size < 2:
            raise InputError(f"batch_size is {self.batch_size}; choose at least 2: pairs learn from each other")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"learning_rate is {self.learning_rate}; choose a value above 0")
        if not 0 < self.attention_mass <= 1:
            raise InputError(f"attention_mass is {self.attention_mass}; choose a value above 0 and up to 1")


Epoch = tuple[int, int, float, float]
"""Number from 1, epochs in total, mean loss, share of images whose own caption wins within the batch."""


@dataclass(frozen=True)
class FrozenPairs:
    """What the frozen towers say of n image-caption pairs: all that training needs.

    Attributes:
        hidden: head input of every patch ``[n, rows * columns, width]``, on the CPU, fp16 where that can hold it.
        attention: from the image feature to the patches ``[n, rows * columns]``, fp32 (attention rollout).
        texts: L2-normalised caption features ``[n, D]``, fp32.
        captions: n strings; equal ones are no negatives of each other.
    """

    hidden: torch.Tensor
    attention: torch.Tensor
    texts: torch.Tensor
    captions: tuple[str, ...]


def free_mask(attention: torch.Tensor, mass: float) -> torch.Tensor:
    """Boolean mask of the patches ``[..., n]`` with the largest attention that together hold ``mass`` of its sum.

    At least one patch is kept, also where the attention is zero everywhere.
    """
    share = attention / attention.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(attention.dtype).tiny)
    ranked, order = share.sort(dim=-1, descending=True)
    before = ranked.cumsum(dim=-1) - ranked
    return torch.zeros_like(share, dtype=torch.bool).scatter(-1, order, before < mass)


def masked_max_pool(patches: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """``[..., n, D]`` and a boolean mask ``[..., n]`` to the maximum of every channel inside the mask ``[..., D]``."""
    return patches.masked_fill(~mask.unsqueeze(-1), float("-inf")).amax(dim=-2)


def _attention(clip: ExplainableCLIP, pixels: torch.Tensor, tower: ImagePass) -> torch.Tensor:
    """What the image feature is read from, whatever the text ``[B, rows * columns]`` >= 0: attention rollout; in towers
    without attention over all places, how much each place agrees with the image feature."""
    if clip.vision.offers("attention"):
        return Rollout().patch_maps(clip, pixels, tower.features[:1], MapOptions()).maps[0].flatten(1)
    return torch.einsum("bnd,bd->bn", patch_features(clip, tower.tokens), tower.features).clamp(min=0)


@torch.no_grad()
def encode_pairs(
    clip: ExplainableCLIP,
    images: Iterable[torch.Tensor | None],
    captions: list[str],
    report: Callable[[int], None] = lambda done: None,
) -> FrozenPairs:
    """Run both frozen towers once over all pairs.

    Args:
        images: n images ``[3, h, w]`` in 0..1 at the tower's size, taken a few at a time; a pair without one (None) is
            left out.
        captions: n strings.
        report: called with the number of pairs done; may raise to stop.
    """
    _require_pairs(len(captions))
    hidden, attention, texts = [], [], []
    kept: list[str] = []
    source = zip(images, captions, strict=True)
    for start in range(0, len(captions), _IMAGES_PER_PASS):
        taken = itertools.islice(source, _IMAGES_PER_PASS)
        chunk = [(image, caption) for image, caption in taken if image is not None]
        if chunk:
            pixels = torch.stack([image for image, _ in chunk]).to(clip.device)
            tower = run_tower(clip, pixels)
            hidden.append(_compact(head_input(clip, patch_tokens(clip, tower.tokens))).cpu())
            text = _encode_captions(clip, [caption for _, caption in chunk])
            attention.append(_attention(clip, pixels, tower).cpu())
            texts.append(text.cpu())
            kept += [caption for _, caption in chunk]
        report(min(start + _IMAGES_PER_PASS, len(captions)))
    _require_pairs(len(kept))
    return FrozenPairs(torch.cat(hidden), torch.cat(attention), torch.cat(texts), tuple(kept))


def _require_pairs(count: int) -> None:
    if count < 2:
        raise InputError(f"{count} image-caption pairs are too few; give at least 2, better hundreds")


def train_projection(
    clip: ExplainableCLIP,
    pairs: FrozenPairs,
    settings: TrainingSettings,
    report: Callable[[list[Epoch]], None] = lambda history: None,
) -> EclipProjection:
    """Train the projection.

    Args:
        report: called after each epoch with all epochs so far; may raise to stop.

    Returns:
        The projection after the last epoch. The same pairs, settings and seed give the same one.
    """
    settings.check()
    width = pairs.hidden.shape[-1]
    count, batch = len(pairs.captions), min(settings.batch_size, len(pairs.captions))
    masks = free_mask(pairs.attention, settings.attention_mass)
    same = _same_captions(pairs.captions)
    history: list[Epoch] = []
    with torch.inference_mode(False), torch.enable_grad():
        weight, bias = (p.to(clip.device).requires_grad_() for p in initial_projection(clip, width))
        optimizer = torch.optim.AdamW([weight, bias], lr=settings.learning_rate, weight_decay=0.0)
        steps = settings.epochs * (count // batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
        shuffle = torch.Generator().manual_seed(settings.seed)
        for epoch in range(settings.epochs):
            loss_sum, hits = 0.0, 0
            order = torch.randperm(count, generator=shuffle)[: count // batch * batch]
            for index in order.split(batch):
                hidden = pairs.hidden[index].to(clip.device, torch.float32)
                pooled = masked_max_pool(F.linear(hidden, weight, bias), masks[index].to(clip.device))
                cosines = F.normalize(pooled, dim=-1) @ pairs.texts[index].to(clip.device).T
                loss = contrastive_loss(cosines * clip.logit_scale, same[index][:, index].to(clip.device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                loss_sum += float(loss.detach()) * len(index)
                hits += int((cosines.argmax(dim=1) == torch.arange(len(index), device=cosines.device)).sum())
            history.append((epoch + 1, settings.epochs, loss_sum / len(order), hits / len(order)))
            if not math.isfinite(loss_sum):
                raise InputError(
                    f"learning_rate {settings.learning_rate} is too high here: the loss grew beyond bounds"
                )
            report(history)
    return EclipProjection(
        weight.detach().float().cpu(),
        bias.detach().float().cpu(),
        clip.fingerprint,
        clip.name,
        {**asdict(settings), "pairs": count},
        tuple(history),
    )


def contrastive_loss(logits: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE of ``[n, n]`` logits, images down and texts across.

    Args:
        same: boolean ``[n, n]``: pairs with the same caption, which are no negatives of each other.
    """
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(same & ~own, float("-inf"))
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def _compact(hidden: torch.Tensor) -> torch.Tensor:
    """In fp16 where that can hold the values."""
    return hidden.half() if hidden.abs().max() < torch.finfo(torch.float16).max else hidden.float()


def _same_captions(captions: tuple[str, ...]) -> torch.Tensor:
    numbers = {caption: number for number, caption in enumerate(dict.fromkeys(captions))}
    index = torch.tensor([numbers[caption] for caption in captions])
    return index[:, None] == index


def _encode_captions(clip: ExplainableCLIP, captions: list[str]) -> torch.Tensor:
    tokens = tokenize(clip, captions)
    try:
        features = encode_tokens(clip, tokens)[0]
    except UnsupportedFamilyError:  # a Hugging Face text tower
        features = clip.model.encode_text(tokens.ids)
    return unit(features)
