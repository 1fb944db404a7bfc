"""From samples to figures: medians, spreads and ratios within a round. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.measured import Batch, Belongings, LoopTime
from agent_exec.bench.launch.methods import FLOOR
from agent_exec.bench.launch.programs import PROGRAM_NAMES
from agent_exec.bench.launch.rounds import BallastSample, LoopSample, Sample
from agent_exec.bench.spread import Spread

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One method, for one program and number in flight. Microseconds per launch."""

    program: str
    in_flight: int
    method: str
    rounds: int
    """That count; a void one does not."""
    wall_us: float
    p50_us: float
    p95_us: float
    cpu_us: float
    cost_us: float
    """See `Batch.cost_us`."""
    x_floor: Spread | None
    """The cost as a multiple of the floor's in the same round; None without a floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopFigure:
    """What one method costs the event loop's thread. Microseconds; medians over rounds."""

    program: str
    in_flight: int
    method: str
    rounds: int
    wall_us: Spread
    cpu_us: float
    longest_us: float
    turns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BallastFigure:
    """One method in a parent with ballast, as a multiple of itself without."""

    ballast: Ballast
    in_flight: int
    method: str
    rounds: int
    plain_us: float
    loaded_us: float
    ratio: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigure:
    """What a process held when its launches had become routine, and at the end."""

    method: str
    launches: int
    """Between the two counts."""
    before: Belongings
    after: Belongings


def figures_of(samples: Sequence[Sample]) -> list[Figure]:
    """One figure for every program, number in flight and method that has a batch."""
    keys = _distinct(
        (s.program, s.in_flight, s.method) for s in samples if isinstance(s.batch, Batch)
    )
    return [_figure(samples, *key) for key in keys]


def cells_of(figures: Iterable[Figure]) -> list[list[Figure]]:
    """The figures that can be compared: of one program and number in flight.

    Programs and numbers in their usual order; in a cell, the quickest method first.
    """
    cells: dict[tuple[int, int], list[Figure]] = {}
    for figure in figures:
        place = PROGRAM_NAMES.index(figure.program), figure.in_flight
        cells.setdefault(place, []).append(figure)
    return [sorted(cells[place], key=lambda figure: figure.cost_us) for place in sorted(cells)]


def _figure(samples: Sequence[Sample], program: str, in_flight: int, method: str) -> Figure:
    batches = list(_by_round(samples, program, in_flight, method).values())
    ratios = ratios_of(samples, program, in_flight, method, FLOOR)
    return Figure(
        program=program,
        in_flight=in_flight,
        method=method,
        rounds=len(batches),
        wall_us=statistics.median(batch.wall_us for batch in batches),
        p50_us=statistics.median(batch.p50_us for batch in batches),
        p95_us=statistics.median(batch.p95_us for batch in batches),
        cpu_us=statistics.median(batch.cpu_us for batch in batches),
        cost_us=statistics.median(batch.cost_us for batch in batches),
        x_floor=Spread.of(ratios) if ratios else None,
    )


def ratios_of(
    samples: Iterable[Sample], program: str, in_flight: int, method: str, other: str
) -> list[float]:
    """The cost of `method` divided by that of `other`, for each round that has both."""
    samples = list(samples)
    ours = _by_round(samples, program, in_flight, method)
    theirs = _by_round(samples, program, in_flight, other)
    return [
        batch.cost_us / theirs[number].cost_us for number, batch in ours.items() if number in theirs
    ]


def _by_round(
    samples: Iterable[Sample], program: str, in_flight: int, method: str
) -> dict[int, Batch]:
    return {
        sample.round: sample.batch
        for sample in samples
        if (sample.program, sample.in_flight, sample.method) == (program, in_flight, method)
        and isinstance(sample.batch, Batch)
    }


def loop_figures_of(samples: Sequence[LoopSample]) -> list[LoopFigure]:
    """One figure for every method that has a measurement."""
    figures = []
    for program, in_flight, method in _distinct(
        (s.program, s.in_flight, s.method) for s in samples
    ):
        times = [
            s.time
            for s in samples
            if (s.program, s.in_flight, s.method) == (program, in_flight, method)
            and isinstance(s.time, LoopTime)
        ]
        if times:
            figures.append(
                LoopFigure(
                    program=program,
                    in_flight=in_flight,
                    method=method,
                    rounds=len(times),
                    wall_us=Spread.of([time.wall_us for time in times]),
                    cpu_us=statistics.median(time.cpu_us for time in times),
                    longest_us=statistics.median(time.longest_us for time in times),
                    turns=statistics.median(time.turns for time in times),
                )
            )
    return figures


def ballast_figures_of(samples: Sequence[BallastSample]) -> list[BallastFigure]:
    """One figure for every ballast, number in flight and method that has a whole round."""
    figures = []
    for ballast, in_flight, method in _distinct(
        (s.ballast, s.in_flight, s.method) for s in samples
    ):
        pairs = [
            (s.plain, s.loaded)
            for s in samples
            if (s.ballast, s.in_flight, s.method) == (ballast, in_flight, method)
            and isinstance(s.plain, Batch)
            and isinstance(s.loaded, Batch)
        ]
        if pairs:
            figures.append(
                BallastFigure(
                    ballast=ballast,
                    in_flight=in_flight,
                    method=method,
                    rounds=len(pairs),
                    plain_us=statistics.median(plain.cost_us for plain, _ in pairs),
                    loaded_us=statistics.median(loaded.cost_us for _, loaded in pairs),
                    ratio=Spread.of([loaded.cost_us / plain.cost_us for plain, loaded in pairs]),
                )
            )
    return figures


def failures_of(
    samples: Sequence[Sample],
    loop_samples: Sequence[LoopSample],
    ballast_samples: Sequence[BallastSample],
) -> list[str]:
    """A line for every void measurement."""
    lines = [
        f"round {s.round}, {s.method}, {s.program}, {s.in_flight} in flight: {s.batch.reason}"
        for s in samples
        if isinstance(s.batch, Failure)
    ]
    lines += [
        f"event-loop round {s.round}, {s.method}: {s.time.reason}"
        for s in loop_samples
        if isinstance(s.time, Failure)
    ]
    for s in ballast_samples:
        for where, batch in ((f"beside a {s.ballast.words}", s.plain), (s.ballast.words, s.loaded)):
            if isinstance(batch, Failure):
                lines.append(
                    f"round {s.round}, {s.method}, {s.in_flight} in flight, {where}: {batch.reason}"
                )
    return lines


def _distinct(keys: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(keys))
