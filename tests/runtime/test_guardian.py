"""The process that ends what calls have left when their owner is killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from realproc import (
    IN_CGROUPS,
    Plans,
    doomed,
    guardians_of,
    is_alive,
    own_cgroups,
    run_host,
    wait_until,
    why_no_cgroups,
)

from agent_exec.launch import native
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import Survivors
from agent_exec.runtime.native_engine import NativeEngine

pytestmark = pytest.mark.timeout(30)

TIERS = ["native"] if why_no_cgroups() else ["native", IN_CGROUPS]
PREFIX = f"AGENT_EXEC_CALL={os.urandom(5).hex()}-"
MARK = f"{PREFIX}1".encode()


@pytest.fixture(params=TIERS)
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# What hosts of these tests begin with: a call that starts the guardian, and its pid.
HOST = f"""
PREFIX = {PREFIX!r}
def marked(plans, script, *words, **fields):
    envp = (b"PATH=/usr/bin:/bin", PREFIX.encode() + b"2")
    return plans.call(plans.sh(script, *words, envp=envp, die_with_parent=True),
                      mark=PREFIX.encode() + b"2", **fields)
plans = Plans(make_launcher(ENGINE))
engine = make_engine(ENGINE)
run_with(engine, sys.argv[1], marked(plans, ":"))
wait_until(lambda: engine.guardian() != (0, 0))
guardian, error = engine.guardian()
assert error == 0
"""

# Leaves a process that says its pid, and kills the host.
KILLER = """
    mkfifo "$1"
    setsid sh -c 'echo $$ >"$1"; exec sleep 1000' sh "$1" </dev/null >/dev/null 2>&1 &
    read pid <"$1"; echo $pid >&2; kill -9 $PPID; exec sleep 1000
"""


def host(engine_name: str, script: str, *words: str, **options: object) -> list[int]:
    """Run a host of this page; the numbers that it printed."""
    done = run_host(engine_name, HOST + script, *words, check=False, **options)  # type: ignore[arg-type]
    assert "Traceback" not in done.stderr, done.stderr
    return [int(word) for word in (done.stdout + done.stderr).split()]


def killed(engine_name: str, runner: str, tmp_path: Path, script: str = KILLER) -> list[int]:
    """Guardian, owner and what the killing call has said."""
    return host(
        engine_name,
        f"""
print(guardian, os.getpid(), flush=True)
run_with(engine, sys.argv[1], marked(plans, {script!r}, sys.argv[2], stderr=2))
""",
        runner,
        str(tmp_path / "fifo"),
    )


def test_what_a_killed_owner_left_is_ended(engine_name: str, runner: str, tmp_path: Path) -> None:
    guardian, owner, left = killed(engine_name, runner, tmp_path)
    wait_until(lambda: not is_alive(left))
    wait_until(lambda: not is_alive(guardian))
    assert own_cgroups(owner) == []


def test_a_cleared_environment_hides_from_it_except_in_a_cgroup(
    engine_name: str, runner: str, tmp_path: Path
) -> None:
    script = KILLER.replace("setsid", "env -i setsid")
    guardian, owner, left = killed(engine_name, runner, tmp_path, script)
    with doomed(left) if engine_name == "native" else nullcontext():
        wait_until(lambda: not is_alive(guardian))
        assert is_alive(left) is (engine_name == "native")
    assert own_cgroups(owner) == []


@pytest.mark.parametrize("padding", range(4060, 4100, 3))
def test_a_mark_is_found_wherever_it_stands_in_the_environment(
    padding: int, tmp_path: Path
) -> None:
    """It is read in pieces of 4096 bytes."""
    script = KILLER.replace("setsid", f"env -i A={'x' * padding} {PREFIX}77 B=b setsid")
    guardian, _, left = killed("native", "sync", tmp_path, script)
    wait_until(lambda: not is_alive(left))
    wait_until(lambda: not is_alive(guardian))


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param(PREFIX[:-1], id="shorter"),
        pytest.param(f"{PREFIX[:-1]}0-1", id="of-another-owner"),
        pytest.param(f"X{PREFIX}1", id="another-name"),
        pytest.param(f"X={PREFIX}1", id="in-a-value"),
    ],
)
def test_a_stranger_is_left_alone(environment: str, tmp_path: Path) -> None:
    script = KILLER.replace("setsid", f"env -i {environment} setsid")
    guardian, _, stranger = killed("native", "sync", tmp_path, script)
    with doomed(stranger) as pidfd:
        wait_until(lambda: not is_alive(guardian))
        signal.pidfd_send_signal(pidfd, 0)
        assert is_alive(stranger)


def test_what_keeps_forking_is_ended_too(engine_name: str, runner: str, tmp_path: Path) -> None:
    script = KILLER.replace("exec sleep 1000", "while :; do (sleep 0.01; :) & sleep 0.01; done")
    guardian, _, left = killed(engine_name, runner, tmp_path, script)
    wait_until(lambda: not is_alive(guardian))
    assert not is_alive(left)
    assert _marked() == []


def _marked() -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"\0{PREFIX}" in "\0" + path.read_text("utf-8", "replace"):
                found.append(int(path.parent.name))
        except OSError:
            pass  # it has ended
    return found


def test_survivors_of_a_killed_owner_may_be_kept(
    engine_name: str, runner: str, tmp_path: Path
) -> None:
    script = f"""
