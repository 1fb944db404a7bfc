"""Interleaved rounds: every back end once a round, in another order each time.

What the machine does meanwhile then falls on all alike, and each measurement has one of the
base close by to be compared with. In a round, all back ends get the same calls in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from agent_exec.bench.agent_tools.measured import Batch
from agent_exec.bench.agent_tools.options import Split
from agent_exec.bench.failure import Failure

Tell: TypeAlias = Callable[[str], None]
"""Takes one line of progress."""


class Measures(Protocol):
    """A `Crew`, as far as those know it who ask for measurements."""

    def measure(self, tasks: Sequence[int], processes: int, in_flight: int) -> Batch | Failure:
        """One batch, or why it is void."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One batch in one round; a `Failure` voids the back end's part of that round."""

    round: int
    preset: str
    split: str
    back_end: str
    batch: Batch | Failure


def time_calls(
    crews: Mapping[str, Measures],
    presets: Mapping[str, Sequence[int]],
    splits: Sequence[Split],
    *,
    rounds: int,
    calls: int,
    order: random.Random,
    tell: Tell,
) -> Iterator[Sample]:
    """Measure every crew for every preset and split.

    Args:
        presets: The tasks of each, by their places.
        calls: About how many a batch has: a whole number of each task.
    """
    cells = [(preset, split) for preset in presets for split in splits]
    for number in range(1, rounds + 1):
        for preset, split in order.sample(cells, len(cells)):
            tell(f"round {number} of {rounds}: {preset}, {split}")
            tasks = [*presets[preset]] * max(1, calls // len(presets[preset]))
            order.shuffle(tasks)
            for back_end in order.sample(list(crews), len(crews)):
                batch = crews[back_end].measure(tasks, *split)
                if isinstance(batch, Failure):
                    tell(f"void: {back_end}: {batch.reason}")
                yield Sample(
                    round=number,
                    preset=preset,
                    split=str(split),
                    back_end=back_end,
                    batch=batch,
                )
