"""Endless batches of augmented scenes and captions, fast enough not to hold up training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from library import backgrounds, captions
from sprites import SIDE, Sprites

BANK = 1024
FULL = 96
PATCH = 8
UNDECIDED = -100
SIZES = {1: (0.3, 0.72), 2: (0.24, 0.5), 3: (0.22, 0.42)}
"""Objects in a scene -> range of their longer side, as a share of the image's."""
WINDOW_SIZES = {1: (0.45, 0.98), 2: (0.4, 0.62), 3: (0.35, 0.45)}
"""The same for a window cut out of a scene at full resolution: objects keep their size in pixels."""


@dataclass(frozen=True)
class Batch:
    """images: float [B, 3, S, S] in 0..1. present: bool [B, C]. For every scene two captions and one wrong one.

    covered: int64 [B, G * G], the class that covers each 8 x 8 patch, C for background, -100 where it's neither.
    named: bool [2B, C], the classes named by each true caption (all first captions, then all second ones).
    """

    images: torch.Tensor
    present: torch.Tensor
    covered: torch.Tensor
    texts: list[str]
    named: torch.Tensor
    wrong_texts: list[str]
    wrong_named: torch.Tensor


def _mean_colour_name(image: np.ndarray) -> str:
    red, green, blue = image.mean((0, 1))
    high, low = max(red, green, blue), min(red, green, blue)
    if high - low < 0.12:
        return "white" if high > 0.6 else "black"
    hue = [(green - blue) / (high - low) % 6, (blue - red) / (high - low) + 2, (red - green) / (high - low) + 4][
        int(np.argmax([red, green, blue]))
    ] / 6
    return min(backgrounds.HUES, key=lambda name: abs((hue - backgrounds.HUES[name] + 0.5) % 1 - 0.5))