engine.close()
engine = make_engine(ENGINE)
print(os.getpid(), flush=True)
kept = dict(survivors="keep", stderr=2)
run_with(engine, sys.argv[1], marked(plans, ":", **kept))
assert engine.guardian() == (0, 0)
run_with(engine, sys.argv[1], marked(plans, {KILLER!r}, sys.argv[2], **kept))
"""
    owner, left = host(engine_name, script, runner, str(tmp_path / "fifo"))
    with doomed(left):
        assert is_alive(left)
    NativeEngine(cgroups=True).containment()  # removes the cgroup, now that it is empty
    assert own_cgroups(owner) == []


def test_what_one_call_wanted_kept_lives_on_beside_the_guardian_of_others(
    engine_name: str, runner: str, tmp_path: Path
) -> None:
    """Without a mark of theirs: in another kind of leaf."""
    script = f"""
print(guardian, os.getpid(), flush=True)
stage = plans.sh({KILLER!r}, sys.argv[2], die_with_parent=True)
run_with(engine, sys.argv[1], plans.call(stage, survivors="keep", stderr=2))
"""
    guardian, owner, left = host(engine_name, script, runner, str(tmp_path / "fifo"))
    with doomed(left):
        wait_until(lambda: not is_alive(guardian))
        assert is_alive(left)
    NativeEngine(cgroups=True).containment()
    assert own_cgroups(owner) == []


# Its life


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("engine.close()", id="closed"),
        pytest.param("del engine", id="forgotten"),
        pytest.param("", id="interpreter-exit"),
        pytest.param("os._exit(0)", id="exit-without-a-word"),
        pytest.param("os.kill(os.getpid(), 9)", id="killed"),
    ],
)
def test_it_ends_with_its_owner(engine_name: str, runner: str, end: str) -> None:
    script = f"""
print(guardian, os.getpid(), flush=True)
assert is_alive(guardian)
{end}
"""
    guardian, owner = host(engine_name, script, runner)
    wait_until(lambda: not is_alive(guardian))
    assert own_cgroups(owner) == []


def test_when_an_engine_is_closed_its_guardian_is_gone(engine_name: str, runner: str) -> None:
    script = """
engine.close()
print(int(is_alive(guardian)))
"""
    assert host(engine_name, script, runner) == [0]


def test_a_host_that_is_init_has_no_zombie_of_it(
    engine_name: str, runner: str, pid_namespace: tuple[str, ...]
) -> None:
    script = """
engine.close()
plans.__exit__(None, None, None)
print(os.getpid(), len(Belongings.now().children))
"""
    assert host(engine_name, script, runner, wrapper=pid_namespace) == [1, 0]


def test_it_has_nothing_of_its_host(engine_name: str, runner: str) -> None:
    script = """
at = Path(f"/proc/{guardian}")
def held():
    return sorted((name, os.readlink(at / "fd" / name)) for name in os.listdir(at / "fd"))
# It says its pid on a pipe, which it closes right after.
wait_until(lambda: held()[0] == ("0", "/dev/null"))
assert held()[1:] == [("1", "anon_inode:[pidfd]"), ("2", "/dev/null")], held()
parent, group, session = map(int, at.joinpath("stat").read_text().rpartition(")")[2].split()[1:4])
assert os.getpid() not in (parent, group, session)
assert (os.getpgrp() != group, os.getsid(0) != session) == (True, True)
words = at.joinpath("cmdline").read_bytes().split(b"\\0")
assert words[:2] == [b"agent-exec-guardian", str(os.getpid()).encode()], words
assert at.joinpath("environ").read_bytes() == b""
assert (os.readlink(at / "cwd"), os.readlink(at / "exe").endswith(".so")) == ("/", True)
assert Belongings.now().children == frozenset()
print(7)
"""
    assert host(engine_name, script, runner) == [7]


def test_an_engine_has_one_however_many_calls_it_runs(engine_name: str, runner: str) -> None:
    script = """
