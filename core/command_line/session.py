"""One run of a command: the CLIP, its pictures batch by batch with progress, what was left out, the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ..api import load_clip
from ..clip import ExplainableCLIP
from ..errors import InputError
from ..report import to_json
from .pictures import Batch, Source, find_pictures, read_batches, standard_input

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass
class Session:
    """What a command works with.

    Attributes:
        sources: the pictures that were named.
        left_out: name and reason of each that could not be read.
        lines: what was found, one entry a picture, for the report.
    """

    clip: ExplainableCLIP
    sources: list[Source]
    as_json: bool
    left_out: list[dict[str, str]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def batches(self) -> Iterator[Batch]:
        """The pictures, with a progress bar on a terminal."""
        from tqdm import tqdm

        def leave_out(name: str, reason: str) -> None:
            self.left_out.append({"image": name, "error": reason})
            tqdm.write(f"left out: {reason}", file=sys.stderr)
            bar.update()

        # disable=None: no bar where standard error is no terminal.
        with tqdm(total=len(self.sources), unit="picture", disable=None, leave=False, file=sys.stderr) as bar:
            for batch in read_batches(self.sources, leave_out):
                yield batch
                bar.update(len(batch.names))

    def add(self, entry: dict[str, Any], line: str) -> None:
        """One picture is done: keep it for the report, or say it now."""
        self.lines.append(entry)
        if not self.as_json:
            print(line, flush=True)

    def finish(self, **about: Any) -> int:
        """Print the report where JSON was asked for; the number of pictures left out.

        Raises:
            InputError: no picture could be read.
        """
        if not self.lines:
            raise InputError(f"none of the {len(self.sources)} pictures could be read")
        if self.as_json:
            print(to_json({"clip": self.clip.name, **about, "images": self.lines, "left_out": self.left_out}))
        return len(self.left_out)


def begin(given: argparse.Namespace) -> Session:
    """Find the pictures first (a wrong name shall not wait for a model), then load the CLIP."""
    sources = find_pictures(given.images, standard_input)
    missing = [source.name for source in sources if not isinstance(source.file, bytes) and not source.file.exists()]
    if len(missing) == len(sources):
        raise InputError(f"{missing[0]} does not exist; give a file, a folder or a pattern such as 'photos/*.jpg'")
    return Session(load(given), sources, given.json)


def load(given: argparse.Namespace) -> ExplainableCLIP:
    """The CLIP that the arguments name, on the device that they name."""
    device = given.device
    if device == "auto":
        device = str(torch.accelerator.current_accelerator() or "cpu") if torch.accelerator.is_available() else "cpu"
    try:
        device = torch.device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device is {given.device!r}, which this machine's torch can't use ({error})") from error
    return load_clip(given.clip, device=device, dtype=_DTYPES[given.dtype], download=given.download)
