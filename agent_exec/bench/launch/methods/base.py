"""What a way of launching looks like to the worker that measures it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from agent_exec.bench.launch.measured import Batch, LoopTime
from agent_exec.bench.launch.programs import Program


class UnavailableError(Exception):
    """A method that this machine or installation cannot offer; the message says why."""


class Method(Protocol):
    """One way to launch a program and have its output and exit status.

    `measure` raises when a launch fails or gives a wrong result.
    """

    def measure(self, program: Program, launches: int, in_flight: int) -> Batch:
        """Launch `program`, `in_flight` at a time."""
        ...

    def close(self) -> None:
        """Give back what the method holds."""
        ...


@runtime_checkable
class OnLoop(Protocol):
    """A method whose event loop can be watched."""

    def loop_time(self, program: Program, launches: int, in_flight: int) -> LoopTime:
        """What the launches cost the loop's thread; measured apart from `measure`."""
        ...
