"""The measurements: many short alternations, so that whatever else runs meets all alike."""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from agent_exec.bench.launch.programs import TINY_FLAGS, WrongResultError, compile_c
from agent_exec.bench.machine import load_average
from agent_exec.bench.machine import look as look_at_machine
from agent_exec.bench.sandbox.report import SandboxBenchReport, SandboxFigure
from agent_exec.bench.sandbox.rule_set import reading
from agent_exec.bench.sandbox.tool_calls import tool_ways
from agent_exec.bench.sandbox.way import Way
from agent_exec.errors import Unsupported
from agent_exec.launch.select import why_not_vfork
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.action import Action
from agent_exec.model.confinement import Confinement, Rlimit
from agent_exec.model.plan import CallPlan, SpawnPlan, Stdio
from agent_exec.runtime.boxing import DEFAULT_PATH
from agent_exec.runtime.enforcing import why_no_bubblewrap
from agent_exec.runtime.native_engine import NativeEngine
from agent_exec.sandbox.filters import filter_maker, why_no_filter

_ROUNDS, _LAUNCHES = 60, 32
_TARGET = 1.10
_IN_FLIGHT = (1, 16)
_LANDLOCK_ABI = 7
_MARK = b"AGENT_EXEC_CALL=bench-1"
_BWRAP = (
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--unshare-pid",
    "--unshare-net",
)


