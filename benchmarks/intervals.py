"""Means with 95 % intervals."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np


def t_quantile(freedom: int, probability: float = 0.975) -> float:
    """Student's t by its expansion around the normal quantile (off by less than 0.002 from 10 degrees on)."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def mean_interval(values: np.ndarray) -> dict[str, float]:
    """Mean of independent values ``[n]`` with its 95 % t-interval (nan for a single value)."""
    mean, count = float(np.mean(values)), len(values)
    half = t_quantile(count - 1) * float(np.std(values, ddof=1)) / count**0.5 if count > 1 else float("nan")
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}
