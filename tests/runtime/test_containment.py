"""A cgroup for each call: whatever it started is found, and nothing of ours stays behind.

Collected only where a cgroup v2 can be written to; see conftest.py.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from realproc import (
    IN_CGROUPS,
    PATIENCE_S,
    Plans,
    doomed,
    is_alive,
    make_engine,
    own_cgroup,
    own_cgroups,
    read_probe,
    run_host,
    run_with,
    wait_until,
)

from agent_exec import ExecTool, Unsupported
from agent_exec.model.outcome import Ended, Outcome
from agent_exec.model.plan import CallPlan, Containment, Survivors
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.select import select_engine

pytestmark = pytest.mark.timeout(30)

Run = Callable[[CallPlan], Outcome]


@pytest.fixture
def engine_name() -> str:
    return IN_CGROUPS


def home_of(engine: Engine) -> Path:
    """The cgroup that holds those of the engine's calls."""
    works, text = engine.containment()
    assert works, text
    return Path(text)


def leaves_of(engine: Engine) -> list[str]:
    return sorted(path.name for path in home_of(engine).iterdir() if path.is_dir())


def members(cgroup: Path) -> list[int]:
    return [int(line) for line in (cgroup / "cgroup.procs").read_text().split()]


def remove(cgroup: Path) -> None:
    """Remove a cgroup and those below it, once its processes are gone."""
    wait_until(lambda: "populated 0" in (cgroup / "cgroup.events").read_text())
    for path in (*sorted(cgroup.rglob("*/"), reverse=True), cgroup):
        path.rmdir()


@contextmanager
def below_ours(name: str) -> Iterator[Path]:
    """A cgroup of the test's own."""
    folder = own_cgroup()
    assert folder is not None
    made = folder / f"{name}-{os.getpid()}"
    made.mkdir()
    try:
        yield made
    finally:
        remove(made)


@contextmanager
def sleeper() -> Iterator[int]:
    process = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


# What is found


# Says its pid on the FIFO $1, and stays.
STAY = """sh -c 'echo $$ >"$1"; exec sleep 1000' sh "$1" """
ESCAPES = {
    "background": f"{STAY} &",
    "session-of-its-own": f"setsid {STAY} &",
    "environment-cleared": f"env -i setsid {STAY} &",
    "orphan": f"(env -i setsid {STAY} &)",
    "orphan-of-an-orphan": """
        (env -i setsid sh -c '(sh -c "echo \\$\\$ >$1; exec sleep 1000" &)' sh "$1" &)
    """,
    "outputs-closed": f"env -i setsid {STAY} </dev/null >/dev/null 2>&1 &",
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES.keys())
def test_what_a_call_leaves_behind_is_found_and_ended(
    run: Run, plans: Plans, engine: Engine, escape: str, tmp_path: Path
) -> None:
    script = f'mkfifo "$1"; {escape}\nread pid <"$1"; echo $pid'
    outcome = run(plans.call(plans.sh(script, str(tmp_path / "fifo"))))
    assert (outcome.ended, outcome.contained) == (Ended.EXIT, True)
    assert int(outcome.stdout.head) in outcome.survivors
    assert not any(map(is_alive, outcome.survivors))


def test_what_forks_faster_than_it_can_be_listed_is_ended(
    run: Run, plans: Plans, tmp_path: Path
) -> None:
    script = """
        mkfifo "$1"
        env -i setsid sh -c 'sleep 1000 & echo >"$1"; while :; do sleep 1000 & done' sh "$1" \\
            >/dev/null 2>&1 &
        read line <"$1"
    """
    outcome = run(plans.call(plans.sh(script, str(tmp_path / "fifo"))))
    assert len(outcome.survivors) > 1
    wait_until(lambda: not any(map(is_alive, outcome.survivors)))


def test_a_call_that_leaves_nothing_reports_nothing(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("(echo one; setsid -w echo two) | cat"), plans.sh("cat")))
    assert (outcome.stdout.head, outcome.survivors) == (b"one\ntwo\n", ())
    assert outcome.contained is True


