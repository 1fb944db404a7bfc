"""Figures that are to be reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Verdict(StrEnum):
    """Of one target."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One figure that is to be reached."""

    figure: str
    wanted: str
    measured: str
    verdict: Verdict

    @classmethod
    def at_most(cls, figure: str, limit: float, value: float | None, unit: str) -> Self:
        """`value` in `unit` may not be above `limit`; None when it was not measured."""
        return cls._of(
            figure, f"at most {limit:g} {unit}", value, unit, value is not None and value <= limit
        )

    @classmethod
    def at_least(cls, figure: str, limit: float, value: float | None, unit: str) -> Self:
        """`value` in `unit` may not be below `limit`; None when it was not measured."""
        return cls._of(
            figure, f"at least {limit:g} {unit}", value, unit, value is not None and value >= limit
        )

    @classmethod
    def _of(cls, figure: str, wanted: str, value: float | None, unit: str, met: bool) -> Self:
        if value is None:
            return cls(figure=figure, wanted=wanted, measured="-", verdict=Verdict.NOT_MEASURED)
        return cls(
            figure=figure,
            wanted=wanted,
            measured=f"{value:.3f} {unit}",
            verdict=Verdict.MET if met else Verdict.MISSED,
        )
