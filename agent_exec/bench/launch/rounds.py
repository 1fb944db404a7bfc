"""Interleaved rounds: every method once a round, in another order each time.

What the machine does meanwhile then falls on all alike, and each measurement has a
measurement of the floor close by to be compared with.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.measured import Batch, Belongings, LoopTime
from agent_exec.bench.launch.options import IN_FLIGHT
from agent_exec.bench.launch.programs import Program
from agent_exec.bench.linked import WorkerLostError

Tell: TypeAlias = Callable[[str], None]
"""Takes one line of progress."""

T = TypeVar("T")


class Measures(Protocol):
    """A `Worker`, as far as those know it who ask for measurements."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are to be had."""
        ...

    def measure(
        self, method: str, program: Program, launches: int, in_flight: int
    ) -> Batch | Failure:
        """One batch. Raises `WorkerLostError`."""
        ...

    def loop_time(
        self, method: str, program: Program, launches: int, in_flight: int
    ) -> LoopTime | Failure | None:
        """What launches cost the loop's thread. Raises `WorkerLostError`."""
        ...

    def count_belongings(self) -> Belongings:
        """What the worker holds now. Raises `WorkerLostError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One batch in one round; a `Failure` voids the method's part of that round."""

    round: int
    program: str
    in_flight: int
    method: str
    batch: Batch | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSample:
    """What one method cost the loop's thread in one round."""

    round: int
    program: str
    in_flight: int
    method: str
    time: LoopTime | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class BallastSample:
    """One method with and without ballast, one after the other."""

    round: int
    ballast: Ballast
    in_flight: int
    method: str
    plain: Batch | Failure
    loaded: Batch | Failure


def time_launches(
    workers: Mapping[str, Measures],
    programs: Sequence[Program],
    *,
    rounds: int,
    launches: int,
    order: random.Random,
    tell: Tell,
) -> Iterator[Sample]:
    """Measure `launches` of every program by every method, at every number in flight.

    A method whose worker is lost is given up: later rounds are without it.
    """
    lost: set[str] = set()
    cells = [(program, in_flight) for program in programs for in_flight in IN_FLIGHT]
    for number in range(1, rounds + 1):
        tell(f"round {number} of {rounds}")
        for program, in_flight in _shuffled(cells, order):
            for method in _shuffled(list(workers), order):
                if method in lost:
                    continue
                batch: Batch | Failure
                try:
                    batch = workers[method].measure(method, program, launches, in_flight)
                except WorkerLostError as reason:
                    batch = Failure(str(reason))
                    lost.add(method)
                yield Sample(
                    round=number,
                    program=program.name,
                    in_flight=in_flight,
                    method=method,
                    batch=batch,
                )


def time_loops(
    workers: Mapping[str, Measures],
    program: Program,
    *,
    rounds: int,
    launches: int,
    in_flight: int,
    order: random.Random,
    tell: Tell,
) -> Iterator[LoopSample]:
    """Measure what launches cost the event loop's thread, for the methods that have one."""
    without: set[str] = set()
    for number in range(1, rounds + 1):
        tell(f"event-loop round {number} of {rounds}")
        for method in _shuffled(list(workers), order):
            if method in without:
                continue
            time: LoopTime | Failure | None
            try:
                time = workers[method].loop_time(method, program, launches, in_flight)
            except WorkerLostError as reason:
                time = Failure(str(reason))
                without.add(method)
            if time is None:
                without.add(method)
                continue
            yield LoopSample(
                round=number,
                program=program.name,
                in_flight=in_flight,
                method=method,
                time=time,
            )


def time_with_ballast(
    plain: Measures,
    loaded: Measures,
    ballast: Ballast,
    program: Program,
    *,
    rounds: int,
    launches: int,
    order: random.Random,
    tell: Tell,
) -> Iterator[BallastSample]:
    """Measure every method of both workers in turn, with and without ballast.

    Ends early when a worker is lost; the last sample says so.
    """
    methods = [name for name in plain.methods if name in loaded.methods]
    for number in range(1, rounds + 1):
        tell(f"{ballast.words}: round {number} of {rounds}")
        for in_flight in _shuffled(IN_FLIGHT, order):
            for method in _shuffled(methods, order):
                pair: dict[str, Batch | Failure] = {}
                lost = False
                for name, worker in _shuffled((("plain", plain), ("loaded", loaded)), order):
                    try:
                        pair[name] = worker.measure(method, program, launches, in_flight)
                    except WorkerLostError as reason:
                        pair[name] = Failure(str(reason))
                        lost = True
                yield BallastSample(
                    round=number,
                    ballast=ballast,
                    in_flight=in_flight,
                    method=method,
                    **pair,
                )
                if lost:
                    return


def _shuffled(things: Sequence[T], order: random.Random) -> list[T]:
    return order.sample(things, len(things))
