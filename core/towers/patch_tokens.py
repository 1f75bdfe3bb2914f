"""What the patches carry: the last blocks' tokens, and how they change when a block attends differently.

Methods that read patch features directly (CLIP Surgery, MaskCLIP, ...) need three things from a tower: its patch
tokens, a block run again with its attention replaced, and the part of a block that only the attention adds. An
:class:`ImagePass` gives all three for every family. In a ResNet the attention pooling is the only such layer; a tower
without attention over all places has its feature map, which nothing can be replaced in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..clip import ExplainableCLIP
from ..errors import UnsupportedFamilyError
from ..precision import unit
from .attention import AttentionCall, AttentionTap, Rewrite


@dataclass(frozen=True)
class BlockCall:
    """One self-attention block of a transformer as it was called.

    Attributes:
        block: the module; ``block.attn`` is its attention.
        arguments, attention_arguments: positional and keyword arguments that each received.
        output: tokens ``[B, N, C]`` that the block returned.
    """

    block: Any
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    attention_arguments: tuple[tuple[Any, ...], dict[str, Any]]
    output: torch.Tensor

    @property
    def input(self) -> torch.Tensor:
        """Tokens ``[B, N, C]`` that entered the block."""
        return self.arguments[0][0]

    @property
    def attention_input(self) -> torch.Tensor:
        """Tokens ``[B, N, C]`` that the attention projected to q, k and v: normalised in pre-norm blocks."""
        return self.attention_arguments[0][0]

    def rerun(self, rewrite: Rewrite) -> torch.Tensor:
        """Output ``[B, N, C]`` of the whole block with ``A v`` replaced; residual and feed-forward stay."""
        arguments, keywords = self.arguments
        with AttentionTap(rewrite=rewrite):
            return self.block(*arguments, **keywords)

    def attention_branch(self, rewrite: Rewrite) -> torch.Tensor:
        """What the attention adds to the residual stream ``[B, N, C]`` with ``A v`` replaced."""
        arguments, keywords = self.attention_arguments
        with AttentionTap(rewrite=rewrite):
            added = self.block.attn(*arguments, **keywords)
        added = added[0] if isinstance(added, tuple) else added
        for name in ("ln_attn", "ls_1", "ls1"):  # open_clip's and timm's norms and layer scales
            added = getattr(self.block, name, _identity)(added)
        gamma = getattr(self.block, "gamma_1", None)
        if gamma is not None:
            added = added * gamma
        return self.block.norm1(added) if type(self.block).__name__ == "EvaBlockPostNorm" else added


@dataclass(frozen=True)
class PoolingCall:
    """The attention pooling of a ResNet, seen as a block without residual whose every row is kept.

    Attributes:
        call: its q, k, v and attention.
        input: feature map with position added, the mean token first ``[B, 1 + rows * columns, C]``.
    """

    call: AttentionCall
    input: torch.Tensor

    @property
    def attention_input(self) -> torch.Tensor:
        return self.input

    @property
    def output(self) -> torch.Tensor:
        """Attention output of every row before the output projection ``[B, N, C]``."""
        return self.rerun(lambda call: call.probs @ call.v)

    def rerun(self, rewrite: Rewrite) -> torch.Tensor:
        return rewrite(self.call).transpose(1, 2).flatten(2)

    attention_branch = rerun


@dataclass(frozen=True)
class DenseCall:
    """The feature map of a tower without attention over all places, seen as a last block in which each place attends to
    itself alone: there is nothing to rewrite.

    Attributes:
        output: ``[B, rows * columns, C]``.
    """

    output: torch.Tensor

    @property
    def attention_input(self) -> torch.Tensor:
        return self.output

    def rerun(self, rewrite: Rewrite) -> torch.Tensor:
        return self.output

    attention_branch = rerun


LayerCall = BlockCall | PoolingCall | DenseCall


@dataclass(frozen=True)
class ImagePass:
    """One unmodified forward pass of an image tower.

    Attributes:
        features: L2-normalised image features ``[B, D]``, fp32 at least.
        blocks: the last blocks as they were called, first to last (at least one); for a ResNet its pooling, for a
            dense tower its feature map.
    """

    features: torch.Tensor
    blocks: tuple[LayerCall, ...]

    @property
    def tokens(self) -> torch.Tensor:
        """Tokens ``[B, N, C]`` after the last block, before the tower's last norm."""
        return self.blocks[-1].output