def test_stages_of_a_pipeline_share_the_cgroup_of_their_call(run: Run, plans: Plans) -> None:
    show = plans.sh("grep ^0:: /proc/self/cgroup >&2; cat")
    outcome = run(plans.call(show, show, show))
    first, second, third = outcome.stderr.head.splitlines()
    assert first == second == third
    assert first.rpartition(b"/")[2].startswith(b"kill-")


@pytest.mark.parametrize(
    ("terminal", "refused", "led"),
    [
        pytest.param(False, False, ["0", "1", "0"], id="a-group-where-there-is-no-terminal"),
        pytest.param(True, False, ["1", "1", "0"], id="a-session-where-there-is-one"),
        pytest.param(False, True, ["1", "1", "0"], id="a-session-where-no-cgroup-holds-it"),
    ],
)
def test_a_child_is_set_apart_by(
    terminal: bool, refused: bool, led: list[str], probe: Path, engine_name: str
) -> None:
    host = """
        engine = make_engine(ENGINE)
        home = engine.containment()[1]
        if sys.argv[2] == "True":
            for leaf in Path(home).glob("kill-*"):
                leaf.rmdir()
        if sys.argv[1] == "True":
            os.open(os.ttyname(os.openpty()[1]), os.O_RDWR)
            assert os.isatty(os.open("/dev/tty", os.O_RDWR))
        with Plans(make_launcher("vfork")) as plans:
            outcome = engine.run_sync(plans.call(plans.stage(sys.argv[3])))
        assert outcome.contained is (sys.argv[2] == "False")
        print(outcome.stdout.head.decode())
        engine.close()
    """
    done = run_host(
        engine_name, host, str(terminal), str(refused), str(probe), start_new_session=True
    )
    child = read_probe(done.stdout)
    assert [child[key] for key in ("leads_session", "leads_group", "terminal")] == led


def test_a_call_that_takes_too_long_ends_with_all_it_started(
    run: Run, plans: Plans, tmp_path: Path
) -> None:
    script = """
        trap '' TERM; mkfifo "$1"
        env -i setsid sh -c 'echo $$ >"$1"; exec sleep 1000' sh "$1" &
        read pid <"$1"; echo $pid; wait
    """
    plan = plans.call(
        plans.sh(script, str(tmp_path / "fifo")),
        timeout_s=0.5,
        grace_s=0.1,
        survivors=Survivors.KEEP,
    )
    outcome = run(plan)
    assert (outcome.ended, outcome.survivors) == (Ended.TIMEOUT, (int(outcome.stdout.head),))
    assert not is_alive(outcome.survivors[0])


def test_closing_ends_what_a_running_call_has_started(plans: Plans, runner: str) -> None:
    engine = make_engine(IN_CGROUPS)
    script = "env -i setsid sh -c 'echo $$ >&2; exec sleep 1000' & wait"
    read_end, write_end = os.pipe()
    plan = plans.call(plans.sh(script), stderr=write_end, grace_s=60.0)
    ended: list[BaseException] = []

    def call() -> None:
        try:
            run_with(engine, runner, plan)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    pid = int(os.read(read_end, 64))
    engine.close()
    thread.join(PATIENCE_S)
    os.close(read_end)
    os.close(write_end)
    assert [type(error).__name__ for error in ended] == ["Closed"]
    assert not is_alive(pid)


def test_an_init_host_keeps_no_zombie_of_what_it_killed(
    runner: str, pid_namespace: tuple[str, ...], tmp_path: Path
) -> None:
    script = """
        with nothing_left_behind(), Plans(make_launcher(ENGINE)) as plans:
            engine = make_engine(ENGINE)
            stay = "env -i setsid sh -c 'echo >$1; exec sleep 1000' sh $1"
            script = f"sleep 1000 & mkfifo $1; {stay} & read line <$1"
            plan = plans.call(plans.sh(script, sys.argv[2]))
            outcome = run_with(engine, sys.argv[1], plan)
            print(os.getpid(), len(outcome.survivors), outcome.contained)
            engine.close()
            del engine
    """
    done = run_host(IN_CGROUPS, script, runner, str(tmp_path / "fifo"), wrapper=pid_namespace)
    assert done.stdout == "1 2 True\n"


# Leaves


