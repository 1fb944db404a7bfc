"""What to measure, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from agent_exec.bench.agent_tools.back_ends import BACK_END_NAMES, BASE
from agent_exec.bench.agent_tools.corpus import SIZES
from agent_exec.bench.agent_tools.tasks import PRESETS
from agent_exec.named_tuple import NamedTuple


class Split(NamedTuple):
    """How calls in flight are shared out over worker processes."""

    processes: int
    in_flight: int
    """In each process."""

    def __str__(self) -> str:
        return f"{self.processes}x{self.in_flight}"


SPLITS = (Split(1, 16), Split(2, 8), Split(4, 4), Split(8, 2))
_BY_NAME = {str(split): split for split in SPLITS}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBenchOptions:
    """One run of the benchmark.

    Raises ValueError for a name that does not exist, and for a count that is not positive.
    """

    rounds: int = 11
    """Rounds; in each, every back end runs once for each preset and split."""
    calls: int = 224
    """Calls of one back end in one round, about: a whole number of each task."""
    presets: tuple[str, ...] = tuple(PRESETS)
    splits: tuple[str, ...] = tuple(_BY_NAME)
    back_ends: tuple[str, ...] = BACK_END_NAMES
    """What they are compared with is always measured too."""
    size: str = "medium"
    """Of the sources that the tools work on."""
    parts: bool = True
    """Measure where the time of one call goes, tool by tool."""
    seed: int = 1
    """Of the order of calls and back ends."""

    def __post_init__(self) -> None:
        for given, known, kind in (
            (self.presets, tuple(PRESETS), "preset"),
            (self.splits, tuple(_BY_NAME), "split"),
            (self.back_ends, BACK_END_NAMES, "back end"),
            ((self.size,), tuple(SIZES), "size"),
        ):
            unknown = [name for name in given if name not in known]
            if unknown:
                raise ValueError(f"no such {kind}: {unknown[0]} (there are {', '.join(known)})")
            if not given:
                raise ValueError(f"no {kind} was given")
        for name, value in (("rounds", self.rounds), ("calls", self.calls)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    @classmethod
    def choose(
        cls,
        *,
        quick: bool = False,
        rounds: int | None = None,
        calls: int | None = None,
        presets: tuple[str, ...] = (),
        splits: tuple[str, ...] = (),
        only: tuple[str, ...] = (),
        size: str = "medium",
        parts: bool = True,
        seed: int = 1,
    ) -> Self:
        """The options of a command line: `quick` changes what was not given."""
        default_rounds, default_calls = (3, 64) if quick else (11, 224)
        return cls(
            rounds=default_rounds if rounds is None else rounds,
            calls=default_calls if calls is None else calls,
            presets=presets or tuple(PRESETS),
            splits=splits or tuple(_BY_NAME),
            back_ends=tuple(dict.fromkeys((BASE, *only))) if only else BACK_END_NAMES,
            size=size,
            parts=parts,
            seed=seed,
        )

    @property
    def chosen_splits(self) -> tuple[Split, ...]:
        """`splits`, as numbers."""
        return tuple([_BY_NAME[name] for name in self.splits])
