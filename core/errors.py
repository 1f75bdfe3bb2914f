"""Errors that a user of the pack can act on."""

from __future__ import annotations


class InputError(ValueError):
    """A value that the user gave can't be used.

    Raised before any long work. The message names the input, the value found and the remedy.
    """


class UnsupportedFamilyError(InputError):
    """A map method does not apply to the architecture of the loaded CLIP."""
