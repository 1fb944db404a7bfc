"""What to measure, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from agent_exec.bench.launch.methods import METHOD_NAMES
from agent_exec.bench.launch.programs import PROGRAM_NAMES

IN_FLIGHT = (1, 16)
"""Launches at a time, for every program and method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchBenchOptions:
    """One run of the benchmark.

    Raises ValueError for a method or program that does not exist, and for a count that is
    not positive.
    """

    rounds: int = 15
    """Rounds; in each, every method runs once for each program and number in flight."""
    launches: int = 200
    """Launches of one method in one round."""
    programs: tuple[str, ...] = PROGRAM_NAMES
    methods: tuple[str, ...] = METHOD_NAMES
    """The floor is always measured too."""
    ballast: bool = True
    """Measure parents with much memory, threads and descriptors."""
    memory_launches: int = 100_000
    """Launches, by each of our methods, after which nothing may have grown; 0 for none."""
    seed: int = 1
    """Of the order in which methods run."""

    def __post_init__(self) -> None:
        for given, known, kind in (
            (self.programs, PROGRAM_NAMES, "program"),
            (self.methods, METHOD_NAMES, "method"),
        ):
            unknown = [name for name in given if name not in known]
            if unknown:
                raise ValueError(f"no such {kind}: {unknown[0]} (there are {', '.join(known)})")
        if not self.programs:
            raise ValueError("no program to launch")
        for name, value, least in (
            ("rounds", self.rounds, 1),
            ("launches", self.launches, 1),
            ("memory_launches", self.memory_launches, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")

    @classmethod
    def choose(
        cls,
        *,
        quick: bool = False,
        rounds: int | None = None,
        launches: int | None = None,
        only: tuple[str, ...] = (),
        programs: tuple[str, ...] = (),
        ballast: bool = True,
        seed: int = 1,
    ) -> Self:
        """The options of a command line: `quick` changes what was not given."""
        default_rounds, default_launches, memory = (3, 40, 2_000) if quick else (15, 200, 100_000)
        return cls(
            rounds=default_rounds if rounds is None else rounds,
            launches=default_launches if launches is None else launches,
            programs=programs or PROGRAM_NAMES,
            methods=only or METHOD_NAMES,
            ballast=ballast,
            memory_launches=memory,
            seed=seed,
        )
