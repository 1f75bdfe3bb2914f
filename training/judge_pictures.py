"""What the judge is trained on: scenes of the diffusion world, artefacts to see through, objects not to accept.

An artefact leaves the labels as they are. A spoiled object is one that a person would not call by its name any
more (its pieces shuffled, two classes in one, melted, blurred away): its cells are background. Spoiled and whole
objects are put into pictures in the same way, so that nothing but their looks tells them apart.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusion_world import CELLS, CLASSES, SIDE, UNDECIDED, ScenePainter
from library import art
from PIL import Image

BACKGROUND = len(CLASSES)
SIZES = (0.28, 0.62)
"""Range of the longer side of what is put into pictures here, as a share of the picture's: wider than the world's."""
UNSURE = 0.1
SURE = 0.5
"""Share of a cell that an object covers -> above UNSURE it is undecided, above SURE the object's, as in the world."""
LEAST_CHANGE = 0.12
"""Mean difference (premultiplied RGBA, 0..1) of a spoiled object from either of the two it is made of."""


@dataclass(frozen=True)
class Pictures:
    """A batch to train on or to measure with.

    Attributes:
        images: float32 [B, 3, 96, 96] in 0..1.
        covered: int64 [B, 24, 24], the class of each cell, BACKGROUND or UNDECIDED.
        refused: bool [B, 24, 24], background that a spoiled or unknown object covers.
    """

    images: torch.Tensor
    covered: torch.Tensor
    refused: torch.Tensor


# --- artefacts -------------------------------------------------------------------------------------------------


