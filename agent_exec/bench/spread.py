"""What many numbers come to: medians, quartiles, percentiles. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

Number = TypeVar("Number", int, float)
_WINDOWS = 20
_SMALLEST_WINDOW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What the rounds gave: median, quartiles, extremes."""

    median: float
    lower: float
    upper: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The spread of at least one value."""
        lower, median, upper = (
            statistics.quantiles(values, n=4, method="inclusive")
            if len(values) > 1
            else (values[0],) * 3
        )
        return cls(median=median, lower=lower, upper=upper, least=min(values), most=max(values))


def percentile(ordered: Sequence[Number], percent: int) -> Number:
    """The nearest-rank percentile of ascending values, of which there is at least one."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def quiet_median(values: Sequence[float]) -> float:
    """What something takes while nobody else disturbs it.

    The lowest median of a twentieth of `values` (at least three, where there are so many), as
    they were measured, one after another.
    """
    size = min(len(values), max(_SMALLEST_WINDOW, len(values) // _WINDOWS))
    begins = range(0, len(values) - size + 1, size)
    return min(statistics.median(values[begin : begin + size]) for begin in begins)
