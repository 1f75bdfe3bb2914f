"""When guidance acts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Window:
    """The part of the noise schedule in which guidance acts; keyed on sigma, for a sampler may call the model any
    number of times a step.

    Attributes:
        first_sigma, last_sigma: the noisiest and the cleanest sigma that are guided, inclusive.
    """

    first_sigma: float
    last_sigma: float

    def __contains__(self, sigma: object) -> bool:
        return isinstance(sigma, float) and self.last_sigma <= sigma <= self.first_sigma


@dataclass
class StepCounter:
    """Counts the steps of a sampling run from the sigmas of its model calls.

    Hosts that tell the sampler's schedule get exact steps; elsewhere every call at a sigma lower than all before
    counts as a step, so that a sampler's repeated evaluations at one sigma count once.
    """

    lowest: float = float("inf")
    index: int = -1
    first: float = field(default=float("inf"))

    def count(self, sigma: float, schedule: tuple[float, ...] | None = None) -> int:
        """Index of the step, from 0, that a call at this sigma belongs to."""
        if schedule:
            return max(0, sum(each >= sigma * (1 - 1e-6) for each in schedule) - 1)
        if sigma < self.lowest:
            self.lowest = sigma
            self.index += 1
        return max(self.index, 0)


class RunDetector:
    """Tells a new sampling run from the next call of the same: hosts announce no run to their hooks."""

    def __init__(self) -> None:
        self._key: int | None = None
        self._first = self._last = 0.0

    def starts(self, key: int, sigma: float) -> bool:
        """Whether this call begins a run.

        Args:
            key: identity of something that lives as long as a run (the host's list of conditions). It may come back
                by chance, so a return to the run's first sigma counts as well.
        """
        new = key != self._key or (sigma >= self._first and self._last < self._first)
        if new:
            self._key, self._first = key, sigma
        self._last = sigma
        return new
