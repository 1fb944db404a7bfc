"""Measurements that did not come about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """A measurement that did not come about, and why."""

    reason: str


def reason_of(error: Exception) -> str:
    """The first error of a group, with its class."""
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return f"{type(first).__name__}: {first}"
