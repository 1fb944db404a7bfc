"""Fixtures for real processes, and the checks around every test.

After each test no descriptor, thread or child may be there that was not there before.
With AGENT_EXEC_MUST_WORK=1 a skip is a failure, unless the test is marked `foreign`: it needs a
program or package that is no part of this package and does not come with its extra `test`. With
AGENT_EXEC_MUST_WORK=all these must work, too.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from realproc import (
    ENGINES,
    LAUNCHERS,
    RUNNERS,
    TOOL_LAUNCHERS,
    Plans,
    is_built,
    make_engine,
    make_launcher,
    nothing_left_behind,
    run_with,
    why_no_cgroups,
)

from agent_exec.launch.base import Launcher
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.policy import load_tables
from agent_exec.runtime.engine import Engine

# How long one example takes says nothing about it: the machine may be busy.
settings.register_profile("agent_exec", deadline=None)
settings.load_profile("agent_exec")


def pytest_addoption(parser: pytest.Parser) -> None:
    """--rounds N: of the storm of updates."""
    parser.addoption(
        "--rounds", type=int, default=50, help="updates of tests/updates/test_storm.py"
    )


def pytest_xdist_auto_num_workers() -> int:
    """Of ``-n auto``: most tests wait for processes more than they compute."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    must_work = os.environ.get("AGENT_EXEC_MUST_WORK") in ("1", "all")
    foreign = item.get_closest_marker("foreign") is not None
    foreign = foreign and os.environ["AGENT_EXEC_MUST_WORK"] != "all" if must_work else foreign
    if must_work and report.skipped and not foreign and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where everything must work: {report.longrepr}"
    return report


# Not a skip: whether a machine has a cgroup v2 that we may write to is no fault of ours.
WHY_NO_CGROUPS = why_no_cgroups()
collect_ignore = [] if WHY_NO_CGROUPS is None else ["runtime/test_containment.py"]
_OF_THE_CORE = [
    "launch/test_kernel.py",
    "launch/test_kernel_selftest.py",
    "runtime/test_guardian.py",
    "runtime/test_self_test.py",
    "sandbox/test_rule_sets.py",
    "sandbox/test_slots.py",
]
collect_ignore += [] if is_built("native") else _OF_THE_CORE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once, on a machine without, that a call cannot be contained here; also with -q."""
    if WHY_NO_CGROUPS is not None:
        terminalreporter.write_line(f"not run, no cgroup for each call: {WHY_NO_CGROUPS}")


@pytest.fixture(autouse=True, scope="session")
def _state_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _installed_for_children_too() -> Iterator[None]:
    """From the folder of a checkout, "python -c" and "python -m" would find its files first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONSAFEPATH", "1")
        yield


@pytest.fixture(autouse=True, scope="session")
def _tables_are_read_once() -> Iterator[None]:
    """From a checkout every tool would read the YAML of all tables again, for 0.1 s."""
    read = functools.cache(load_tables.read_tables)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_tables, "read_tables", lambda folder: dict(read(folder)))
        yield


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    with nothing_left_behind():
        yield


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _built(name: str) -> str:
    if not is_built(name):
        pytest.skip(f"{name} is not built")
    return name


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    return _built(request.param)


@pytest.fixture
def engine(engine_name: str) -> Iterator[Engine]:
    made = make_engine(engine_name, max_concurrent=16)
    yield made
    made.close()


@pytest.fixture
def plans(engine_name: str) -> Iterator[Plans]:
    with Plans(make_launcher(engine_name)) as made:
        yield made


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(engine: Engine, runner: str) -> Callable[[CallPlan], Outcome]:
    """Runs a call in each way there is: blocking, under asyncio, under trio."""
    return lambda plan: run_with(engine, runner, plan)


@pytest.fixture(params=LAUNCHERS)
def launcher_name(request: pytest.FixtureRequest) -> str:
    return _built(request.param)


@pytest.fixture(params=TOOL_LAUNCHERS)
def tool_launcher(request: pytest.FixtureRequest) -> str:
    return _built(request.param)


@pytest.fixture
def launcher(launcher_name: str) -> Launcher:
    return make_launcher(launcher_name)


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints what it finds itself to be; see probe.c."""
    return _compile(tmp_path_factory, "probe")


@pytest.fixture(scope="session")
def setuid_cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that becomes root and copies its input; see setuid_cat.c."""
    program = _compile(tmp_path_factory, "setuid_cat")
    program.chmod(0o4755)
    for folder in program.parents[:3]:
        folder.chmod(0o755)
    return program


@pytest.fixture
def pid_namespace() -> tuple[str, ...]:
    """The words before a command that make it the init of a pid namespace of its own.

    There a test may choose the next pid, and who else takes one.
    """
    words = ("unshare", "--pid", "--fork", "--mount-proc")
    if subprocess.run([*words, "/bin/true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs a pid namespace")
    return words


def _compile(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    program = tmp_path_factory.mktemp(name) / name
    source = Path(__file__).parent / "programs" / f"{name}.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", program, source], check=True)
    return program
