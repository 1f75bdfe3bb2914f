"""What kind of image tower it is: how many blocks, which tokens are patches, how they are pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import UnsupportedFamilyError

Family = Literal["vit-cls", "vit-mean", "vit-attention-pool", "siglip", "eva", "resnet"]
Pooling = Literal["cls", "mean", "attention"]


@dataclass(frozen=True)
class VisionTower:
    """Geometry of an image tower.

    Attributes:
        family: one of :data:`Family`.
        pooling: how the image feature is read: from the CLS token, as the mean of the patch tokens, or by an
            attention layer of its own, which then is the last attention call.
        blocks: number of self-attention blocks (0 for a ResNet: its attention pooling is all there is).
        prefix: number of tokens before the patch tokens (CLS, registers; the mean token of AttentionPool2d).
        grid: rows and columns of the patch grid.
        image_size: height and width in pixels.
        pool_queries: rows of the pooling attention that make the feature: the first, or all (their mean).
    """

    family: Family
    pooling: Pooling
    blocks: int
    prefix: int
    grid: tuple[int, int]
    image_size: tuple[int, int]
    pool_queries: Literal["first", "mean"] = "first"

    def attention_calls(self, blocks: int | None) -> range:
        """Indices of the attention calls to keep to read the last ``blocks`` blocks (None: all) and the pooling."""
        total = self.blocks + (self.pooling == "attention")
        first = 0 if blocks is None else max(0, self.blocks - blocks)
        return range(first, total)


def _pair(size: Any) -> tuple[int, int]:
    return (int(size[0]), int(size[1])) if isinstance(size, tuple | list) else (int(size), int(size))


def describe_vision_tower(visual: Any) -> VisionTower:
    """Describe an open_clip image tower.

    Raises:
        UnsupportedFamilyError: the tower has no attention to read (a ConvNeXt, say).
    """
    kind = type(visual).__name__
    if kind == "VisionTransformer":
        return _describe_vit(visual)
    if kind == "ModifiedResNet":
        return _describe_resnet(visual)
    if kind == "TimmModel" and hasattr(visual.trunk, "blocks") and hasattr(visual.trunk, "num_prefix_tokens"):
        return _describe_timm(visual)
    name = type(visual.trunk).__name__ if kind == "TimmModel" else kind
    raise UnsupportedFamilyError(
        f"the image tower of this CLIP is a {name}, which has no attention between patches to explain; "
        "use a CLIP whose image tower is a ViT, SigLIP, EVA02, CoCa or a ResNet with attention pooling"
    )


def _describe_vit(visual: Any) -> VisionTower:
    blocks = len(visual.transformer.resblocks)
    common: dict[str, Any] = {
        "blocks": blocks,
        "prefix": 1,
        "grid": _pair(visual.grid_size),
        "image_size": _pair(visual.image_size),
    }
    if visual.attn_pool is not None:
        if visual.attn_pool_contrastive is not None:
            raise UnsupportedFamilyError("attention pooling with a separate contrastive pooler is not supported")
        queries: Literal["first", "mean"] = "first" if visual.pool_type == "tok" else "mean"
        return VisionTower("vit-attention-pool", "attention", pool_queries=queries, **common)
    if visual.pool_type == "tok":
        return VisionTower("vit-cls", "cls", **common)
    if visual.pool_type == "avg":
        return VisionTower("vit-mean", "mean", **common)
    raise UnsupportedFamilyError(f"pooling {visual.pool_type!r} of this CLIP's image tower can't be explained")


def _describe_resnet(visual: Any) -> VisionTower:
    height, width = _pair(visual.image_size)
    # AttentionPool2d puts the mean of the patches before them and reads the feature from that token's row.
    return VisionTower("resnet", "attention", 0, 1, (height // 32, width // 32), (height, width))


def _describe_timm(visual: Any) -> VisionTower:
    trunk = visual.trunk
    poolings: dict[str, Pooling] = {"token": "cls", "avg": "mean", "map": "attention"}
    pooling = poolings.get(trunk.global_pool)
    if pooling is None:
        raise UnsupportedFamilyError(f"pooling {trunk.global_pool!r} of this CLIP's image tower can't be explained")
    family: Family = "eva" if type(trunk).__name__ == "Eva" else "siglip" if pooling == "attention" else "vit-cls"
    if family == "vit-cls" and pooling == "mean":
        family = "vit-mean"
    return VisionTower(
        family,
        pooling,
        len(trunk.blocks),
        int(trunk.num_prefix_tokens),
        _pair(trunk.patch_embed.grid_size),
        _pair(visual.image_size),
    )
