"""From samples to figures: medians, spreads, and ratios within a round. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agent_exec.bench.agent_tools.back_ends import BASE
from agent_exec.bench.agent_tools.measured import Batch
from agent_exec.bench.agent_tools.rounds import Sample
from agent_exec.bench.failure import Failure
from agent_exec.bench.spread import Spread, percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One back end, for one preset and split: medians over the rounds. Times in microseconds."""

    preset: str
    split: str
    back_end: str
    rounds: int
    """That count; a void one does not."""
    calls_per_s: float
    x_base: Spread | None
    """Calls per second as a multiple of the base's in the same round; None without a base."""
    runtime_cpu_us: float
    """A call."""
    children_cpu_us: float
    """A call."""
    p50_us: float
    p95_us: float
    p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFigure:
    """The latencies of one tool, over all rounds together. Microseconds."""

    preset: str
    split: str
    back_end: str
    tool: str
    calls: int
    p50_us: float
    p95_us: float
    p99_us: float


def throughput(batch: Batch) -> float:
    """Calls per second."""
    return batch.calls_per_s


def runtime_cpu(batch: Batch) -> float:
    """Microseconds a call."""
    return batch.runtime_cpu_us


def p99(batch: Batch) -> float:
    """Microseconds."""
    return batch.percentile_us(99)


def figures_of(samples: Sequence[Sample]) -> list[Figure]:
    """One figure for every preset, split and back end that has a batch."""
    keys = dict.fromkeys(
        (s.preset, s.split, s.back_end) for s in samples if isinstance(s.batch, Batch)
    )
    return [_figure(samples, *key) for key in keys]


def _figure(samples: Sequence[Sample], preset: str, split: str, back_end: str) -> Figure:
    batches = list(_by_round(samples, preset, split, back_end).values())
    ratios = ratios_of(samples, preset, split, back_end, BASE, throughput)
    return Figure(
        preset=preset,
        split=split,
        back_end=back_end,
        rounds=len(batches),
        calls_per_s=statistics.median(map(throughput, batches)),
        x_base=Spread.of(ratios) if ratios else None,
        runtime_cpu_us=statistics.median(map(runtime_cpu, batches)),
        children_cpu_us=statistics.median(batch.children_cpu_us for batch in batches),
        p50_us=statistics.median(batch.percentile_us(50) for batch in batches),
        p95_us=statistics.median(batch.percentile_us(95) for batch in batches),
        p99_us=statistics.median(map(p99, batches)),
    )


def ratios_of(
    samples: Iterable[Sample],
    preset: str,
    split: str,
    back_end: str,
    other: str,
    measure: Callable[[Batch], float],
) -> list[float]:
    """`measure` of `back_end` divided by that of `other`, for each round that has both."""
    samples = list(samples)
    ours = _by_round(samples, preset, split, back_end)
    theirs = _by_round(samples, preset, split, other)
    return [
        measure(batch) / measure(theirs[number])
        for number, batch in ours.items()
        if number in theirs
    ]


def _by_round(
    samples: Iterable[Sample], preset: str, split: str, back_end: str
) -> dict[int, Batch]:
    return {
        sample.round: sample.batch
        for sample in samples
        if (sample.preset, sample.split, sample.back_end) == (preset, split, back_end)
        and isinstance(sample.batch, Batch)
    }


def tool_figures_of(samples: Sequence[Sample], tools: Sequence[str]) -> list[ToolFigure]:
    """One figure for every preset, split, back end and tool; `tools` has the names by place."""
    times: dict[tuple[str, str, str, int], list[float]] = {}
    for sample in samples:
        if isinstance(sample.batch, Batch):
            for task, us in sample.batch.latencies_us:
                key = (sample.preset, sample.split, sample.back_end, task)
                times.setdefault(key, []).append(us)
    return [
        ToolFigure(
            preset=preset,
            split=split,
            back_end=back_end,
            tool=tools[task],
            calls=len(found),
            p50_us=percentile(ordered := sorted(found), 50),
            p95_us=percentile(ordered, 95),
            p99_us=percentile(ordered, 99),
        )
        for (preset, split, back_end, task), found in times.items()
    ]


def failures_of(samples: Iterable[Sample]) -> list[str]:
    """A line for every void measurement."""
    return [
        f"round {s.round} is void for {s.back_end}, {s.preset}, {s.split}: {s.batch.reason}"
        for s in samples
        if isinstance(s.batch, Failure)
    ]
