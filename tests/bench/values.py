"""Samples and reports with round numbers, and workers that answer with them."""

from __future__ import annotations

from datetime import UTC, datetime

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.figures import MemoryFigure
from agent_exec.bench.launch.measured import Batch, Belongings, LoopTime
from agent_exec.bench.launch.options import LaunchBenchOptions
from agent_exec.bench.launch.programs import Program
from agent_exec.bench.launch.report import LaunchBenchReport
from agent_exec.bench.launch.rounds import BallastSample, LoopSample, Sample
from agent_exec.bench.linked import WorkerLostError
from agent_exec.bench.machine import Machine

TINY = Program(name="tiny", argv=("/bin/tiny",), stdout=b"out\n")
CAT = Program(name="cat", argv=("/bin/cat",), stdout=b"out\n")


def batch(cost_us: float, *, in_flight: int = 1) -> Batch:
    """A batch whose every time follows from what counts of it."""
    return Batch(
        launches=100,
        in_flight=in_flight,
        wall_us=cost_us * 2 if in_flight == 1 else cost_us,
        p50_us=cost_us if in_flight == 1 else cost_us * 3,
        p95_us=cost_us * 4,
        cpu_us=cost_us / 2,
    )


def sample(
    number: int,
    method: str,
    cost_us: float | Failure,
    *,
    program: str = "tiny",
    in_flight: int = 1,
) -> Sample:
    """What `method` took in round `number`, or why that is void."""
    measured = cost_us if isinstance(cost_us, Failure) else batch(cost_us, in_flight=in_flight)
    return Sample(round=number, program=program, in_flight=in_flight, method=method, batch=measured)


def loop_sample(number: int, method: str, wall_us: float | Failure) -> LoopSample:
    """What `method` cost the loop's thread in round `number`."""
    time = (
        wall_us
        if isinstance(wall_us, Failure)
        else LoopTime(wall_us=wall_us, cpu_us=wall_us / 2, longest_us=wall_us * 10, turns=1.5)
    )
    return LoopSample(round=number, program="tiny", in_flight=16, method=method, time=time)


def ballast_sample(
    number: int,
    method: str,
    plain: float | Failure,
    loaded: float | Failure,
    *,
    ballast: Ballast = Ballast.MEMORY,
    in_flight: int = 1,
) -> BallastSample:
    """What `method` took without and with `ballast` in round `number`."""
    return BallastSample(
        round=number,
        ballast=ballast,
        in_flight=in_flight,
        method=method,
        plain=plain if isinstance(plain, Failure) else batch(plain, in_flight=in_flight),
        loaded=loaded if isinstance(loaded, Failure) else batch(loaded, in_flight=in_flight),
    )


def belongings(
    *,
    descriptors: int = 20,
    children: int = 0,
    threads: int = 5,
    rss_bytes: int = 50_000_000,
    python_blocks: int = 100_000,
) -> Belongings:
    """What a worker might hold."""
    return Belongings(
        descriptors=descriptors,
        children=children,
        threads=threads,
        rss_bytes=rss_bytes,
        python_blocks=python_blocks,
    )


def report(
    *,
    samples: tuple[Sample, ...] = (),
    loop_samples: tuple[LoopSample, ...] = (),
    ballast_samples: tuple[BallastSample, ...] = (),
    memory: tuple[MemoryFigure, ...] = (),
    skipped: tuple[str, ...] = (),
    lost: tuple[str, ...] = (),
) -> LaunchBenchReport:
    """A report of these, made on a machine that does not exist."""
    return LaunchBenchReport(
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
        options=LaunchBenchOptions(rounds=2, launches=100),
        samples=samples,
        loop_samples=loop_samples,
        ballast_samples=ballast_samples,
        memory=memory,
        skipped=skipped,
        lost=lost,
    )


class FakeWorker:
    """Answers at once, keeps a list of what it was asked, and is lost when it is told to be."""

    def __init__(self, *methods: str, wall_us: float = 100.0, has_loop: bool = True) -> None:
        self.methods = methods
        self.asked: list[tuple[str, str, int]] = []
        self.counted_after: list[int] = []
        self.lost_after: int | None = None
        self._wall_us = wall_us
        self._has_loop = has_loop

    def _note(self, method: str, program: Program, in_flight: int) -> None:
        if len(self.asked) == self.lost_after:
            raise WorkerLostError("the worker ended by itself")
        self.asked.append((method, program.name, in_flight))

    def measure(
        self,
        method: str,
        program: Program,
        launches: int,  # noqa: ARG002 - as a worker's
        in_flight: int,
    ) -> Batch | Failure:
        self._note(method, program, in_flight)
        return batch(self._wall_us, in_flight=in_flight)

    def loop_time(
        self,
        method: str,
        program: Program,
        launches: int,  # noqa: ARG002 - as a worker's
        in_flight: int,
    ) -> LoopTime | Failure | None:
        self._note(method, program, in_flight)
        if not self._has_loop:
            return None
        return LoopTime(wall_us=self._wall_us, cpu_us=1.0, longest_us=2.0, turns=3.0)

    def count_belongings(self) -> Belongings:
        self.counted_after.append(len(self.asked))
        return belongings(threads=len(self.counted_after))
