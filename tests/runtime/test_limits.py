"""The limits of one call."""

from __future__ import annotations

from agent_exec.model.plan import Limits


def test_those_of_another_time_are_else_the_same() -> None:
    limits = Limits(1.0, 2.0, 3.0, 4, 5)
    assert limits.for_time(9.0) == limits._replace(timeout_s=9.0)
