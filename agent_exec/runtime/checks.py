"""Numbers that people and models give: are they what they should be?"""

from __future__ import annotations

import math
from collections.abc import Iterable


def is_seconds(value: object, *, above_zero: bool) -> bool:
    """A time span; infinity is one, NaN and True are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return False
    return value > 0 if above_zero else value >= 0


def require_seconds(name: str, value: object, *, above_zero: bool) -> None:
    """Raise ValueError unless `value` is a time span in seconds."""
    if not is_seconds(value, above_zero=above_zero):
        least = "above 0" if above_zero else "0 or more"
        raise ValueError(f"{name} is {value!r}; give a number of seconds, {least}")


def require_count(name: str, value: object, *, least: int) -> None:
    """Raise ValueError unless `value` is a whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}; give a whole number, {least} or more")


def require_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    words = [str(choice) for choice in choices]
    if value not in words:
        raise ValueError(f"{name} is {value!r}; give {' or '.join(words)}")
