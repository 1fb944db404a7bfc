"""The measurements. Everything but whole processes is measured in this one."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from agent_exec.bench.machine import load_average
from agent_exec.bench.machine import look as look_at_machine
from agent_exec.bench.policy.processes import TEXT, Processes, measure
from agent_exec.bench.policy.report import PolicyBenchReport, PolicyFigure
from agent_exec.bench.spread import quiet_median
from agent_exec.model.decision import Route
from agent_exec.model.request import Command
from agent_exec.policy.analyse import analyse
from agent_exec.policy.decide import Planned, decide
from agent_exec.policy.eyes import Eyes
from agent_exec.policy.judge import Judge
from agent_exec.policy.load import load_policy
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.look import look
from agent_exec.policy.look_program import Programs
from agent_exec.runtime.select import select_straight, select_witness
from agent_exec.shell.reading import Scope, read

ARGVS = (
    ("rg", "-n", "TODO", "src"),
    ("cat", "README.md"),
    ("ls", "-la", "src"),
    ("sed", "-n", "1,80p", "src/main.py"),
    ("grep", "-rn", "--include=*.py", "def main", "."),
    ("head", "-n", "20", "docs/index.md"),
    ("find", "src", "-name", "*.py", "-type", "f"),
    ("wc", "-l", "src/main.py", "README.md"),
    ("python3", "-m", "pytest", "-q"),
    ("timeout", "10", "rg", "x", "src"),
)
TEXTS = (
    TEXT,
    "cd src && ls -la",
    "cat README.md 2>/dev/null | grep -i install | sort -u",
    "sed -n '1,80p' src/main.py",
    "find . -name '*.py' -not -path './.git/*' | head -50",
    "grep -rn \"def main\" --include='*.py' . && echo found || echo none",
    "FOO=1 python3 -m pytest -q tests/test_a.py",
    "cat > notes.txt <<'END'\none\ntwo\nEND",
)
# Over so many the decisions take seconds, and what others do on the machine changes.
_ROUNDS_US = 2000
_ROUNDS_MS = 15


def run_policy_benchmark(*, quick: bool = False, tell: Callable[[str], None]) -> PolicyBenchReport:
    """Measure all. `tell` hears of progress."""
    rounds = _ROUNDS_US // 100 if quick else _ROUNDS_US
    slow = 3 if quick else _ROUNDS_MS
    load = load_average()
    with tempfile.TemporaryDirectory() as folder:
        worktree = os.path.realpath(folder)
        tell("decisions and plans")
        figures = [*_decisions(worktree, rounds), _plans(worktree, rounds)]
        tell("loading")
        figures += _loading(worktree, slow)
        figures += _processes(worktree, slow, tell)
    return PolicyBenchReport(machine=look_at_machine(), load=load, figures=tuple(figures))


def _decisions(worktree: str, rounds: int) -> list[PolicyFigure]:
    policy = load_policy("default", worktree=worktree)
    tables = load_tables()
    variables = {"HOME": "/nothing", "LC_ALL": "C.UTF-8"}
    witness, ask_straight = select_witness(), select_straight()
    judge = Judge(policy, tables, worktree=worktree, variables=variables, witness=witness)
    programs = Programs(policy.path, worktree, policy.trust, witness)
    calls = [(Command(argv, None),) for argv in ARGVS]
    analysed = [analyse(call, tables, cwd=worktree, variables=variables) for call in calls]
    facts = [look(found, programs, cwd=worktree) for found in analysed]
    planned = Planned(Route.DIRECT)

    def whole(index: int) -> object:
        eyes = Eyes(ask_straight)
        return judge.judge(calls[index], cwd=worktree, planned=planned, variables={}, eyes=eyes)

    def only_analyse(index: int) -> object:
        return analyse(calls[index], tables, cwd=worktree, variables=variables)

    def only_look(index: int) -> object:
        return look(analysed[index], programs, cwd=worktree, eyes=Eyes(ask_straight))

    def only_decide(index: int) -> object:
        return decide(policy, analysed[index], facts[index], cwd=worktree, planned=planned)

    n_calls = len(calls)
    return [
        _figure("decide an argv that is resolved", "us", _times(whole, n_calls, rounds), 60),
        _figure("  analyse: words to effects", "us", _times(only_analyse, n_calls, rounds)),
        _figure("  look: paths and programs", "us", _times(only_look, n_calls, rounds)),
        _figure("  decide: rules to a verdict", "us", _times(only_decide, n_calls, rounds)),
    ]


def _plans(worktree: str, rounds: int) -> PolicyFigure:
    scope = Scope.of_call({"HOME": "/nothing", "LC_ALL": "C.UTF-8"}, worktree)
    times = _times(lambda index: read(TEXTS[index], scope), len(TEXTS), rounds)
    return _figure("plan a shell text", "us", times, 120)


def _loading(worktree: str, rounds: int) -> list[PolicyFigure]:
    def load(_index: int) -> object:
        load_tables().check()
        return load_policy("default", worktree=worktree)

    def begin(_index: int) -> object:
        return load_tables(), load_policy("default", worktree=worktree)

    every, none = (
        [seconds * 1000 for seconds in _seconds(each, 1, rounds)] for each in (load, begin)
    )
    return [
        _figure("load the default policy and every tool table", "ms", every, 50),
        _figure("  of that, before the first table is made", "ms", none),
    ]


def _processes(worktree: str, rounds: int, tell: Callable[[str], None]) -> Iterator[PolicyFigure]:
    with tempfile.TemporaryDirectory() as state:
        for case, times in measure(Processes(worktree, state), rounds, tell):
            yield _figure(case.name, "ms", times, case.target_ms)


def _times(measured: Callable[[int], object], n_inputs: int, rounds: int) -> list[float]:
    """Microseconds."""
    return [seconds * 1e6 for seconds in _seconds(measured, n_inputs, rounds)]


def _seconds(measured: Callable[[int], object], n_inputs: int, rounds: int) -> list[float]:
    """Of every input, `rounds` times, in turn; once more before, which is not counted."""
    times = []
    for number in range(rounds + 1):
        for index in range(n_inputs):
            begin = time.perf_counter()
            measured(index)
            end = time.perf_counter()
            if number:
                times.append(end - begin)
    return times


def _figure(
    name: str, unit: str, times: Sequence[float], target: float | None = None
) -> PolicyFigure:
    return PolicyFigure(
        name=name,
        unit=unit,
        median=statistics.median(times),
        p95=statistics.quantiles(times, n=20)[-1],
        quiet=quiet_median(times),
        samples=len(times),
        target=target,
    )
