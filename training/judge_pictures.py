"""What the judge is trained on besides clean scenes: artefacts it must see through, and objects it must not accept.

An artefact leaves the labels as they are. A spoiled object is one that a person would not call by its name any
more (its pieces shuffled, two classes in one, melted, blurred away): its cells become background.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from judge import CELL
from PIL import Image

UNDECIDED = -100
PixelBox = tuple[int, int, int, int]


@dataclass
class Pictures:
    """Scenes that may be changed in place.

    images: float ``[B, 3, S, S]`` in 0..1. covered: int64 ``[B, S / 4, S / 4]``, the class of each cell,
    ``background`` or -100 (undecided). labels, boxes: of each picture's objects, class indices and float
    ``[k, 4]`` (x0, y0, x1, y1) as fractions.
    """

    images: torch.Tensor
    covered: torch.Tensor
    labels: list[tuple[int, ...]]
    boxes: list[torch.Tensor]
    background: int

    def pixel_box(self, picture: int, item: int) -> PixelBox:
        """An object's box in pixels, ends exclusive, inside the picture and at least 4 pixels wide and high."""
        side = self.images.shape[-1]
        x0, y0, x1, y1 = (float(v) * side for v in self.boxes[picture][item])
        left, top = min(max(int(x0), 0), side - 4), min(max(int(y0), 0), side - 4)
        return left, top, min(max(int(np.ceil(x1)), left + 4), side), min(max(int(np.ceil(y1)), top + 4), side)

    def crop(self, picture: int, box: PixelBox) -> torch.Tensor:
        """The pixels ``[3, h, w]`` in a box, a view."""
        left, top, right, bottom = box
        return self.images[picture, :, top:bottom, left:right]


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


