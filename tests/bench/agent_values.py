"""Samples and reports of the agent-tools benchmark with round numbers."""

from __future__ import annotations

from datetime import UTC, datetime

from agent_exec.bench.agent_tools.measured import Batch
from agent_exec.bench.agent_tools.options import AgentBenchOptions
from agent_exec.bench.agent_tools.parts import PartSample
from agent_exec.bench.agent_tools.report import AgentBenchReport
from agent_exec.bench.agent_tools.rounds import Sample
from agent_exec.bench.failure import Failure
from agent_exec.bench.machine import Machine


def batch(calls_per_s: float, *, cpu_us: float = 100.0, latency_us: float = 1000.0) -> Batch:
    """Ten calls of two tasks in turn; every latency but the last is `latency_us`."""
    latencies = [(number % 2, latency_us) for number in range(9)] + [(1, latency_us * 10)]
    return Batch(
        calls=10,
        wall_us=10 / calls_per_s * 1e6,
        runtime_cpu_us=cpu_us,
        children_cpu_us=2000.0,
        latencies_us=tuple(latencies),
    )


def sample(
    number: int,
    back_end: str,
    measured: float | Batch | Failure,
    *,
    preset: str = "no-interpreters",
    split: str = "1x16",
) -> Sample:
    """What `back_end` did in round `number`: calls a second, more than that, or why it is void."""
    made = batch(measured) if isinstance(measured, float) else measured
    return Sample(round=number, preset=preset, split=split, back_end=back_end, batch=made)


def part_sample(number: int, tool: str, *, worked_us: float, whole_us: float | None) -> PartSample:
    """The agents take 100, doing nothing 200, starting 300 more than that."""
    return PartSample(
        round=number,
        tool=tool,
        idle_us=200.0,
        started_us=500.0,
        worked_us=worked_us,
        agents_us=100.0,
        whole_us={"agent_exec": whole_us},
    )


def report(
    *,
    samples: tuple[Sample, ...] = (),
    part_samples: tuple[PartSample, ...] = (),
    skipped: tuple[str, ...] = (),
    lost: tuple[str, ...] = (),
) -> AgentBenchReport:
    """A report of these, made on a machine that does not exist."""
    return AgentBenchReport(
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        duration_s=12.0,
        machine=Machine(
            kernel="Linux 6.1",
            architecture="x86_64",
            cpu="A CPU",
            cpus=2,
            memory_mib=1024,
            libc="glibc 2.36",
            python="CPython 3.11.7",
            versions={"agent-exec": "0.1"},
        ),
        load_before=0.25,
        load_after=0.5,
        options=AgentBenchOptions(rounds=2, calls=10),
        tools=("cat", "rg"),
        samples=samples,
        part_samples=part_samples,
        skipped=skipped,
        lost=lost,
    )
