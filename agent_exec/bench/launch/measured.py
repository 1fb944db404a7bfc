"""What a worker measures: plain numbers, before any comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_exec.bench.spread import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Launches of one program by one method. Times are microseconds per launch."""

    launches: int
    in_flight: int
    wall_us: float
    """Elapsed time of the batch, divided by its launches."""
    p50_us: float
    p95_us: float
    """Of one launch, from asking for it to having its outcome."""
    cpu_us: float
    """CPU time of the launching process, all threads, without its children."""

    @property
    def cost_us(self) -> float:
        """What is compared: the median launch when they are one by one, else the throughput.

        A hiccup of the machine takes as long as twenty launches; it moves the mean of a
        batch, and not its median. With several in flight, a latency says how they
        share the machine, not what they cost.
        """
        return self.p50_us if self.in_flight == 1 else self.wall_us

    @classmethod
    def of(
        cls, in_flight: int, *, elapsed_ns: int, cpu_ns: int, latencies_ns: Sequence[int]
    ) -> Batch:
        """Condense the clock readings of a batch of at least one launch."""
        launches = len(latencies_ns)
        ordered = sorted(latencies_ns)
        return cls(
            launches=launches,
            in_flight=in_flight,
            wall_us=elapsed_ns / launches / 1000,
            p50_us=percentile(ordered, 50) / 1000,
            p95_us=percentile(ordered, 95) / 1000,
            cpu_us=cpu_ns / launches / 1000,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopTime:
    """What launches cost the thread of an event loop. Times are microseconds."""

    wall_us: float
    """Per launch, between a return of the loop's wait for events and the next such wait."""
    cpu_us: float
    """Per launch, CPU time of the thread, waiting included."""
    longest_us: float
    """The longest time between two waits: nothing else could run on the loop."""
    turns: float
    """Waits per launch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What a process holds that a launch might have left behind."""

    descriptors: int
    """Summed over the descriptor tables of all threads."""
    children: int
    """Zombies too."""
    threads: int
    rss_bytes: int
    python_blocks: int
    """Blocks of the interpreter's own allocator."""