def test_a_leaf_is_used_again(run: Run, plans: Plans, engine: Engine) -> None:
    before = leaves_of(engine)
    outcomes = [run(plans.call(plans.stage("/bin/true"))) for _ in range(5)]
    assert [outcome.contained for outcome in outcomes] == [True] * 5
    # One that containment() made, and one where the engine's threads have a table of their own.
    assert len(leaves_of(engine)) <= len(before) + 1


def test_after_a_kill_the_next_call_lives(run: Run, plans: Plans) -> None:
    """The kernel would kill whoever is born in a cgroup that was killed before."""
    for _ in range(3):
        assert len(run(plans.call(plans.sh("sleep 1000 >/dev/null 2>&1 &"))).survivors) == 1
        outcome = run(plans.call(plans.sh("echo alive")))
        assert (outcome.ended, outcome.stdout.head) == (Ended.EXIT, b"alive\n")


def test_a_kept_survivor_keeps_its_leaf_to_itself(run: Run, plans: Plans, engine: Engine) -> None:
    script = "env -i setsid sleep 1000 >/dev/null 2>&1 & grep ^0:: /proc/self/cgroup"
    first = run(plans.call(plans.sh(script), survivors=Survivors.KEEP))
    (survivor,) = first.survivors
    with doomed(survivor):
        second = run(plans.call(plans.sh("grep ^0:: /proc/self/cgroup"), survivors=Survivors.KEEP))
        assert (second.survivors, second.contained) == ((), True)
        assert second.stdout.head not in (b"", first.stdout.head)
        assert is_alive(survivor)


def test_the_leaf_of_a_kept_survivor_is_used_again_when_it_has_ended(
    engine: Engine, plans: Plans
) -> None:
    script = "sleep 1000 >/dev/null 2>&1 &"
    outcome = engine.run_sync(plans.call(plans.sh(script), survivors=Survivors.KEEP))
    leaves = leaves_of(engine)
    with doomed(outcome.survivors[0]):
        pass
    again = engine.run_sync(plans.call(plans.stage("/bin/true"), survivors=Survivors.KEEP))
    assert (again.survivors, again.contained, leaves_of(engine)) == ((), True, leaves)


def test_kept_survivors_outlive_the_engine_in_our_own_cgroup(plans: Plans, tmp_path: Path) -> None:
    engine = make_engine(IN_CGROUPS)
    script = """
        mkfifo "$1"
        env -i setsid sh -c 'sleep 1000 & echo >"$1"; exec sleep 1000' sh "$1" >/dev/null 2>&1 &
        read line <"$1"
    """
    plan = plans.call(plans.sh(script, str(tmp_path / "fifo")), survivors=Survivors.KEEP)
    outcome = engine.run_sync(plan)
    one, other = outcome.survivors
    with doomed(one), doomed(other):
        engine.close()
        ours = Path("/proc/self/cgroup").read_text().splitlines()[-1]
        theirs = [Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1] for pid in (one, other)]
        assert theirs == [ours, ours]
        assert (is_alive(one), is_alive(other)) == (True, True)
    assert own_cgroups(os.getpid()) == []


def test_calls_at_the_same_time_have_a_leaf_each(engine: Engine, plans: Plans) -> None:
    read_end, write_end = os.pipe()
    plan = plans.call(plans.sh("grep ^0:: /proc/self/cgroup; read line"), stdin=read_end)
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(engine.run_sync(plan))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: sum(len(members(home_of(engine) / leaf)) for leaf in leaves_of(engine)) == 8)
    os.close(write_end)
    for thread in threads:
        thread.join(PATIENCE_S)
    os.close(read_end)
    assert len({outcome.stdout.head for outcome in outcomes}) == 8


# Going without


def test_a_call_goes_without_where_its_leaf_was_taken_away(engine: Engine, plans: Plans) -> None:
    (leaf,) = leaves_of(engine)
    (home_of(engine) / leaf).rmdir()
    outcome = engine.run_sync(plans.call(plans.sh("sleep 1000 >/dev/null 2>&1 & echo $!")))
    assert (outcome.contained, outcome.survivors) == (False, (int(outcome.stdout.head),))
    wait_until(lambda: not is_alive(outcome.survivors[0]))
    assert engine.run_sync(plans.call(plans.stage("/bin/true"))).contained is True


