"""What a worker, and a crew of them, measures: plain numbers, before any comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_exec.bench.spread import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one worker did in a round."""

    tasks: tuple[int, ...]
    latencies_ns: tuple[int, ...]
    """Of each call, from the agent's request to the answer."""
    runtime_cpu_ns: int
    """CPU time of the worker, all threads, without its children."""
    children_cpu_ns: int
    """CPU time of the children that it has reaped, and of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What all workers of one back end did in a round. Times are microseconds."""

    calls: int
    wall_us: float
    """From the first request to the last answer."""
    runtime_cpu_us: float
    """A call: of the processes that the agents live in."""
    children_cpu_us: float
    """A call: of the tools."""
    latencies_us: tuple[tuple[int, float], ...]
    """Of each call: its task and how long it took."""

    @classmethod
    def of(cls, shares: Sequence[Share], wall_ns: int) -> Batch:
        """Put together what workers did at once; at least one call."""
        calls = sum(len(share.tasks) for share in shares)
        return cls(
            calls=calls,
            wall_us=wall_ns / 1000,
            runtime_cpu_us=sum(share.runtime_cpu_ns for share in shares) / calls / 1000,
            children_cpu_us=sum(share.children_cpu_ns for share in shares) / calls / 1000,
            latencies_us=tuple(
                (task, ns / 1000)
                for share in shares
                for task, ns in zip(share.tasks, share.latencies_ns, strict=True)
            ),
        )

    @property
    def calls_per_s(self) -> float:
        """The throughput."""
        return self.calls / self.wall_us * 1e6

    def percentile_us(self, percent: int) -> float:
        """Of the latencies of all calls."""
        return percentile(sorted(us for _, us in self.latencies_us), percent)
