"""The judge: a small detector that says which objects a picture of the diffusion world shows, and where.

It is trained apart from everything it judges, on other seeds, and never guides a sampler. A fully convolutional
network gives every 4 x 4-pixel cell a class; connected cells of one class make an object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

WEIGHTS = Path(__file__).resolve().parent.parent / "benchmarks" / "assets" / "judge.safetensors"
CELL = 4
"""Pixels of a cell's side."""
SURE = 0.5
"""Class probability from which a cell belongs to an object."""
SMALLEST = 6
"""Cells of the smallest region that counts as an object."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Detection:
    """One object found.

    Attributes:
        class_name: what it is.
        box: (x0, y0, x1, y1) as fractions of the picture, x to the right and y down.
        confidence: mean probability of its class over its cells, 0.5..1.
        area: share of the picture that its cells cover, 0..1.
    """

    class_name: str
    box: Box
    confidence: float
    area: float


class _Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def _convolution(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class JudgeNet(nn.Module):
    """Pixels ``[B, 3, H, W]`` in 0..1 -> class logits ``[B, classes + 1, H / 4, W / 4]``, background last.

    H and W are multiples of 16. Fully convolutional; what it sees reaches across a picture of 96 pixels.
    """

    def __init__(self, classes: int, widths: tuple[int, int, int, int] = (16, 32, 64, 96), features: int = 64) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.stem = _convolution(3, half, stride=2)
        self.down4, self.at4 = _convolution(half, quarter, stride=2), _Block(quarter)
        self.down8, self.at8 = _convolution(quarter, eighth, stride=2), nn.Sequential(_Block(eighth), _Block(eighth))
        self.down16, self.at16 = _convolution(eighth, sixteenth, stride=2), _Block(sixteenth)
        self.up8, self.joined8 = _convolution(sixteenth, eighth, side=1), _convolution(eighth, eighth)
        self.up4, self.joined4 = _convolution(eighth, quarter, side=1), _convolution(quarter, features)
        self.head = nn.Conv2d(features, classes + 1, 1)

    def cell_features(self, images: torch.Tensor) -> torch.Tensor:
        """What the classifier of the cells reads, ``[B, D, H / 4, W / 4]``."""
        x = F.relu(self.stem(4 * images - 2))
        fine = self.at4(F.relu(self.down4(x)))
        middle = self.at8(F.relu(self.down8(fine)))
        coarse = self.at16(F.relu(self.down16(middle)))
        middle = F.relu(self.joined8(F.relu(middle + _twice(self.up8(coarse)))))
        return F.relu(self.joined4(F.relu(fine + _twice(self.up4(middle)))))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell_features(images))


def _twice(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Judge:
    """The trained detector: network, class names and the confidence below which it keeps silent."""

    net: JudgeNet
    classes: tuple[str, ...]
    threshold: float

    @torch.no_grad()
    def detect(self, images: torch.Tensor, batch: int = 64) -> list[list[Detection]]:
        """The objects of each picture ``[B, 3, H, W]`` in 0..1, surest first."""
        return [
            detect(logits, self.threshold, self.classes)
            for part in images.split(batch)
            for logits in self.net(part.float())
        ]

    @torch.no_grad()
    def features(self, images: torch.Tensor, batch: int = 64) -> np.ndarray:
        """Mean features of each picture for :func:`frechet_distance`, float64 ``[B, D]``."""
        parts = [self.net.cell_features(part.float()).mean((2, 3)) for part in images.split(batch)]
        return torch.cat(parts).double().numpy()


def detect(logits: torch.Tensor, threshold: float, classes: Sequence[str], smallest: int = SMALLEST) -> list[Detection]:
    """The objects in one picture's logits ``[classes + 1, rows, columns]``, surest first.

    An object is a connected region (diagonals count) of cells in which its class has at least half of the
    probability; a region of fewer than ``smallest`` cells or with a mean probability below ``threshold`` is dropped.
    Its box ends where the probability, interpolated between cell centres, falls below one half.
    """
    if len(logits) != len(classes) + 1:
        raise ValueError(f"Logits of {len(logits)} channels for {len(classes)} classes and background.")
    probabilities = logits.detach().float().softmax(0).cpu().numpy()
    found = []
    for name, probability in zip(classes, probabilities[:-1], strict=True):
        for region in regions(probability >= SURE):
            cells, confidence = int(region.sum()), float(probability[region].mean())
            if cells >= smallest and confidence >= threshold:
                box = region_box(probability, region)
                found.append(Detection(name, box, confidence, cells / region.size))
    return sorted(found, key=lambda detection: -detection.confidence)


def regions(mask: np.ndarray) -> list[np.ndarray]:
    """The connected parts of a bool mask [rows, columns], each as a mask; cells that touch by a corner connect."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    parts = []
    while left:
        part, edge = np.zeros_like(mask), [left.pop()]
        while edge:
            row, column = edge.pop()
            part[row, column] = True
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            edge += near
        parts.append(part)
    return parts


def region_box(probability: np.ndarray, region: np.ndarray) -> Box:
    """Extent of a region of cells of at least SURE probability, as fractions of the picture, finer than the cells.

    On each side the last cell's centre is inside and the next cell's is not: the edge lies between them, where a
    straight line through the two probabilities crosses SURE. At the picture's border it is the border.
    """
    rows, columns = region.shape
    seen = np.where(region, probability, -1.0)
    around = np.where(region, -1.0, probability)
    ends = []
    for axis, length in ((1, columns), (0, rows)):
        inside = np.flatnonzero(region.any(1 - axis))
        for last, step in ((inside[0], -1), (inside[-1], 1)):
            beyond = last + step
            if not 0 <= beyond < length:
                ends.append(float(beyond > 0))
                continue
            # Along the outermost cells, the one whose crossing reaches farthest out.
            at_last, at_beyond = seen.take(last, axis), around.take(beyond, axis)
            over = at_last >= SURE
            fall = (at_last[over] - SURE) / np.maximum(at_last[over] - np.minimum(at_beyond[over], SURE), 1e-6)
            ends.append(float((last + 0.5 + step * min(fall.max(), 1.0)) / length))
    left, right, top, bottom = ends
    return left, top, right, bottom


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of Gaussians fitted to two sets of features ``[N, D]``, N well above D; 0 for equal ones."""
    means = [features.mean(0) for features in (first, second)]
    one, two = (np.cov(features, rowvar=False) for features in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ two @ root).clip(0)).sum()
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(one) + np.trace(two) - 2 * shared)


def pack_judge(judge: Judge) -> bytes:
    """The judge as a safetensors file in fp16, class names and threshold in its metadata."""
    # Running statistics included: the network is the same function after loading, but for rounding.
    state = {
        name: value.half().contiguous() for name, value in judge.net.state_dict().items() if value.is_floating_point()
    }
    return save(state, {"classes": json.dumps(judge.classes), "threshold": str(judge.threshold)})


def load_judge(path: Path = WEIGHTS) -> Judge:
    """The judge of a file written by :func:`pack_judge`, ready to use on the CPU."""
    with safe_open(path, "pt") as file:
        facts = file.metadata()
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no mapping)
    classes = tuple(json.loads(facts["classes"]))
    net = JudgeNet(len(classes))
    missing, unexpected = net.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"{path.name} does not fit the judge: missing {missing}, unexpected {unexpected}.")
    return Judge(net.eval().to(memory_format=torch.channels_last), classes, float(facts["threshold"]))
