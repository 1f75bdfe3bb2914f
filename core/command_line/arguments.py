"""What the commands' arguments have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Run = Callable[[argparse.Namespace], int]


def add_pictures(command: argparse.ArgumentParser) -> None:
    """The pictures, and the CLIP that looks at them."""
    command.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="files, folders or patterns such as 'photos/*.jpg'; -: a picture, or paths one a line, on standard input",
    )
    command.add_argument(
        "--clip",
        default="demo",
        help="a checkpoint file, 'open_clip: model/tag', or demo: the embedded CLIP of pictograms (default)",
    )
    command.add_argument("--download", action="store_true", help="allow the network for an 'open_clip:' model")
    command.add_argument("--device", default="auto", help="cpu, cuda, mps ...; auto (default): a GPU if there is one")
    command.add_argument("--dtype", choices=("fp32", "fp16", "bf16"), default="fp32", help="of the weights")


def add_texts(command: argparse.ArgumentParser) -> None:
    command.add_argument("--text", action="append", required=True, help="a prompt; once for each")


def add_map_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--last-blocks", type=whole, default=0, help="read the last n blocks; 0: the method's choice")
    command.add_argument("--fit", choices=("stretch", "crop", "tile"), default="stretch", help="how a picture that is "
                         "not square meets the tower")  # fmt: skip
    command.add_argument("--follow-edges", action="store_true", help="let the heat follow the picture's edges")
    command.add_argument("--shifted-grids", action="store_true", help="finer maps, five times the time")
    command.add_argument("--colormap", default="turbo", help="colours of the heat (default: turbo)")
    command.add_argument("--opacity", type=share, default=0.55, help="of the colours, 0..1 (default: 0.55)")


def add_results(command: argparse.ArgumentParser, pictures: bool = True) -> None:
    if pictures:
        command.add_argument("--out", default="clip-explain", help="folder for the pictures (default: clip-explain)")
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def share(text: str) -> float:
    """A number in 0..1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..1")
    return value


def whole(text: str) -> int:
    """A whole number of 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value
