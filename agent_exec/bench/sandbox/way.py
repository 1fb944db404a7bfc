"""One kind of launch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Way:
    """`measure` makes some launches and gives the seconds that they took."""

    name: str
    how: str
    in_flight: int
    base: str
    measure: Callable[[int], float]
    target: float | None = None