def test_a_call_goes_without_where_no_more_cgroups_are_allowed(
    engine: Engine, plans: Plans
) -> None:
    home = home_of(engine)
    (home / "cgroup.max.descendants").write_text("1")
    read_end, write_end = os.pipe()
    waiting = plans.call(plans.sh("read line"), stdin=read_end)
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(engine.run_sync(waiting)))
    thread.start()
    wait_until(lambda: any(members(home / leaf) for leaf in leaves_of(engine)))
    outcomes.append(engine.run_sync(plans.call(plans.stage("/bin/echo", "free"))))
    os.close(write_end)
    thread.join(PATIENCE_S)
    os.close(read_end)
    assert [(outcome.stdout.head, outcome.contained) for outcome in outcomes] == [
        (b"free\n", False),
        (b"", True),
    ]


REPORT = """
    with Plans(make_launcher(ENGINE)) as plans:
        engine = make_engine(ENGINE)
        plan = plans.call(plans.sh("sleep 1000 & echo $!"))
        outcome = run_with(engine, sys.argv[1], plan)
        print(outcome.contained, outcome.survivors == (int(outcome.stdout.head),))
        print(engine.containment()[1])
        engine.close()
"""


@pytest.mark.parametrize(
    ("before", "why"),
    [
        pytest.param(
            "refuse_system_calls([435], 38)",
            "no process can be born in one: Function not implemented",
            id="clone3-refused",
        ),
        pytest.param(
            "os.setgroups([]); os.setresgid(65534, 65534, 65534); "
            "os.setresuid(65534, 65534, 65534)",
            "none can be made below our own: Permission denied",
            id="not-writable",
        ),
        pytest.param(
            "subprocess.run(['umount', '-l', str(own_cgroup())], check=True)",
            "the cgroup v2 of this process is not mounted here",
            id="not-mounted",
        ),
        pytest.param(
            "subprocess.run(['mount', '-o', 'remount,bind,ro', str(own_cgroup())], check=True)",
            "none can be made below our own: Read-only file system",
            id="read-only",
        ),
        pytest.param(
            "subprocess.run(['mount', '-t', 'tmpfs', 'none', str(own_cgroup())], check=True)",
            "the cgroup of this process is not where it should be",
            id="another-mount-over-it",
        ),
    ],
)
def test_a_machine_without_is_told_and_calls_go_without(before: str, why: str, runner: str) -> None:
    assert own_cgroup() == Path("/sys/fs/cgroup/unified") or "own_cgroup" not in before
    done = run_host(
        IN_CGROUPS,
        f"{before}\n" + "\n".join(line[4:] for line in REPORT.splitlines()),
        runner,
        wrapper=("unshare", "--mount"),
    )
    assert done.stdout == f"False True\n{why}\n"


def test_below_a_threaded_cgroup_calls_go_without(runner: str) -> None:
    with below_ours("threaded") as cgroup:
        (cgroup / "cgroup.type").write_text("threaded")
        enter = f"Path({str(cgroup / 'cgroup.threads')!r}).write_text('0')"
        done = run_host(IN_CGROUPS, f"{enter}\n" + _dedented(REPORT), runner)
    first, second = done.stdout.splitlines()
    assert (first, second) == (
        "False True",
        "the cgroup of this process is not where it should be",
    )


def test_in_a_cgroup_that_was_killed_once_calls_go_without(runner: str) -> None:
    """The kernel would take each birth below it for one that the kill had missed."""
    with below_ours("killed") as cgroup:
        (cgroup / "cgroup.kill").write_text("1")
        enter = f"Path({str(cgroup / 'cgroup.procs')!r}).write_text('0')"
        done = run_host(IN_CGROUPS, f"{enter}\n" + _dedented(REPORT), runner)
    assert done.stdout == "False True\nno process can be born in one: Operation canceled\n"


def _dedented(script: str) -> str:
    return "\n".join(line[4:] for line in script.splitlines())


def test_a_delegated_cgroup_is_enough_for_somebody_who_is_not_root(
    runner: str, tmp_path: Path
) -> None:
    """As systemd gives one to a user: the directory and cgroup.procs are theirs."""
    with below_ours("delegated") as cgroup:
        for path in (cgroup, cgroup / "cgroup.procs"):
            os.chown(path, 65534, 65534)
        enter = f"""
Path({str(cgroup / "cgroup.procs")!r}).write_text('0')
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
"""
        done = run_host(IN_CGROUPS, enter + _dedented(REPORT), runner)
        assert list(cgroup.rglob("*/")) == []
    contained, home = done.stdout.splitlines()
    assert (contained, Path(home).parent) == ("True True", cgroup)