class SceneSource:
    """Draws batches. The same seed and the same calls give the same batches."""

    def __init__(self, sprites: Sprites, weights: np.ndarray, seed: int, augment: bool = True) -> None:
        self.rng = np.random.default_rng(seed)
        self.torch_rng = torch.Generator().manual_seed(seed)
        self.sprites, self.augment = sprites, augment
        self.cumulative = np.cumsum(weights, axis=1)
        self.levels = self._pyramid(torch.from_numpy(sprites.pixels))
        self.bank: dict[str, list[np.ndarray]] = {kind: [] for kind in backgrounds.KINDS}
        self.noise = self.rng.standard_normal((128, 128, 3)).astype(np.float32)

    @staticmethod
    def _pyramid(pixels: torch.Tensor) -> list[torch.Tensor]:
        half = torch.stack([F.avg_pool2d(p.permute(2, 0, 1).float(), 2).byte() for p in pixels])
        return [pixels.permute(0, 3, 1, 2).contiguous(), half]

    def refill(self, share: float = 1.0) -> None:
        """Paint new backgrounds in place of a share of the bank."""
        each = BANK // len(backgrounds.KINDS)
        for kind, images in self.bank.items():
            for _ in range(max(each - len(images), round(share * each))):
                clutter = self.rng.choice([0.0, 0.5, 1.0])
                image = backgrounds.draw_background(self.rng, FULL, FULL, kind, clutter)
                if len(images) < each:
                    images.append(image)
                else:
                    images[self.rng.integers(each)] = image

    def _background(self, kind: str, side: int) -> np.ndarray:
        image = self.bank[kind][self.rng.integers(len(self.bank[kind]))]
        y, x = self.rng.integers(len(image) - side + 1, size=2)
        image = image[y : y + side, x : x + side]
        if self.rng.random() < 0.5:
            image = image[:, ::-1]
        if self.rng.random() < 0.5 and kind in ("plain", "gradient", "stripes", "dots", "paper"):
            image = image[..., self.rng.permutation(3)]
        return image

    def _warp(self, ids: np.ndarray, share: np.ndarray, patch: int, side: int) -> torch.Tensor:
        """Sprites [N] at `share` of the image, turned and bent, on patches: float [N, 5, patch, patch] 0..1."""
        n, rng = len(ids), self.rng
        zoom = patch / (share * side) * (SIDE - 4) / SIDE
        turn = rng.normal(0, 0.18, n) if self.augment else rng.uniform(-0.15, 0.15, n)
        stretch = np.exp(rng.normal(0, 0.1, n)) if self.augment else np.ones(n)
        shear = rng.normal(0, 0.12, n) if self.augment else np.zeros(n)
        flip = np.where(rng.random(n) < 0.5, -1.0, 1.0)
        cos, sin = np.cos(turn), np.sin(turn)
        theta = np.zeros((n, 2, 3), np.float32)
        theta[:, 0, 0], theta[:, 0, 1] = flip * zoom * stretch * cos, flip * zoom * stretch * (shear - sin)
        theta[:, 1, 0], theta[:, 1, 1] = zoom / stretch * sin, zoom / stretch * cos
        grid = F.affine_grid(torch.from_numpy(theta), [n, 1, patch, patch], align_corners=False)
        if self.augment:
            bend = (
                torch.randn(n, 2, 4, 4, generator=self.torch_rng)
                * 0.06
                * torch.from_numpy((zoom * (rng.random(n) < 0.5)).astype(np.float32)).view(n, 1, 1, 1)
            )
            grid = grid + F.interpolate(bend, (patch, patch), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        out = torch.empty(n, 5, patch, patch)
        small = share * side < 0.6 * SIDE
        for level, chosen in enumerate((~small, small)):
            index = torch.from_numpy(np.flatnonzero(chosen))
            if len(index):
                source = self.levels[level][torch.from_numpy(ids)[index]].float() / 255
                out[index] = F.grid_sample(source, grid[index], align_corners=False)
        return out

    def _paint(self, layers: torch.Tensor, mono: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Premultiplied colour [N, 3, P, P] and alpha [N, 1, P, P] of warped sprites, with style augmentation."""
        n, rng = len(mono), self.rng
        rgb, alpha, silhouette = layers[:, :3], layers[:, 3:4], layers[:, 4:5]

        def tint(light: tuple[float, float], vivid: tuple[float, float]) -> torch.Tensor:
            return torch.from_numpy(np.stack([backgrounds.colour(rng, None, light, vivid) for _ in range(n)]))[
                ..., None, None
            ]

        is_mono = torch.from_numpy(mono).view(n, 1, 1, 1)
        ink = tint((0.0, 0.9), (0.0, 1.0)) * alpha
        body = tint((0.5, 1.0), (0.0, 0.9))
        filled = is_mono & (torch.from_numpy(rng.random(n)).view(n, 1, 1, 1) < 0.6)
        coloured = ink + torch.where(filled, (silhouette - alpha).clamp_min(0) * body, torch.zeros(()))
        rgb = torch.where(is_mono, coloured, rgb)
        alpha = torch.where(filled, silhouette, alpha)
        if self.augment:
            amount = rng.choice([0.0, 0.25, 1.0], n, p=[0.5, 0.38, 0.12])
            angle = amount * rng.uniform(-np.pi, np.pi, n)
            cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
            third, root = np.full((3, 3), 1 / 3), np.sqrt(1 / 3)
            cross = root * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
            matrix = cos * np.eye(3) + (1 - cos) * third + sin * cross
            vivid = np.where(rng.random(n) < 0.08, 0.0, np.exp(rng.normal(0, 0.25, n)))[:, None, None]
            matrix = (vivid * np.eye(3) + (1 - vivid) * third) @ matrix
            rgb = torch.einsum("nij,njhw->nihw", torch.from_numpy(matrix.astype(np.float32)), rgb)
            gain = torch.from_numpy(np.exp(rng.normal(0, 0.2, (n, 1, 1, 1))).astype(np.float32))
            lift = torch.from_numpy(rng.normal(0, 0.08, (n, 3, 1, 1)).astype(np.float32))
            rgb = torch.minimum((rgb * gain + lift * alpha).clamp_min(0), alpha)
            rgb = torch.where(torch.from_numpy(rng.random(n) < 0.03).view(n, 1, 1, 1), alpha - rgb, rgb)
            for i in np.flatnonzero(rng.random(n) < 0.15):
                p = rgb.shape[-1]
                y, x, h, w = rng.integers(p // 4, 3 * p // 4, 2).tolist() + rng.integers(p // 10, p // 4, 2).tolist()
                rgb[i, :, y : y + h, x : x + w] = 0
                alpha[i, :, y : y + h, x : x + w] = 0
        return rgb, alpha

    def batch(self, size: int, side: int, counts: tuple[float, float, float] = (0.4, 0.45, 0.15)) -> Batch:
        """Draw `size` scenes with 1, 2 or 3 objects in the shares `counts`.

        Less than FULL pixels a `side` means windows cut out of scenes.
        """
        if not self.bank["plain"]:
            self.refill()
        rng, sprites = self.rng, self.sprites
        how_many = rng.choice(3, size, p=counts) + 1
        labels = [rng.choice(len(sprites.labels), k, replace=False) for k in how_many]
        owner = np.repeat(np.arange(size), how_many)
        flat = np.concatenate(labels)
        ids = np.array([np.searchsorted(self.cumulative[c], rng.random()) for c in flat])
        ids = np.minimum(ids, len(sprites.classes) - 1)
        low, high = np.array([(SIZES if side == FULL else WINDOW_SIZES)[k] for k in how_many])[owner].T
        share = rng.uniform(low, high)
        patches: list[tuple[np.ndarray, np.ndarray]] = [None] * len(ids)  # type: ignore[list-item]
        for wide in (False, True):
            # Warping is most of the work here: small objects get small patches.
            group = np.flatnonzero((share > 0.5) == wide)
            if len(group):
                patch = int((1.18 * max(share.max(), 0.5) if wide else 0.6) * side)
                rgb, alpha = self._paint(self._warp(ids[group], share[group], patch, side), sprites.mono[ids[group]])
                colour, cover = rgb.permute(0, 2, 3, 1).numpy(), alpha.permute(0, 2, 3, 1).numpy()
                for i, member in enumerate(group):
                    patches[member] = (colour[i], cover[i])

        images = np.empty((size, side, side, 3), np.float32)
        cells = side // PATCH
        covered = np.full((size, cells, cells), len(sprites.labels))
        kinds, hues, item = [], [], 0
        for b in range(size):
            habitat = captions.HABITAT_OF.get(sprites.labels[labels[b][0]], "plain")
            kind = habitat if rng.random() < 0.35 else backgrounds.KINDS[rng.integers(len(backgrounds.KINDS))]
            images[b] = self._background(kind, side)
            kinds.append(kind)
            hues.append(_mean_colour_name(images[b]))
            for cx, cy in self._places(share[item : item + how_many[b]]):
                colour, cover = patches[item]
                patch = len(colour)
                x, y = round(cx * side) - patch // 2, round(cy * side) - patch // 2
                top, left, bottom, right = max(y, 0), max(x, 0), min(y + patch, side), min(x + patch, side)
                part = np.s_[top - y : bottom - y, left - x : right - x]
                region = images[b, top:bottom, left:right]
                region *= 1 - cover[part]
                region += colour[part]
                shape = np.zeros((side, side), np.float32)
                shape[top:bottom, left:right] = cover[part][..., 0]
                filled = shape.reshape(cells, PATCH, cells, PATCH).mean((1, 3))
                covered[b][filled > 0.08] = UNDECIDED
                covered[b][filled > 0.35] = flat[item]
                item += 1
        if self.augment:
            images *= np.exp(rng.normal(0, 0.12, (size, 1, 1, 1))).astype(np.float32)
            images += rng.normal(0, 0.04, (size, 1, 1, 3)).astype(np.float32)
            noisy = np.flatnonzero(rng.random(size) < 0.4)
            images[noisy] += self.noise[:side, :side] * rng.exponential(0.03, (len(noisy), 1, 1, 1)).astype(np.float32)
        pictures = torch.from_numpy(images).clamp(0, 1).permute(0, 3, 1, 2)
        patches = torch.from_numpy(covered).flatten(1)
        return self._caption(pictures, patches, labels, ids, how_many, kinds, hues)

    def _places(self, shares: np.ndarray) -> list[tuple[float, float]]:
        """Centres for objects of these sizes, apart from each other where ten tries manage it."""
        centres: list[tuple[float, float]] = []
        for i, share in enumerate(shares):
            for _ in range(10):
                low = min(0.42 * share, 0.5)
                x, y = self.rng.uniform(low, 1 - low, 2)
                if all(
                    max(abs(x - u), abs(y - v)) > 0.46 * (share + s)
                    for (u, v), s in zip(centres, shares[:i], strict=True)
                ):
                    break
            centres.append((x, y))
        return centres

    def _caption(self, images: torch.Tensor, covered: torch.Tensor, labels: list[np.ndarray], ids: np.ndarray,
                 how_many: np.ndarray, kinds: list[str], hues: list[str]) -> Batch:  # fmt: skip
        names, rng, size = self.sprites.labels, self.rng, len(labels)
        present = torch.zeros(size, len(names), dtype=torch.bool)
        for b, here in enumerate(labels):
            present[b, torch.from_numpy(here)] = True
        first_is_mono = self.sprites.mono[ids[np.cumsum(how_many) - how_many]]
        facts = [
            captions.SceneFacts(tuple(names[c] for c in here), kind, hue, bool(mono))
            for here, kind, hue, mono in zip(labels, kinds, hues, first_is_mono, strict=True)
        ]
        written = [captions.write_caption(rng, fact) for _ in range(2) for fact in facts]
        wrong_texts, wrong_named = [], torch.zeros(size, len(names), dtype=torch.bool)
        index = {name: i for i, name in enumerate(names)}
        named = torch.zeros(2 * size, len(names), dtype=torch.bool)
        for row, (_, told) in enumerate(written):
            named[row, [index[n] for n in told]] = True
        for b in range(size):
            text, told = written[b]
            stranger = names[rng.choice(np.flatnonzero(~present[b].numpy()))]
            swapped, gone = captions.swap_noun(rng, text, told, stranger) if told else (text, None)
            wrong_texts.append(swapped)
            wrong_named[b] = named[b]
            if gone is not None:
                wrong_named[b, index[gone]], wrong_named[b, index[stranger]] = False, True
        return Batch(images, present, covered, [text for text, _ in written], named, wrong_texts, wrong_named)
