"""What of a folder or data set could not be used, and why: it is listed, and the rest is done all the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import InputError

_log = logging.getLogger(__name__)
_MOST_LISTED = 200
_MOST_SHOWN = 3


@dataclass(frozen=True)
class LeftOut:
    """An item that could not be used: its file or name, and a sentence that says why and what to do."""

    name: str
    reason: str


def report(left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """For a node's report: the number of items, and the first 200 with their reasons."""
    listed = [{"name": plain_name(item.name), "reason": plain_name(item.reason)} for item in left_out[:_MOST_LISTED]]
    return {"count": len(left_out), "items": listed}


def warn(where: str, left_out: Sequence[LeftOut]) -> None:
    """Say in the log what was left out, if anything was."""
    if left_out:
        _log.warning("%s: left out %s", where, plain_name(summary(left_out)))


def nothing_left(where: str, left_out: Sequence[LeftOut]) -> InputError:
    """The error for a folder or data set of which nothing can be used."""
    found = f"left out {summary(left_out)}" if left_out else "it is empty"
    return InputError(f"{where}: nothing in it can be used; {found}")


def plain_name(name: str) -> str:
    """A file's name as any program can take it: what is no character (bytes that are not UTF-8) is replaced."""
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def summary(left_out: Sequence[LeftOut]) -> str:
    """The number of items, and the first three reasons."""
    shown = "; ".join(item.reason for item in left_out[:_MOST_SHOWN])
    more = len(left_out) - _MOST_SHOWN
    return f"{len(left_out)}: {shown}" + (f"; and {more} more" if more > 0 else "")