def test_cgroups_may_be_demanded(tmp_path: Path) -> None:
    with ExecTool(tmp_path, policy="open", containment="cgroup") as tool:
        assert tool.containment is Containment.CGROUP
    with ExecTool(tmp_path, policy="open", containment="session") as tool:
        assert tool.containment is Containment.SESSION
    with pytest.raises(Unsupported, match="cgroups of their own"):
        ExecTool(tmp_path, policy="open", launcher="portable", containment="cgroup")


def test_an_engine_without_cgroups_says_that_none_were_asked_for() -> None:
    engine, _ = select_engine("vfork")
    assert engine.containment() == (False, "not asked for")
    engine.close()


# Owners


def test_engines_have_a_cgroup_each_and_take_it_with_them(plans: Plans) -> None:
    engines = [make_engine(IN_CGROUPS) for _ in range(3)]
    for engine in engines:
        assert engine.run_sync(plans.call(plans.stage("/bin/true"))).contained
    assert sorted(map(home_of, engines)) == sorted(own_cgroups(os.getpid()))
    engines[0].close()
    assert sorted(map(home_of, engines[1:])) == sorted(own_cgroups(os.getpid()))
    assert engines[1].run_sync(plans.call(plans.stage("/bin/true"))).contained
    for engine in engines:
        engine.close()
    assert own_cgroups(os.getpid()) == []


def test_an_engine_that_was_never_used_makes_no_cgroup() -> None:
    engine = make_engine(IN_CGROUPS)
    assert own_cgroups(os.getpid()) == []
    engine.close()


def test_at_interpreter_exit_no_cgroup_remains(runner: str) -> None:
    script = """
        with Plans(make_launcher(ENGINE)) as plans:
            engine = make_engine(ENGINE)
            assert run_with(engine, sys.argv[1], plans.call(plans.stage("/bin/true"))).contained
        print(os.getpid(), len(own_cgroups(os.getpid())))
    """
    pid, n = run_host(IN_CGROUPS, script, runner).stdout.split()
    assert (n, own_cgroups(int(pid))) == ("1", [])


def test_a_forked_child_leaves_the_cgroups_of_its_parent_alone(runner: str) -> None:
    script = """
        engine = make_engine(ENGINE)
        def call():
            with Plans(make_launcher(ENGINE)) as plans:
                plan = plans.call(plans.sh("grep ^0:: /proc/self/cgroup; sleep 1000 >/dev/null &"))
                outcome = run_with(engine, sys.argv[1], plan)
            assert (outcome.contained, len(outcome.survivors)) == (True, 1), outcome
            return outcome.stdout.head.decode()
        before = call()
        pid = os.fork()
        if pid == 0:
            assert f"agent_exec-{os.getpid()}-" in call()
            engine.close()
            os._exit(7 if own_cgroups(os.getpid()) == [] else 8)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert len(own_cgroups(os.getpid())) == 1
        assert before.rpartition("/")[0] == call().rpartition("/")[0]
        pid = os.fork()
        if pid == 0:
            engine.close()  # of an engine that it never used
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        call()
        engine.close()
        print(own_cgroups(os.getpid()))
    """
    assert run_host(IN_CGROUPS, script, runner).stdout == "[]\n"


def test_a_forked_child_holds_nothing_of_the_cgroups(runner: str) -> None:
    script = """
        engine = make_engine(ENGINE)
        with Plans(make_launcher(ENGINE)) as plans:
            assert run_with(engine, sys.argv[1], plans.call(plans.stage("/bin/true"))).contained
        pid = os.fork()
        if pid == 0:
            held = [what for _, what in Belongings.now().descriptors if "cgroup" in what]
            print(held, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        engine.close()
    """
    assert run_host(IN_CGROUPS, script, runner).stdout == "[]\n"


def test_a_call_within_a_call_ends_with_it(run: Run, plans: Plans, engine: Engine) -> None:
    """The inner engine makes its cgroups in ours; its host is killed in the middle, and has
    no guardian that would be quicker than we are."""
    inner = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from realproc import *
