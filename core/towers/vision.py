"""What kind of image tower it is: how many blocks, which tokens are patches, how they are pooled.

Every tower offers dense features: a vector for each place, which the tower's head turns into what it would say of that
place alone. Most offer attention as well, from all places to all, in blocks or in the pooling; a ConvNeXt has none, and
a Swin's stays within windows. What a tower offers decides which map methods apply (:meth:`VisionTower.offers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import UnsupportedFamilyError

Family = Literal["vit-cls", "vit-mean", "vit-attention-pool", "siglip", "eva", "resnet", "dense"]
Offer = Literal["dense features", "attention"]
Pooling = Literal["cls", "mean", "attention"]


@dataclass(frozen=True)
class VisionTower:
    """Geometry of an image tower.

    Attributes:
        family: one of :data:`Family`; "dense" are feature maps averaged over their places, without attention over all.
        architecture: the class that computes it, for messages.
        pooling: how the image feature is read: from the CLS token, as the mean of the patch tokens, or by an
            attention layer of its own, which then is the last attention call.
        blocks: number of blocks of self-attention over all tokens (0 for a ResNet, whose attention pooling is all there
            is, and for a dense tower).
        prefix: number of tokens before the patch tokens (CLS, registers; the mean token of AttentionPool2d).
        grid: rows and columns of the patch grid.
        image_size: height and width in pixels.
        pool_queries: rows of the pooling attention that make the feature: the first, or all (their mean).
    """

    family: Family
    architecture: str
    pooling: Pooling
    blocks: int
    prefix: int
    grid: tuple[int, int]
    image_size: tuple[int, int]
    pool_queries: Literal["first", "mean"] = "first"

    def offers(self, what: Offer) -> bool:
        """Whether the tower has dense features (all do), or attention over all its tokens."""
        return what == "dense features" or len(self.attention_calls(None)) > 0

    def require(self, what: Offer, purpose: str, remedy: str) -> None:
        """Raise :class:`UnsupportedFamilyError` unless the tower offers what the purpose needs."""
        if not self.offers(what):
            raise UnsupportedFamilyError(
                f"{purpose} needs {what} over the whole picture, which this CLIP's image tower ({self.architecture}) "
                f"does not have; {remedy}"
            )

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
        UnsupportedFamilyError: the tower has no features of places, or pools them in a way that can't be read.
    """
    kind = type(visual).__name__
    if kind == "VisionTransformer":
        return _describe_vit(visual)
    if kind == "ModifiedResNet":
        return _describe_resnet(visual)
    if kind == "TimmModel" and hasattr(visual.trunk, "blocks") and hasattr(visual.trunk, "num_prefix_tokens"):
        return _describe_timm(visual)
    if kind == "TimmModel" and _averages_a_map(visual):
        return _describe_dense(visual)
    name = type(visual.trunk).__name__ if kind == "TimmModel" else kind
    raise UnsupportedFamilyError(
        f"the image tower of this CLIP is a {name}, which has neither tokens nor an averaged feature map to explain; "
        "use a CLIP whose image tower is a ViT, SigLIP, EVA02, CoCa, ConvNeXt, FastViT, Swin, or a ResNet with "
        "attention pooling"
    )


def _describe_vit(visual: Any) -> VisionTower:
    blocks = len(visual.transformer.resblocks)
    common: dict[str, Any] = {
        "architecture": type(visual).__name__,
        "blocks": blocks,
        "prefix": 1,
        "grid": _pair(visual.grid_size),
        "image_size": _pair(visual.image_size),
    }
    if visual.attn_pool is not None:
        if visual.attn_pool_contrastive is not None:
            raise UnsupportedFamilyError("attention pooling with a separate contrastive pooler is not supported")
        queries: Literal["first", "mean"] = "first" if visual.pool_type == "tok" else "mean"
        return VisionTower("vit-attention-pool", pooling="attention", pool_queries=queries, **common)
    if visual.pool_type == "tok":
        return VisionTower("vit-cls", pooling="cls", **common)
    if visual.pool_type == "avg":
        return VisionTower("vit-mean", pooling="mean", **common)
    raise UnsupportedFamilyError(f"pooling {visual.pool_type!r} of this CLIP's image tower can't be explained")


def _describe_resnet(visual: Any) -> VisionTower:
    height, width = _pair(visual.image_size)
    # AttentionPool2d puts the mean of the patches before them and reads the feature from that token's row.
    grid = (height // 32, width // 32)
    return VisionTower("resnet", type(visual).__name__, "attention", 0, 1, grid, (height, width))


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
        type(trunk).__name__,
        pooling,
        len(trunk.blocks),
        int(trunk.num_prefix_tokens),
        _pair(trunk.patch_embed.grid_size),
        _timm_image_size(visual),
    )


def _timm_image_size(visual: Any) -> tuple[int, int]:
    """The trunk's own, where it takes no other: open_clip's configuration of ViTamin-XL-384 says 256."""
    return _pair(getattr(getattr(visual.trunk, "patch_embed", None), "img_size", None) or visual.image_size)


def _averages_a_map(visual: Any) -> bool:
    """Whether timm's trunk gives a feature map of known scale whose mean over all places its head reads."""
    trunk = visual.trunk
    pooling = getattr(getattr(trunk, "head", trunk), "global_pool", None)
    scales = getattr(trunk, "feature_info", None)
    return bool(scales) and getattr(pooling, "pool_type", None) == "avg" and not hasattr(visual.head, "pool")


def _describe_dense(visual: Any) -> VisionTower:
    trunk = visual.trunk
    height, width = _timm_image_size(visual)
    scale, name = int(trunk.feature_info[-1]["reduction"]), type(trunk).__name__
    if height % scale or width % scale:
        raise UnsupportedFamilyError(
            f"the image tower of this CLIP is a {name} for pictures of {height} x {width} pixels, which is no multiple "
            f"of the {scale} that one place of its feature map covers; set image_size in its configuration to one"
        )
    return VisionTower("dense", name, "mean", 0, 0, (height // scale, width // scale), (height, width))