def run_sandbox_benchmark(
    *, rounds: int | None = None, quick: bool = False, tell: Callable[[str], None]
) -> SandboxBenchReport:
    """Measure all. `tell` hears of progress.

    Raises:
        Unsupported: No vfork launcher, Landlock, seccomp or C compiler is to be had here.
        WrongResultError: A program did not do what it does.
    """
    why_not = why_not_vfork() or why_no_filter()
    if why_not is not None:
        raise Unsupported(f"nothing to measure: {why_not}")
    load = load_average()
    n_rounds = rounds or (_ROUNDS // 10 if quick else _ROUNDS)
    missing = list(_missing())
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        program = Path(os.path.realpath(folder), "tiny")
        compile_c("tiny.c", program, TINY_FLAGS)
        ways = opened.enter_context(_prepare(str(program)))
        ways += opened.enter_context(tool_ways(program, boxed=not missing))
        times: dict[str, list[float]] = {way.name: [] for way in ways}
        order = list(ways)
        choose = random.Random(1)
        for number in range(n_rounds):
            tell(f"round {number + 1} of {n_rounds}")
            choose.shuffle(order)
            for way in order:
                times[way.name].append(way.measure(_LAUNCHES) / _LAUNCHES * 1e6)
    figures = [_figure(way, times[way.name], times[way.base]) for way in ways]
    return SandboxBenchReport(
        machine=look_at_machine(), load=load, missing=tuple(missing), figures=tuple(figures)
    )


@contextmanager
def _prepare(program: str) -> Iterator[list[Way]]:
    make_filter = filter_maker()
    assert make_filter is not None  # asked before
    launcher = VforkLauncher()
    engine = NativeEngine(max_concurrent=max(_IN_FLIGHT))
    with ExitStack() as opened:
        opened.callback(engine.close)
        landlock = opened.enter_context(reading(os.path.dirname(program)))
        template = opened.enter_context(SpawnTemplate.create(program, launcher=launcher))
        limits = (
            Rlimit(resource.RLIMIT_CORE, 0, 0),
            Rlimit(resource.RLIMIT_CPU, 60, 60),
            Rlimit(resource.RLIMIT_FSIZE, 1 << 30, 1 << 30),
            Rlimit(resource.RLIMIT_NOFILE, 256, 256),
        )
        confinement = Confinement(
            landlock=landlock,
            filter=make_filter(False, False, _LANDLOCK_ABI),
            rlimits=limits,
            nice=0,
            umask=0o022,
        )
        free = _stage(template, (program,))
        ways = []
        for in_flight in _IN_FLIGHT:
            kinds = [
                ("without", "nothing", free, None),
                (
                    "landlock",
                    "Landlock, limits",
                    free._replace(confinement=confinement._replace(filter=None)),
                    None,
                ),
                (
                    "all",
                    "Landlock, limits, seccomp that is inherited",
                    free._replace(confinement=confinement),
                    _TARGET,
                ),
            ]
            bwrap = shutil.which("bwrap")
            if bwrap is not None:
                outer = opened.enter_context(SpawnTemplate.create(bwrap, launcher=launcher))
                words = (bwrap, *_BWRAP, "--", program)
                kinds.append(
                    ("bubblewrap", "namespaces, by another program", _stage(outer, words), None)
                )
            for name, how, stage, target in kinds:
                run = _Calls(
                    engine, CallPlan(stages=(stage,), stderr=Stdio.NULL, mark=_MARK), in_flight
                )
                base = f"without/{in_flight}"
                ways.append(Way(f"{name}/{in_flight}", how, in_flight, base, run, target))
        for name, how, stage in (
            ("launcher", "nothing; no engine, no pipe", free),
            (
                "launcher, all",
                "Landlock, limits, seccomp by each child",
                free._replace(confinement=confinement),
            ),
        ):
            ways.append(Way(name, how, 1, "launcher", _Spawns(launcher, stage)))
        yield ways


def _missing() -> Iterator[str]:
    if shutil.which("bwrap") is None:
        yield "bubblewrap: it is not installed"
    elif (why_not := why_no_bubblewrap(DEFAULT_PATH, None)) is not None:
        yield f"bubblewrap around calls: {why_not}"


def _stage(template: SpawnTemplate, words: Sequence[str]) -> SpawnPlan:
    return SpawnPlan(
        executable=template.executable,
        argv=tuple(os.fsencode(word) for word in words),
        session=True,
        reset_signals=True,
    )


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls of the engine, so many in flight."""

    engine: NativeEngine
    plan: CallPlan
    in_flight: int

    def __call__(self, launches: int) -> float:
        return anyio.run(self._run, launches)

    async def _run(self, launches: int) -> float:
        for _ in range(2):  # whoever starts these is awake and leads
            await self._launch(1)
        share = max(launches // self.in_flight, 1)
        begin = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(self.in_flight):
                tasks.start_soon(self._launch, share)
        return (time.perf_counter() - begin) * launches / (share * self.in_flight)

    async def _launch(self, times: int) -> None:
        for _ in range(times):
            outcome = await self.engine.run(self.plan)
            if outcome.stages[0].exit_code != 0 or outcome.stdout.head != b"on stdout: 1\n":
                raise WrongResultError(f"{self.plan.stages[0].argv!r}: {outcome!r}")


@dataclass(frozen=True, slots=True)
class _Spawns:
    """Children of the launcher alone, one after the other."""

    launcher: VforkLauncher
    plan: SpawnPlan

    def __call__(self, launches: int) -> float:
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        try:
            plan = self.plan._replace(actions=(Action.dup2(null, 1), Action.dup2(null, 2)))
            begin = time.perf_counter()
            for _ in range(launches):
                child = self.launcher.spawn(plan)
                _, status = os.waitpid(child.pid, 0)
                if child.pidfd is not None:
                    os.close(child.pidfd)
                if status:
                    raise WrongResultError(f"{plan.argv!r}: status {status}")
            return time.perf_counter() - begin
        finally:
            os.close(null)


def _figure(way: Way, times: Sequence[float], base: Sequence[float]) -> SandboxFigure:
    ratios = sorted(own / other for own, other in zip(times, base, strict=True))
    quarter = len(ratios) // 4
    return SandboxFigure(
        name=way.name.partition("/")[0],
        how=way.how,
        in_flight=way.in_flight,
        launches=len(times) * _LAUNCHES,
        launch_us=statistics.median(times),
        ratio=statistics.median(ratios),
        quartiles=(ratios[quarter], ratios[-1 - quarter]),
        target=way.target,
    )