def warp(images: torch.Tensor, pixels: float | torch.Tensor, knots: int, rng: np.random.Generator) -> torch.Tensor:
    """Bend pictures smoothly: points on a grid of ``knots`` x ``knots`` move by about ``pixels`` each way."""
    count, _, height, width = images.shape
    moves = torch.from_numpy(rng.standard_normal((count, 2, knots, knots)).astype(np.float32))
    moves = F.interpolate(moves, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    grid = F.affine_grid(torch.eye(2, 3).expand(count, 2, 3), [count, 1, height, width], align_corners=False)
    scale = torch.tensor([2 / width, 2 / height]) * pixels
    return F.grid_sample(images, grid + moves * scale, padding_mode="border", align_corners=False)


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


def _other_class(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """The crop of an object of another class, at the size of this object's box."""
    left, top, right, bottom = pictures.pixel_box(picture, item)
    label = pictures.labels[picture][item]
    for _ in range(20):
        other = int(rng.integers(len(pictures.labels)))
        strangers = [k for k, found in enumerate(pictures.labels[other]) if found != label]
        if other != picture and strangers:
            crop = pictures.crop(other, pictures.pixel_box(other, int(rng.choice(strangers))))
            return F.interpolate(crop[None], (bottom - top, right - left), mode="bilinear")[0]
    return None


def shuffled(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """The box cut into tiles, every tile put elsewhere."""
    crop = pictures.crop(picture, pictures.pixel_box(picture, item))
    _, height, width = crop.shape
    pieces = int(rng.integers(2, 6))
    if min(height, width) < 2 * pieces:
        return None
    even = F.interpolate(crop[None], (height // pieces * pieces, width // pieces * pieces), mode="bilinear")[0]
    tiles = even.unfold(1, height // pieces, height // pieces).unfold(2, width // pieces, width // pieces)
    tiles = tiles.flatten(1, 2)
    order = rng.permutation(pieces * pieces)
    moved = tiles.new_empty(tiles.shape)
    moved[:, order] = tiles[:, np.roll(order, 1)]  # one cycle: no tile stays
    if rng.random() < 0.5:
        moved = moved.flip(-1)
    rows = moved.unflatten(1, (pieces, pieces)).permute(0, 1, 3, 2, 4).reshape(even.shape)
    return F.interpolate(rows[None], (height, width), mode="bilinear")[0]


def blended(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """Half this object, half one of another class, one through the other."""
    other = _other_class(pictures, picture, item, rng)
    if other is None:
        return None
    return torch.lerp(pictures.crop(picture, pictures.pixel_box(picture, item)), other, float(rng.uniform(0.4, 0.6)))


def chimera(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """One half of this object, the other half of another class."""
    other = _other_class(pictures, picture, item, rng)
    if other is None:
        return None
    own = pictures.crop(picture, pictures.pixel_box(picture, item))
    angle, where = rng.uniform(0, 2 * np.pi), rng.uniform(-0.1, 0.1)
    y = torch.linspace(-0.5, 0.5, own.shape[1])[:, None]
    x = torch.linspace(-0.5, 0.5, own.shape[2])[None]
    soft = float(rng.uniform(0.02, 0.15))
    return torch.lerp(own, other, ((x * np.cos(angle) + y * np.sin(angle) - where) / soft + 0.5).clamp(0, 1))


def melted(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """Bent beyond recognition."""
    crop = pictures.crop(picture, pictures.pixel_box(picture, item))
    return warp(crop[None], float(rng.uniform(0.2, 0.35)) * min(crop.shape[1:]), int(rng.integers(5, 8)), rng)[0]


def blurred(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """A cloud of its colours, some of them mottled."""
    crop = pictures.crop(picture, pictures.pixel_box(picture, item))
    cloud = blur(crop[None], float(rng.uniform(0.16, 0.3)) * min(crop.shape[1:]))
    if rng.random() < 0.5:
        mottle = torch.from_numpy(rng.standard_normal((1, 3, 6, 6)).astype(np.float32))
        cloud = cloud + 0.1 * F.interpolate(mottle, crop.shape[1:], mode="bicubic")
    return cloud[0].clamp(0, 1)


def interlaced(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """Bands of this object and of one of another class in turns."""
    other = _other_class(pictures, picture, item, rng)
    if other is None:
        return None
    own = pictures.crop(picture, pictures.pixel_box(picture, item))
    bands = torch.arange(own.shape[1]) // max(own.shape[1] // 6, 2) % 2
    return torch.where(bands[None, :, None].bool(), own, other)


def sheared_apart(pictures: Pictures, picture: int, item: int, rng: np.random.Generator) -> torch.Tensor | None:
    """Bands of the object shifted sideways, each by another amount."""
    crop = pictures.crop(picture, pictures.pixel_box(picture, item))
    band, width = max(crop.shape[1] // 6, 2), crop.shape[2]
    shifts = [(-1) ** k * int(rng.integers(round(0.25 * width), round(0.5 * width) + 1)) for k in range(band * 8)]
    rows = [part.roll(shift, -1) for part, shift in zip(crop.split(band, 1), shifts, strict=False)]
    return torch.cat(rows, 1)


Spoiler = Callable[[Pictures, int, int, np.random.Generator], torch.Tensor | None]
SPOILERS: tuple[Spoiler, ...] = (shuffled, blended, chimera, melted, blurred)
UNSEEN_SPOILERS: tuple[Spoiler, ...] = (interlaced, sheared_apart)
"""Never trained on: they measure whether the judge learnt what an object is, or only what the spoilers do."""


def spoil(
    pictures: Pictures, picture: int, item: int, rng: np.random.Generator, spoilers: Sequence[Spoiler] = SPOILERS
) -> bool:
    """Spoil one object in place. False if it could not be done (too small, no other class at hand)."""
    box = pictures.pixel_box(picture, item)
    patch = spoilers[rng.integers(len(spoilers))](pictures, picture, item, rng)
    if patch is None:
        return False
    pictures.crop(picture, box).copy_(_soft_edges(patch, pictures.crop(picture, box)))
    left, top, right, bottom = box
    cells = pictures.covered[picture]
    # Another object that reaches into the box lost a part: no telling what it is now.
    for other, label in enumerate(pictures.labels[picture]):
        if other != item and _meet(box, pictures.pixel_box(picture, other)):
            cells[cells == label] = UNDECIDED
    inside = np.s_[top // CELL : -(-bottom // CELL), left // CELL : -(-right // CELL)]
    own = (cells[inside] == pictures.labels[picture][item]) | (cells[inside] == UNDECIDED)
    cells[inside] = torch.where(own, pictures.background, cells[inside])
    return True


def _soft_edges(patch: torch.Tensor, below: torch.Tensor, pixels: float = 2.0) -> torch.Tensor:
    """The patch faded into what it covers: a hard frame would give the spoiled object away."""
    y, x = (torch.arange(n) + 0.5 for n in patch.shape[1:])
    ramps = [torch.minimum(v, len(v) - v).div(pixels).clamp(max=1) for v in (y, x)]
    return torch.lerp(below, patch, ramps[0][:, None] * ramps[1][None])


def _meet(a: PixelBox, b: PixelBox) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def double_expose(pictures: Pictures, picture: int, other: int, rng: np.random.Generator) -> None:
    """Mix two whole pictures, half and half, in place. Where objects of two classes meet there is none."""
    share = float(rng.uniform(0.4, 0.6))
    pictures.images[picture] = torch.lerp(pictures.images[picture], pictures.images[other], share)
    own, strange, background = pictures.covered[picture], pictures.covered[other], pictures.background
    both_empty = (own == background) & (strange == background)
    both_full = (own >= 0) & (strange >= 0) & (own != background) & (strange != background) & (own != strange)
    mixed = torch.full_like(own, UNDECIDED)
    pictures.covered[picture] = mixed.masked_fill(both_empty | both_full, background)


def paste_stranger(pictures: Pictures, picture: int, sprite: np.ndarray, rng: np.random.Generator) -> bool:
    """Put an object of a class the judge does not know beside the others. sprite: uint8 ``[h, w, 4]`` RGBA."""
    side = pictures.images.shape[-1]
    longer = int(rng.uniform(0.25, 0.55) * side)
    scaled = Image.fromarray(sprite)
    scaled.thumbnail((longer, longer), Image.Resampling.BILINEAR)
    rgba = torch.from_numpy(np.asarray(scaled).copy()).permute(2, 0, 1).float() / 255
    if rng.random() < 0.5:
        rgba = rgba.flip(-1)
    taken = [pictures.pixel_box(picture, k) for k in range(len(pictures.labels[picture]))]
    for _ in range(8):
        left, top = (int(rng.integers(0, max(side - size, 0) + 1)) for size in (rgba.shape[2], rgba.shape[1]))
        box = (left, top, left + rgba.shape[2], top + rgba.shape[1])
        if not any(_meet(box, other) for other in taken):
            crop = pictures.crop(picture, box)
            crop.copy_(torch.lerp(crop, rgba[:3], rgba[3:]))
            return True
    return False