def blur(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of ``[B, C, H, W]``, the border repeated."""
    reach = max(1, min(round(2.5 * sigma), min(images.shape[-2:]) - 1))
    kernel = torch.exp(-((torch.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    padded = F.pad(images, (reach, reach, reach, reach), "replicate")
    across = F.conv2d(padded, kernel, groups=images.shape[1])
    return F.conv2d(across, kernel.transpose(2, 3), groups=images.shape[1])


def jpeg(image: torch.Tensor, quality: int) -> torch.Tensor:
    """One picture ``[3, H, W]`` through a JPEG file."""
    stored = io.BytesIO()
    Image.fromarray((image.permute(1, 2, 0).clamp(0, 1) * 255).byte().numpy()).save(stored, "JPEG", quality=quality)
    return torch.from_numpy(np.asarray(Image.open(stored)).copy()).permute(2, 0, 1).float() / 255


def warp(images: torch.Tensor, pixels: float | torch.Tensor, knots: int, rng: np.random.Generator,
         padding: str = "border") -> torch.Tensor:  # fmt: skip
    """Bend pictures smoothly: points on a grid of ``knots`` x ``knots`` move by about ``pixels`` each way."""
    count, _, height, width = images.shape
    moves = torch.from_numpy(rng.standard_normal((count, 2, knots, knots)).astype(np.float32))
    moves = F.interpolate(moves, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    grid = F.affine_grid(torch.eye(2, 3).expand(count, 2, 3), [count, 1, height, width], align_corners=False)
    scale = torch.tensor([2 / width, 2 / height]) * pixels
    return F.grid_sample(images, grid + moves * scale, padding_mode=padding, align_corners=False)


def add_artefacts(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """What a small latent diffusion model may do to a good picture, each to a random part of the batch."""
    count, _, side, _ = images.shape

    def some(share: float) -> np.ndarray:
        return np.flatnonzero(rng.random(count) < share)

    def draw(low: float, high: float, channels: int = 1) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, channels, 1, 1)).astype(np.float32))

    out = images.clone()
    if len(chosen := some(0.35)):
        out[chosen] = warp(out[chosen], torch.from_numpy(rng.uniform(0, 1.3, (len(chosen), 1, 1, 1))).float(), 9, rng)
    if len(chosen := some(0.2)):  # another picture shines through
        share = draw(0.03, 0.22)[chosen]
        out[chosen] = out[chosen] * (1 - share) + images[rng.permutation(count)[: len(chosen)]] * share
    for sigma in (0.6, 1.0, 1.5):
        if len(chosen := some(0.14)):
            out[chosen] = blur(out[chosen], sigma)
    if len(chosen := some(0.12)):
        out[chosen] = F.interpolate(F.avg_pool2d(out[chosen], 2), scale_factor=2, mode="bilinear")
    for grid, share in ((12, 0.15), (24, 0.15), (side, 0.3)):
        if len(chosen := some(share)):
            noise = torch.from_numpy(rng.standard_normal((len(chosen), 3, grid, grid)).astype(np.float32))
            noise = noise if grid == side else F.interpolate(noise, (side, side), mode="bicubic")
            out[chosen] += noise * draw(0.01, 0.07)[chosen]
    grey = out.mean(1, keepdim=True)
    level = grey.mean((2, 3), keepdim=True)
    vivid, contrast = draw(0.65, 1.25), draw(0.55, 1.15)
    changed = level + contrast * (grey + vivid * (out - grey) - level)
    changed = changed * draw(0.92, 1.08, 3) + draw(-0.1, 0.1)
    some_colour = torch.zeros(count, 1, 1, 1)
    some_colour[some(0.7)] = 1
    out = torch.lerp(out, changed, some_colour).clamp(0, 1)
    for index in some(0.2):
        out[index] = jpeg(out[index], int(rng.integers(25, 85)))
    return out


# --- spoiled objects -------------------------------------------------------------------------------------------
# Sprites are premultiplied RGBA, float [4, h, w] in 0..1.


def _fit(sprite: torch.Tensor, height: int, width: int) -> torch.Tensor:
    resized = F.interpolate(sprite[None], (height, width), mode="bilinear", antialias=True, align_corners=False)[0]
    return resized.clamp(0, 1)


def _difference(one: torch.Tensor, two: torch.Tensor) -> float:
    """Mean difference where either is seen."""
    one = _fit(one, *two.shape[1:])
    seen = torch.maximum(one[3], two[3])
    return float(((one - two).abs().mean(0) * seen).sum() / seen.sum())


def shuffled(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Cut into tiles, every tile put elsewhere."""
    pieces = int(rng.integers(2, 6))
    _, height, width = own.shape
    high, wide = max(height // pieces, 1), max(width // pieces, 1)
    even = _fit(own, high * pieces, wide * pieces)
    tiles = even.unfold(1, high, high).unfold(2, wide, wide).flatten(1, 2)
    order = rng.permutation(pieces * pieces)
    moved = torch.empty_like(tiles)
    moved[:, order] = tiles[:, np.roll(order, 1)]  # one cycle: no tile stays
    return moved.unflatten(1, (pieces, pieces)).permute(0, 1, 3, 2, 4).reshape(even.shape)


def blended(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Half this object, half one of another class, one through the other."""
    return torch.lerp(own, other, float(rng.uniform(0.4, 0.6)))


def chimera(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """One half of this object, the other half of another class."""
    angle, where, soft = rng.uniform(0, 2 * np.pi), rng.uniform(-0.08, 0.08), rng.uniform(0.02, 0.2)
    y = torch.linspace(-0.5, 0.5, own.shape[1])[:, None]
    x = torch.linspace(-0.5, 0.5, own.shape[2])[None]
    return torch.lerp(own, other, ((x * np.cos(angle) + y * np.sin(angle) - where) / soft + 0.5).clamp(0, 1).float())


def patchwork(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """This object here, another class there, in soft blotches."""
    blotches = torch.from_numpy(rng.standard_normal((1, 1, 5, 5)).astype(np.float32))
    shares = F.interpolate(blotches - blotches.median(), own.shape[1:], mode="bicubic", align_corners=True)[0]
    return torch.lerp(own, other, (4 * shares + 0.5).clamp(0, 1))


def melted(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Bent beyond recognition."""
    margin = min(min(own.shape[1:]) // 6, (SIDE - max(own.shape[1:])) // 2)
    framed = F.pad(own, (margin,) * 4)
    pixels = float(rng.uniform(0.18, 0.3)) * min(own.shape[1:])
    return warp(framed[None], pixels, int(rng.integers(5, 8)), rng, "zeros")[0]


def blurred(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A cloud of its colours, half of the clouds mottled."""
    sigma = float(rng.uniform(0.14, 0.25)) * min(own.shape[1:])
    room = (SIDE - max(own.shape[1:])) // 2
    cloud = blur(F.pad(own, (min(round(2.5 * sigma), room),) * 4)[None], sigma)
    if rng.random() < 0.5:
        mottle = torch.from_numpy(rng.standard_normal((1, 3, 6, 6)).astype(np.float32))
        mottle = 0.15 * F.interpolate(mottle, cloud.shape[2:], mode="bicubic", align_corners=True)
        cloud[:, :3] += mottle * cloud[:, 3:]
    return torch.minimum(cloud.clamp(0, 1), cloud[:, 3:])[0]


def interlaced(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Bands of this object and of one of another class in turns."""
    bands = torch.arange(own.shape[1]) // max(own.shape[1] // 6, 2) % 2
    return torch.where(bands[None, :, None].bool(), own, other)


def sheared_apart(own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Bands of the object rolled sideways, neighbours to opposite sides."""
    bands = own.split(max(own.shape[1] // 6, 2), 1)
    shifts = [(-1) ** k * round(float(rng.uniform(0.2, 0.35)) * own.shape[2]) for k in range(len(bands))]
    return torch.cat([band.roll(shift, 2) for band, shift in zip(bands, shifts, strict=True)], 1)


PixelBox = tuple[int, int, int, int]
Spoiler = Callable[[torch.Tensor, torch.Tensor, np.random.Generator], torch.Tensor]
SPOILERS: tuple[Spoiler, ...] = (shuffled, blended, chimera, patchwork, melted, blurred)
UNSEEN_SPOILERS: tuple[Spoiler, ...] = (interlaced, sheared_apart)
"""Never trained on: do they pass, the judge has learnt what the other spoilers do, not what an object is."""


class PictureSource:
    """Scenes of the world beside pictures put together from whole, spoiled and unknown objects."""

    def __init__(self, seed: int, spoilers: Sequence[Spoiler] = SPOILERS) -> None:
        self.rng = np.random.default_rng(seed)
        self.painter = ScenePainter(seed + 1)
        self.spoilers = spoilers
        self.known = [
            torch.stack([torch.from_numpy(np.asarray(layer).copy()) for layer in layers])
            for layers in self.painter.sprites
        ]
        drawings = art.load_art("noto")
        self.unknown = [_premultiplied(drawings[name][0]) for name in drawings if name not in CLASSES]

    def batch(self, size: int) -> Pictures:
        """Half of them scenes as the world has them, half put together; no artefacts yet."""
        scenes = self.painter.batch(-(-size // 2))
        images, covered = scenes.images.repeat(2, 1, 1, 1)[:size], scenes.covered.repeat(2, 1, 1)[:size]
        refused = torch.zeros_like(covered, dtype=torch.bool)
        for picture in range(len(scenes.images), size):
            images[picture], covered[picture] = backdrop(images[picture]), BACKGROUND
            taken: list[PixelBox] = []
            for kind in self.rng.choice(3, self.rng.choice(4, p=[0.08, 0.4, 0.42, 0.1]), p=[0.35, 0.53, 0.12]):
                sprite, label = self._object(int(kind), self._size(*SIZES))
                self._place(images[picture], covered[picture], refused[picture], sprite, label, taken)
        for picture in np.flatnonzero(self.rng.random(size) < 0.06):
            self._double_expose(images, covered, int(picture), int(self.rng.integers(size)))
            refused[picture] = False
        return Pictures(images, covered, refused & (covered == BACKGROUND))

    def spoiled_scenes(self, size: int, spoiler: Spoiler) -> Pictures:
        """Pictures with one object each, spoiled in this way, at the world's sizes; to measure with."""
        images = torch.stack([backdrop(image) for image in self.painter.batch(size).images])
        covered = torch.full((size, CELLS, CELLS), BACKGROUND)
        refused = torch.zeros_like(covered, dtype=torch.bool)
        for image, cells, hard in zip(images, covered, refused, strict=True):
            self._place(image, cells, hard, self._spoil(spoiler, self._size(0.33, 0.56)), BACKGROUND, [])
        return Pictures(images, covered, refused)

    def _size(self, low: float, high: float) -> int:
        return round(float(self.rng.uniform(low, high)) * SIDE)

    def _spoil(self, spoiler: Spoiler, longer: int) -> torch.Tensor:
        for _ in range(10):
            one, two = self.rng.choice(len(self.known), 2, replace=False)
            own = self._scaled(self.known[one], longer)
            other = _fit(self.known[two], *own.shape[1:])
            sprite = spoiler(own, other, self.rng)
            # Where two classes look alike, or one of them has hardly a part in it, the mixture still is that class.
            if min(_difference(sprite, own), _difference(sprite, other)) >= LEAST_CHANGE:
                break
        return sprite

    def _scaled(self, sprite: torch.Tensor, longer: int) -> torch.Tensor:
        zoom, stretch = longer / max(sprite.shape[1:]), float(np.exp(self.rng.normal(0, 0.07)))
        height, width = (max(4, round(v * zoom)) for v in (sprite.shape[1] * stretch, sprite.shape[2] / stretch))
        return _fit(sprite, min(height, SIDE), min(width, SIDE))

    def _object(self, kind: int, longer: int) -> tuple[torch.Tensor, int]:
        """A whole (kind 0), spoiled (1) or unknown (2) object, and its label."""
        if kind == 1:
            return self._spoil(self.spoilers[self.rng.integers(len(self.spoilers))], longer), BACKGROUND
        if kind == 2:
            sprite = self._scaled(self.unknown[self.rng.integers(len(self.unknown))], longer)
            return sprite.flip(2) if self.rng.random() < 0.5 else sprite, BACKGROUND
        label = int(self.rng.integers(len(self.known)))
        return self._scaled(self.known[label], longer), label

    def _place(self, image: torch.Tensor, covered: torch.Tensor, refused: torch.Tensor, sprite: torch.Tensor,
               label: int, taken: list[PixelBox]) -> None:  # fmt: skip
        """Draw a sprite where nothing is yet, in place; nothing happens if there is no room."""
        _, height, width = sprite.shape
        for _ in range(12):
            left, top = (int(self.rng.integers(0, SIDE - v + 1)) for v in (width, height))
            spot = (left, top, left + width, top + height)
            if not any(spot[0] < b[2] and b[0] < spot[2] and spot[1] < b[3] and b[1] < spot[3] for b in taken):
                break
        else:
            return
        taken.append(spot)
        region = image[:, top : spot[3], left : spot[2]]
        region.mul_(1 - sprite[3:]).add_(sprite[:3]).clamp_(0, 1)
        alpha = torch.zeros(SIDE, SIDE)
        alpha[top : spot[3], left : spot[2]] = sprite[3]
        filled = F.avg_pool2d(alpha[None], SIDE // CELLS)[0]
        if label == BACKGROUND:
            refused[filled > UNSURE] = True
        else:
            covered[filled > UNSURE] = UNDECIDED
            covered[filled > SURE] = label

    def _double_expose(self, images: torch.Tensor, covered: torch.Tensor, picture: int, other: int) -> None:
        """Mix two whole pictures, half and half, in place. Where objects of two classes meet there is none."""
        images[picture] = torch.lerp(images[picture], images[other], float(self.rng.uniform(0.4, 0.6)))
        own, strange = covered[picture], covered[other]
        empty = (own == BACKGROUND) & (strange == BACKGROUND)
        clash = (own >= 0) & (strange >= 0) & (own != BACKGROUND) & (strange != BACKGROUND) & (own != strange)
        covered[picture] = torch.full_like(own, UNDECIDED).masked_fill(empty | clash, BACKGROUND)


def backdrop(image: torch.Tensor) -> torch.Tensor:
    """The empty background of a scene ``[3, S, S]``: the world's backgrounds change from top to bottom only, and its
    objects keep off the left edge."""
    return image[:, :, :1].expand_as(image).clone()


def _premultiplied(svg: str) -> torch.Tensor:
    rgba = torch.from_numpy(art.rasterise(svg, SIDE).astype(np.float32) / 255).permute(2, 0, 1).contiguous()
    rgba[:3] *= rgba[3:]
    return rgba