for _ in range(5):
    run_with(engine, sys.argv[1], marked(plans, ":"))
assert engine.guardian() == (guardian, 0)
assert guardians_of(os.getpid()) == [guardian]
print(7)
"""
    assert host(engine_name, script, runner) == [7]


def test_a_forked_child_neither_ends_nor_inherits_it(engine_name: str, runner: str) -> None:
    script = """
pid = os.fork()
if pid == 0:
    run_with(engine, sys.argv[1], marked(plans, ":"))
    other, error = engine.guardian()
    assert (other not in (0, guardian), error) == (True, 0)
    engine.close()
    assert not is_alive(other)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), 9)
os.waitpid(pid, 0)
assert is_alive(guardian)
engine.close()
print(int(is_alive(guardian)))
"""
    # Templates of the parent are not the child's: the child makes plans of its own.
    script = script.replace(
        "    run_with(engine", "    plans = Plans(make_launcher(ENGINE))\n    run_with(engine", 1
    )
    assert host(engine_name, script, runner) == [0]


# Without it


@pytest.mark.parametrize(
    ("image", "error"),
    [
        pytest.param("/nonexistent", errno.ENOENT, id="missing"),
        pytest.param("/etc/passwd", errno.EACCES, id="not-executable"),
        pytest.param("/bin/true", errno.ENOEXEC, id="another-program"),
        pytest.param(None, 0, id="not-wanted"),
    ],
)
def test_calls_go_without_where_it_cannot_be_started(image: str | None, error: int) -> None:
    core = native.Engine(4, False, image)
    with Plans(VforkLauncher()) as plans:
        outcome = core.run(plans.call(plans.stage("/bin/echo", "said"), mark=MARK))
    assert isinstance(outcome, Outcome)
    assert (outcome.stdout.head, core.guardian()) == (b"said\n", (0, error))
    core.close()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nothing-to-know-them-by"),
        pytest.param({"mark": b"A=b"}, id="mark-of-one-call"),
        pytest.param({"mark": MARK, "survivors": Survivors.KEEP}, id="survivors-kept"),
    ],
)
def test_no_guardian_is_started_for_what_it_could_not_end(fields: dict[str, object]) -> None:
    engine = NativeEngine()
    with Plans(VforkLauncher()) as plans:
        engine.run_sync(plans.call(plans.stage("/bin/true"), **fields))
    assert engine.guardian() == (0, 0)
    engine.close()


def test_it_is_no_survivor_of_a_call_that_has_one(
    engine_name: str, run: Callable[..., Outcome], plans: Plans, tmp_path: Path
) -> None:
    """A call that runs a host of ours: its guardian is gone before it."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from realproc import *
from agent_exec import ExecTool
with ExecTool("/", policy="open") as tool:
    print(tool.run_sync(["echo", "inner"]).stdout.head, tool._engine.guardian()[0] > 0)
"""
    envp = tuple(f"{name}={value}".encode() for name, value in os.environ.items())
    argv = tuple(word.encode() for word in (sys.executable, "-c", script))
    stage = plans.stage(sys.executable, argv=argv, envp=(*envp, MARK))
    outcome = run(plans.call(stage, mark=MARK))
    assert (outcome.stdout.head, outcome.survivors) == (b"inner\n True\n", ())


def test_the_command_line_has_one(tmp_path: Path) -> None:
    script = """
        setsid sh -c 'echo $$ >"$1"; exec sleep 1000' sh "$1" </dev/null >/dev/null 2>&1 &
        read pid <"$1"; echo $pid; exec sleep 1000
    """
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    words = ["run", "-p", "open", "--", "/bin/sh", "-c", script, "sh", str(fifo)]
    command = [sys.executable, "-P", "-m", "agent_exec", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        left = int(owner.stdout.readline())
        wait_until(lambda: guardians_of(owner.pid) != [])
        (guardian,) = guardians_of(owner.pid)
        owner.kill()
    wait_until(lambda: not is_alive(left))
    wait_until(lambda: not is_alive(guardian))