from agent_exec.launch import native
engine = native.Engine(4, True, None)
with Plans(VforkLauncher()) as plans:
    script = "env -i setsid sh -c 'echo $$ >&2; kill -9 $1; exec sleep 1000' sh $PPID & sleep 1000"
    engine.run(plans.call(plans.sh(script), stderr=2))
"""
    environment = tuple(f"{name}={value}".encode() for name, value in os.environ.items())
    # By its full name it finds the packages of its environment.
    argv = tuple(word.encode() for word in (sys.executable, "-c", inner))
    outcome = run(plans.call(plans.stage(sys.executable, argv=argv, envp=environment)))
    assert (outcome.ended, outcome.contained) == (Ended.SIGNAL, True)
    # By us, or by the guardian of the inner engine, whoever was first.
    assert not is_alive(int(outcome.stderr.head.splitlines()[-1]))
    assert not any(map(is_alive, outcome.survivors))
    assert [path for path in home_of(engine).rglob("*/") if path.parent != home_of(engine)] == []


# Owners that are gone


@pytest.fixture
def gone() -> int:
    """The pid of a process that has ended."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


@pytest.fixture
def left_by(gone: int) -> Iterator[Callable[..., Path]]:
    """Makes a cgroup as an engine that is gone would have left it, with a process in it."""
    folder = own_cgroup()
    assert folder is not None
    made: list[Path] = []

    def make(member: int, leaf: str = "kill-0", owner: str = f"{gone}-1") -> Path:
        home = folder / f"agent_exec-{owner}-{os.urandom(4).hex()}"
        (home / leaf).mkdir(parents=True)
        (home / leaf / "cgroup.procs").write_text(str(member))
        made.append(home)
        return home

    yield make
    for home in made:
        if home.exists():
            remove(home)


def test_what_a_dead_owner_left_is_ended_by_the_next(left_by: Callable[..., Path]) -> None:
    with sleeper() as pid:
        home = left_by(pid)
        engine = make_engine(IN_CGROUPS)
        engine.containment()
        engine.close()
        assert (home.exists(), is_alive(pid)) == (False, False)


def test_what_a_dead_owner_wanted_kept_lives_on(left_by: Callable[..., Path]) -> None:
    with sleeper() as pid:
        home = left_by(pid, "keep-0")
        engine = make_engine(IN_CGROUPS)
        engine.containment()
        engine.close()
        assert (members(home / "keep-0"), is_alive(pid)) == ([pid], True)


def test_what_a_living_owner_has_is_left_alone(left_by: Callable[..., Path]) -> None:
    start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    with sleeper() as pid:
        home = left_by(pid, owner=f"{os.getpid()}-{start}")
        engine = make_engine(IN_CGROUPS)
        engine.containment()
        engine.close()
        assert (members(home / "kill-0"), is_alive(pid)) == ([pid], True)


def test_what_an_owner_of_another_pid_namespace_has_is_left_alone(
    left_by: Callable[..., Path],
) -> None:
    """Its pid means nothing here; its lock does."""
    with sleeper() as pid:
        home = left_by(pid)
        lock = os.open(home, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = make_engine(IN_CGROUPS)
        engine.containment()
        engine.close()
        os.close(lock)
        assert (members(home / "kill-0"), is_alive(pid)) == ([pid], True)


def test_a_living_engine_is_not_swept_from_another_pid_namespace(
    plans: Plans, engine: Engine, pid_namespace: tuple[str, ...]
) -> None:
    home = home_of(engine)
    script = """
        engine = make_engine(ENGINE)
        print(engine.containment()[0])
        engine.close()
    """
    assert run_host(IN_CGROUPS, script, wrapper=pid_namespace).stdout == "True\n"
    assert home.exists()
    assert engine.run_sync(plans.call(plans.stage("/bin/true"))).contained is True


def test_a_recycled_pid_is_not_the_owner(left_by: Callable[..., Path]) -> None:
    with sleeper() as pid:
        home = left_by(pid, owner=f"{os.getpid()}-1")
        engine = make_engine(IN_CGROUPS)
        engine.containment()
        engine.close()
        assert (home.exists(), is_alive(pid)) == (False, False)
