"""Errors that a user of the pack can act on."""

from __future__ import annotations

_LONGEST = 1600  # characters; enough for every list of choices in the pack


class InputError(ValueError):
    """A value that the user gave can't be used.

    Raised before any long work. The message names the input, the value found and the remedy. A value of great length
    is cut out of its middle.
    """

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
        super().__init__(message)


class UnsupportedFamilyError(InputError):
    """A map method does not apply to the architecture of the loaded CLIP."""