def run_tower(clip: ExplainableCLIP, pixels: torch.Tensor, blocks: int = 1) -> ImagePass:
    """Encode images ``[B, 3, h, w]`` in 0..1 and remember how the last ``blocks`` blocks were called."""
    if clip.vision.family == "resnet":
        return _run_resnet(clip, pixels)
    if clip.vision.family == "dense":
        return _run_dense(clip, pixels)
    modules = transformer_blocks(clip)[-blocks:]
    seen: list[dict[str, Any]] = [{} for _ in modules]
    handles = []
    for block, call in zip(modules, seen, strict=True):
        handles += [
            block.register_forward_pre_hook(_remember(call, "arguments"), with_kwargs=True),
            block.attn.register_forward_pre_hook(_remember(call, "attention_arguments"), with_kwargs=True),
            block.register_forward_hook(_remember_output(call)),
        ]
    with hooks(handles):
        features = clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False)
    calls = tuple(BlockCall(block, **call) for block, call in zip(modules, seen, strict=True))
    return ImagePass(unit(features), calls)


def transformer_blocks(clip: ExplainableCLIP) -> list[Any]:
    """The self-attention blocks of a transformer tower, first to last."""
    visual = clip.model.visual
    return list(visual.trunk.blocks if hasattr(visual, "trunk") else visual.transformer.resblocks)


@contextmanager
def hooks(handles: list[Any]) -> Iterator[None]:
    """Remove the hooks at the end, however it comes."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _run_resnet(clip: ExplainableCLIP, pixels: torch.Tensor) -> ImagePass:
    pool = clip.model.visual.attnpool
    maps: list[torch.Tensor] = []
    handle = pool.register_forward_pre_hook(lambda module, arguments: maps.append(arguments[0]))
    with hooks([handle]), AttentionTap() as tap:
        features = clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False)
    patches = maps[0].flatten(2).transpose(1, 2)  # NCHW -> N(HW)C
    tokens = torch.cat([patches.mean(dim=1, keepdim=True), patches], dim=1)
    call = PoolingCall(tap.calls[0], tokens + pool.positional_embedding.to(tokens.dtype))
    return ImagePass(unit(features), (call,))


def _run_dense(clip: ExplainableCLIP, pixels: torch.Tensor) -> ImagePass:
    visual = clip.model.visual
    tokens = _places(clip, visual.trunk.forward_features(clip.normalize_pixels(pixels)))
    if torch.is_grad_enabled() and not tokens.requires_grad:
        tokens.requires_grad_()
    features = visual.head(visual.trunk.forward_head(feature_map(clip, tokens, clip.vision.grid)))
    return ImagePass(unit(features), (DenseCall(tokens),))


def _places(clip: ExplainableCLIP, features: torch.Tensor) -> torch.Tensor:
    """timm's feature map, ``[B, rows, columns, C]`` or ``[B, C, rows, columns]``, to ``[B, rows * columns, C]``."""
    if _channels_first(clip):
        features = features.movedim(1, -1)
    if features.shape[1:-1] != clip.vision.grid:
        raise UnsupportedFamilyError(
            f"the image tower of {clip.name} ({clip.vision.architecture}) gives {list(features.shape)}, not a map of "
            f"{clip.vision.grid} places"
        )
    return features.flatten(1, 2)


def feature_map(clip: ExplainableCLIP, tokens: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Places ``[B, rows * columns, C]`` of a dense tower as the map that its head takes."""
    features = tokens.unflatten(1, grid)
    return features.movedim(-1, 1) if _channels_first(clip) else features


def _channels_first(clip: ExplainableCLIP) -> bool:
    return getattr(clip.model.visual.trunk, "output_fmt", "NCHW") == "NCHW"


def _remember(call: dict[str, Any], key: str) -> Callable[..., None]:
    def hook(module: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        call[key] = (arguments, keywords)

    return hook


def _remember_output(call: dict[str, Any]) -> Callable[..., None]:
    def hook(module: Any, arguments: tuple[Any, ...], output: torch.Tensor) -> None:
        call["output"] = output

    return hook


def _identity(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
