"""A run that is short of memory goes on with less: a picture of thirty steps is not lost to the twentieth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from .guide import Guide, SamplerCall
from .memory import PASS_BYTES

Measure = Literal["as asked", "finer", "cheap", "unguided"]

_WORDS: dict[Measure, str] = {
    "as asked": "",
    "finer": "finer checkpoints and fewer windows a pass",
    "cheap": "the cheap route",
    "unguided": "no guidance",
}
_SMALLER_PASS = 4


class Thrift:
    """Takes a guided call back where memory runs out in it, and makes it again with less; what helped is kept for the
    rest of the run.

    Args:
        is_out_of_memory: tells that from other errors, which are raised.
        give_back: hands free memory back to the device.
        say: is given what was done.
    """

    def __init__(
        self,
        guide: Guide,
        is_out_of_memory: Callable[[BaseException], bool],
        give_back: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._guide = guide
        self._is_out_of_memory = is_out_of_memory
        self._give_back = give_back
        self._say = say
        self.measure: Measure = "as asked"

    def begin(self) -> None:
        """A new run tries again as asked."""
        self._take("as asked")

    def steer(self, call_for: Callable[[Measure], SamplerCall], full: bool) -> torch.Tensor:
        """The prediction that the sampler shall continue with.

        Args:
            call_for: the call as a measure wants it: "finer" with ``checkpointed_blocks(finer=True)``, "cheap" without
                the denoiser.
            full: whether the run takes the full route.
        """
        record = self._guide.record
        while True:
            call = call_for(self.measure)
            if self.measure == "unguided":
                return call.denoised
            before = list(record.steps), list(record.previews)
            try:
                return self._guide.steer(call)
            except Exception as error:
                if not self._is_out_of_memory(error):
                    raise
            # Out of the except block: the error holds all that the call had made.
            record.steps, record.previews = before
            self._take({"as asked": "finer", "finer": "cheap" if full else "unguided"}.get(self.measure, "unguided"))
            self._give_back()
            note = f"out of memory at sigma {call.sigma:.3g}; the run goes on with {_WORDS[self.measure]}"
            record.route.setdefault("short_of_memory", []).append(note)
            self._say(note)

    def _take(self, measure: str) -> None:
        self.measure = measure  # type: ignore[assignment]
        self._guide.objective.pass_bytes = PASS_BYTES if measure == "as asked" else PASS_BYTES // _SMALLER_PASS
