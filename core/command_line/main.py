"""Which command, its arguments, its exit code.

0: all done. 1: some pictures were left out (named on standard error). 2: an input can't be used, nothing was done.
130: stopped by Ctrl+C. Standard output is the result alone; progress and warnings go to standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..errors import InputError
from . import arguments

DONE, PARTLY, REFUSED, STOPPED = 0, 1, 2, 130
_EXAMPLES = """examples:
  clip-explain map photo.jpg --text "a cat" --text "a dog" --clip ViT-B-32.safetensors
  clip-explain map "photos/*.jpg" --text "a cat" --method grad_eclip --out maps
  find photos -name "*.png" | clip-explain words - --text "a red car in the rain" --json
  clip-explain classify photos --classes classes.txt --json > labels.json
  clip-explain compare photo.jpg --text "a cat" --methods relevancy,legrad
  clip-explain methods
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = _parser().parse_args(argv)
    try:
        left_out = given.run(given)
    except InputError as error:
        print(f"clip-explain {given.command}: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"clip-explain {given.command}: stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader of our output has seen enough (``| head``)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return PARTLY if left_out else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "clip-explain",
        description="See what CLIP looks at: heat maps, masks, word scores and classes of pictures.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("map", help="heat maps: overlay, 16-bit heat, mask and a report for each picture")
    arguments.add_pictures(command)
    arguments.add_texts(command)
    arguments.add_map_options(command)
    command.add_argument("--method", default="relevancy", help="see 'clip-explain methods' (default: relevancy)")
    command.add_argument("--threshold", type=arguments.share, default=0.2, help="heat of the mask, 0..1 (default: 0.2)")
    arguments.add_results(command)
    command.set_defaults(run=_lazily("maps", "run_map"))

    command = commands.add_parser("compare", help="several map methods side by side, one picture each")
    arguments.add_pictures(command)
    arguments.add_texts(command)
    arguments.add_map_options(command)
    command.add_argument("--methods", default="", help="names with commas between (default: all that apply)")
    arguments.add_results(command)
    command.set_defaults(run=_lazily("maps", "run_compare"))

    command = commands.add_parser("words", help="which words of a prompt count for a picture, and which it neglects")
    arguments.add_pictures(command)
    arguments.add_texts(command)
    command.add_argument("--threshold", type=arguments.share, default=0.7, help="lower is neglected (default: 0.7)")
    arguments.add_results(command, pictures=False)
    command.set_defaults(run=_lazily("words", "run_words"))

    command = commands.add_parser("classify", help="sort pictures by class")
    arguments.add_pictures(command)
    command.add_argument("--classes", required=True, help="a text file, one class a line; or names with commas between")
    command.add_argument("--templates", default="imagenet 80", help="preset of the classifier node")
    command.add_argument("--ensemble", default="mean of embeddings", help="how templates are combined")
    command.add_argument("--temperature", type=float, default=1.0, help="divides the logits (default: 1)")
    command.add_argument("--fit", choices=("crop", "stretch"), default="crop", help="how pictures meet the tower")
    command.add_argument("--top-k", type=int, default=3, help="classes named for each picture (default: 3)")
    arguments.add_results(command, pictures=False)
    command.set_defaults(run=_lazily("classes", "run_classify"))

    command = commands.add_parser("methods", help="the map methods: cost and source of each")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=_lazily("maps", "run_methods"))
    return parser


def _lazily(module: str, function: str) -> arguments.Run:
    """``--help`` and wrong arguments are answered before torch is imported."""

    def run(given: argparse.Namespace) -> int:
        import importlib

        return int(getattr(importlib.import_module(f"{__package__}.{module}"), function)(given))

    return run


if __name__ == "__main__":
    raise SystemExit(main())
