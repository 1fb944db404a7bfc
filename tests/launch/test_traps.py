"""The traps of launching programs, each under its number and name.

Where a trap needs a limit, a filter, a fork or an end, the host is a process of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest
from realproc import (
    PATIENCE_S,
    Belongings,
    Plans,
    finish,
    is_alive,
    read_probe,
    run_host,
    wait_until,
)

from agent_exec.errors import LaunchError, Step
from agent_exec.launch.base import Launcher
from agent_exec.model.action import Action, OpenHow
from agent_exec.model.outcome import Ended, Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.engine import Engine

pytestmark = pytest.mark.timeout(30)

Run = Callable[[CallPlan], Outcome]

MANY = """
    import threading
    def many(engine, runner, plan, threads=4, each=8, of=lambda outcome: outcome.stdout.head):
        said = []
        def some():
            for _ in range(each):
                said.append(of(run_with(engine, runner, plan)))
        workers = [threading.Thread(target=some) for _ in range(threads)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        return said
"""


@contextmanager
def in_thread(run: Callable[[], Outcome]) -> Iterator[list[Outcome]]:
    """`run` on a thread of its own; its outcome is in the list after the block."""
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(run()))
    thread.start()
    try:
        yield outcomes
    finally:
        thread.join(PATIENCE_S)


# 1. epoll, close and shared open files


def test_trap_01_epoll_a_forked_process_that_holds_our_files_wakes_nobody(
    engine_name: str, runner: str
) -> None:
    """Nothing hangs, nothing is mixed up, and nobody spins on what was closed."""
    script = (
        MANY
        + """
    import threading, time
    engine = make_engine(ENGINE)
    with Plans(make_launcher(ENGINE)) as plans:
        said, say = os.pipe()
        slow = plans.call(plans.sh("echo >&2; sleep 0.2; echo slow"), stderr=say)
        quick = plans.call(plans.stage("/bin/echo", "quick"))
        outcomes = []
        def one():
            outcomes.append(run_with(engine, sys.argv[1], slow).stdout.head)
        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in threads: os.read(said, 1)
        pid = os.fork()  # with the pipes and pidfds of four calls
        if pid == 0:
            signal.pause()
        for thread in threads: thread.join()
        print(set(outcomes), set(many(engine, sys.argv[1], quick)))
        before = time.process_time()
        run_with(engine, sys.argv[1], plans.call(plans.stage("/bin/sleep", "0.5")))
        print(time.process_time() - before < 0.25)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    engine.close()
    """
    )
    said = run_host(engine_name, script, runner).stdout.splitlines()
    assert said == ["{b'slow\\n'} {b'quick\\n'}", "True"]


# 2. Descriptors held by others until they exec


def test_trap_02_cloexec_another_child_of_the_host_never_holds_our_pipes(
    run: Run, plans: Plans
) -> None:
    """Ends of file would come late, or not as long as it lives."""
    strangers = []
    for _ in range(5):
        with in_thread(
            lambda: run(plans.call(plans.sh("echo >&2; exec cat"), stdin=b"x" * 300_000))
        ) as outcomes:
            strangers.append(subprocess.Popen(["/bin/sleep", "1000"], close_fds=False))
        assert (len(outcomes[0].stdout.head), outcomes[0].pipe_held) == (300_000, False)
    for stranger in strangers:
        stranger.kill()
        stranger.wait()


@pytest.fixture
def written(tmp_path: Path, probe: Path) -> Path:
    path = tmp_path / "written"
    path.write_bytes(probe.read_bytes())
    path.chmod(0o755)
    return path


def test_trap_02_etxtbsy_a_program_whose_writer_is_about_to_close_is_tried_again(
    launcher: Launcher, written: Path
) -> None:
    """The writer closes when the exec has been tried for the first time."""
    inotify_open, nonblock = 0x20, 0
    libc = ctypes.CDLL(None)
    with Plans(launcher) as plans:
        plan = plans.stage(written)
        writer = os.open(written, os.O_WRONLY)
        watch = libc.inotify_init1(nonblock)
        assert libc.inotify_add_watch(watch, os.fsencode(written), inotify_open) > 0

        def close_when_tried() -> None:
            os.read(watch, 4096)
            os.close(writer)

        thread = threading.Thread(target=close_when_tried)
        thread.start()
        null = os.open("/dev/null", os.O_WRONLY)
        child = launcher.spawn(plans.stage(plan.executable, actions=(Action.dup2(null, 1),)))
        thread.join(PATIENCE_S)
        os.close(null)
        os.close(watch)
        assert finish(child) == (os.CLD_EXITED, 0)


def test_trap_02_etxtbsy_a_program_that_stays_open_for_writing_is_refused(
    run: Run, plans: Plans, written: Path
) -> None:
    plan = plans.call(plans.stage(written))
    with open(written, "ab"), pytest.raises(LaunchError) as raised:
        run(plan)
    assert (raised.value.step, raised.value.errno) == (Step.EXEC, errno.ETXTBSY)


# 3. A child in its parent's memory


def test_trap_03_vfork_failing_children_leave_the_parents_memory_alone(
    launcher: Launcher, plans_of_launcher: Plans, tmp_path: Path
) -> None:
    """Each thread gets the answer to its own launch, at any depth of its stack."""
    plans = plans_of_launcher
    missing = OpenHow(os.fsencode(tmp_path / "missing"))
    cases = [
        (plans.stage("/bin/true", actions=(Action.close(999),)), errno.EBADF),
        (plans.stage("/bin/true", actions=(Action.open(0, missing),)), errno.ENOENT),
        (plans.stage("/bin/true", "x" * (1 << 20)), errno.E2BIG),
        (plans.stage(tmp_path), errno.EACCES),
    ]
    wrong: list[object] = []

    def launch(index: int, depth: int) -> None:
        if depth > 0:
            launch(index, depth - 1)
            return
        plan, expected = cases[index % len(cases)]
        for _ in range(25):
            with pytest.raises(LaunchError) as raised:
                launcher.spawn(plan)
            if raised.value.errno != expected:
                wrong.append((index, raised.value))

    threads = [threading.Thread(target=launch, args=(index, 40 * index)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert wrong == []


@pytest.fixture
def plans_of_launcher(launcher: Launcher) -> Iterator[Plans]:
    with Plans(launcher) as made:
        yield made


# 4. Signals


def test_trap_04_signals_neither_mask_nor_ignored_signals_reach_the_child(
    engine_name: str, runner: str, probe: Path
) -> None:
    """Not the host's, not those of our own threads; and its handlers are not run there."""
    script = """
        import threading
        for signum in (1, 2, 3, 5, 10, 11, 13, 15, 17, 23, 25, 34, 64):
            signal.signal(signum, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, lambda *_: print("handled", flush=True))
        said = []
        with Plans(make_launcher(ENGINE)) as plans:
            engine = make_engine(ENGINE)
            plan = plans.call(plans.stage(sys.argv[2]))
            def call():
                signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
                before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
                child = read_probe(run_with(engine, sys.argv[1], plan).stdout.head.decode())
                said.append((child["blocked"], child["ignored"]))
                said.append(signal.pthread_sigmask(signal.SIG_BLOCK, []) == before)
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
            engine.close()
        print(said)
    """
    done = run_host(engine_name, script, runner, str(probe))
    assert done.stdout == "[('', ''), True]\n"


def test_trap_04_signals_that_are_ignored_since_the_last_launch_do_not_reach_the_child(
    probe: Path,
) -> None:
    """Those that programs do ignore for a while; the core asks for others seldom."""
    script = """
        often = (1, 2, 3, 10, 12, 13, 14, 15, 17, 20, 21, 22, 25)
        with Plans(make_launcher(ENGINE)) as plans:
            engine = make_engine(ENGINE)
            plan = plans.call(plans.stage(sys.argv[2]))
            said = set()
            for _ in range(8):
                for disposition in (signal.SIG_DFL, signal.SIG_IGN):
                    for signum in often:
                        signal.signal(signum, disposition)
                    outcome = run_with(engine, sys.argv[1], plan)
                    said.add(read_probe(outcome.stdout.head.decode())["ignored"])
            engine.close()
        print(said)
    """
    assert run_host("native", script, "sync", str(probe)).stdout == "{''}\n"


def test_trap_04_signals_to_the_group_during_launches_do_their_default_in_the_child(
    engine_name: str, runner: str
) -> None:
    """Over and over: it meets some children between clone and exec, in our group still.

    There it ends them, as it would after any fork; no handler of the host runs there.
    """
    script = (
        MANY
        + """
    import threading
    os.setpgid(0, 0)
    handled = set()
    signal.signal(signal.SIGUSR1, lambda *_: handled.add(os.getpid()))
    done = threading.Event()
    def pester():
        while not done.wait(0.0005):
            os.killpg(0, signal.SIGUSR1)
    thread = threading.Thread(target=pester)
    with Plans(make_launcher(ENGINE)) as plans:
        engine = make_engine(ENGINE)
        plan = plans.call(plans.stage("/bin/echo", "text"))
        thread.start()
        said = many(engine, sys.argv[1], plan, of=lambda o: (o.stdout.head, o.stages[0].signal))
        done.set()
        thread.join()
        engine.close()
    print(set(said) <= {(b"text\\n", None), (b"", signal.SIGUSR1)}, handled == {os.getpid()})
    """
    )
    assert run_host(engine_name, script, runner).stdout == "True True\n"


# 5. Threads, forks and the end


def test_trap_05_fork_with_calls_in_flight_parent_and_child_go_on(
    engine_name: str, runner: str
) -> None:
    script = (
        MANY
        + """
    import threading
    engine = make_engine(ENGINE)
    def calls(text):
        with Plans(make_launcher(ENGINE)) as plans:
            return set(many(engine, sys.argv[1], plans.call(plans.stage("/bin/echo", text))))
    calls("first")  # and all imports: a fork during one leaves its lock held
    results = []
    thread = threading.Thread(target=lambda: results.append(calls("parent")))
    thread.start()
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            same = calls("child") == {b"child\\n"}
            engine.close()
            os._exit(0 if same else 1)
        children.append(pid)
    thread.join()
    print(results, [os.waitpid(pid, 0)[1] for pid in children])
    engine.close()
    """
    )
    assert run_host(engine_name, script, runner).stdout == "[{b'parent\\n'}] [0, 0, 0]\n"


def test_trap_05_exit_with_calls_in_flight_on_every_thread(engine_name: str, runner: str) -> None:
    script = """
        engine = make_engine(ENGINE)
        said, say = os.pipe()
        plans = Plans(make_launcher(ENGINE))
        plan = plans.call(plans.sh("echo $$ >&2; exec sleep 1000"), stderr=say, grace_s=60.0)
        for _ in range(6):
            start_daemon(run_with, engine, sys.argv[1], plan)
        lines = open(said, closefd=False)
        for _ in range(6):
            print(int(lines.readline()), flush=True)
    """
    pids = [int(line) for line in run_host(engine_name, script, runner).stdout.split()]
    assert len(pids) == 6
    assert not any(is_alive(pid) for pid in pids)


# 6. The environment


def test_trap_06_environ_is_never_read_by_a_launch(run: Run, plans: Plans, probe: Path) -> None:
    libc = ctypes.CDLL(None)
    libc.setenv(b"AGENT_EXEC_LEAK", b"1", 1)
    try:
        outcome = run(plans.call(plans.stage(probe, envp=(b"A=1", b"B="))))
    finally:
        libc.unsetenv(b"AGENT_EXEC_LEAK")
    lines = outcome.stdout.head.decode().splitlines()
    assert [line for line in lines if line.startswith("env ")] == ["env A=1", "env B="]


# 7. Scripts, and names


def test_trap_07_scripts_run_under_their_path_and_get_no_descriptor(
    run: Run, plans: Plans, tmp_path: Path, probe: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{probe} option\n")
    script.chmod(0o755)
    outcome = run(plans.call(plans.stage(script, "word")))
    child = read_probe(outcome.stdout.head.decode())
    assert [child[f"argv{n}"] for n in range(4)] == [str(probe), "option", str(script), "word"]
    assert (child["descriptors"], child["comm"]) == ("0 1 2", "script")


def test_trap_07_scripts_without_a_first_line_are_no_programs(
    run: Run, plans: Plans, tmp_path: Path
) -> None:
    """No falling back to a shell."""
    script = tmp_path / "script"
    script.write_text("echo text\n")
    script.chmod(0o755)
    with pytest.raises(LaunchError) as raised:
        run(plans.call(plans.stage(script)))
    assert (raised.value.step, raised.value.errno) == (Step.EXEC, errno.ENOEXEC)


def test_trap_07_names_are_those_of_any_exec(run: Run, plans: Plans, probe: Path) -> None:
    outcome = run(plans.call(plans.stage(probe, argv=(b"-name",))))
    child = read_probe(outcome.stdout.head.decode())
    assert (child["argv0"], child["execfn"], child["comm"]) == ("-name", str(probe), "probe")


# 8. Containers


CLONE3, CLOSE_RANGE, PIDFD_GETFD = 435, 436, 438


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM], ids=["enosys", "eperm"])
def test_trap_08_seccomp_clone3_refused_is_done_without(
    engine_name: str, runner: str, error: int
) -> None:
    """Profiles differ in their answer; libc itself understands only ENOSYS."""
    script = (
        MANY
        + f"""
    with Plans(make_launcher(ENGINE)) as plans:
        engine = make_engine(ENGINE)
        plan = plans.call(plans.stage("/bin/echo", "text"))
        run_with(engine, sys.argv[1], plan)  # threads are made by clone3 too
        refuse_system_calls([{CLONE3}], {error})
        try:
            for _ in range(5):
                print(run_with(engine, sys.argv[1], plan).stdout.head)
        except Exception as refused:
            print(type(refused).__name__, refused.errno)
        engine.close()
    """
    )
    said = set(run_host(engine_name, script, runner).stdout.splitlines())
    if engine_name == "thread-portable" and error == errno.EPERM:
        assert said in ({"b'text\\n'"}, {f"LaunchError {errno.EPERM}"})
    else:
        assert said == {"b'text\\n'"}


def test_trap_08_seccomp_without_pidfd_getfd(engine_name: str, runner: str) -> None:
    """An engine that keeps its descriptors apart cannot, and works with the host's."""
    script = (
        MANY
        + f"""
    refuse_system_calls([{PIDFD_GETFD}], 1)
    with nothing_left_behind(), Plans(make_launcher(ENGINE)) as plans:
        engine = make_engine(ENGINE)
        plan = plans.call(plans.sh("cat; echo err >&2"), stdin=b"in")
        print(set(many(engine, sys.argv[1], plan)))
        engine.close()
        del engine
    """
    )
    assert run_host(engine_name, script, runner).stdout == "{b'in'}\n"


# 9. Somebody else's wait


def test_trap_09_status_taken_by_somebody_elses_wait(run: Run, plans: Plans) -> None:
    """It reaps while we still listen to a pipe; the kernel remembers since 6.15."""
    mark = b"AGENT_EXEC_CALL=" + os.urandom(8).hex().encode()
    # It reads a line first: then it is known to the engine before it can be reaped.
    script = "read line; sleep 1000 & echo $!; exit 5"
    stage = plans.sh(script, envp=(b"PATH=/bin", mark))
    plan = plans.call(stage, stdin=b"go\n", drain_s=1.0, mark=mark)
    with in_thread(lambda: run(plan)) as outcomes:
        stolen: list[int] = []

        def steal() -> bool:
            with suppress(ChildProcessError):  # it has not been started yet
                stolen.append(os.waitpid(-1, os.WNOHANG)[0])
            return any(stolen)

        wait_until(steal)
    (outcome,) = outcomes
    (stage_outcome,) = outcome.stages
    assert (stage_outcome.pid, outcome.ended) == (max(stolen), Ended.EXIT)
    assert (stage_outcome.exit_code, stage_outcome.signal) in ((5, None), (None, None))
    if _kernel() >= (6, 15):
        assert stage_outcome.exit_code == 5
    assert outcome.survivors == (int(outcome.stdout.head),)
    wait_until(lambda: not is_alive(outcome.survivors[0]))


def test_trap_09_sigchld_ignored_by_the_host_loses_no_call(engine_name: str, runner: str) -> None:
    script = (
        MANY
        + """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with Plans(make_launcher(ENGINE)) as plans:
        engine = make_engine(ENGINE)
        print(set(many(engine, sys.argv[1], plans.call(plans.stage("/bin/echo", "text")))))
        engine.close()
    """
    )
    assert run_host(engine_name, script, runner).stdout == "{b'text\\n'}\n"


# 10. Recycled numbers


def test_trap_10_group_of_a_leader_that_has_exited_is_ended_with_it(run: Run, plans: Plans) -> None:
    """While our zombie keeps the number of the group from being used again."""
    outcome = run(plans.call(plans.sh("sh -c \"trap '' TERM; sleep 1000\" & echo $!")))
    assert int(outcome.stdout.head) in outcome.survivors
    wait_until(lambda: not any(is_alive(pid) for pid in outcome.survivors))


def test_trap_10_numbers_that_go_round_during_a_call_hide_no_survivor(
    engine_name: str, runner: str, pid_namespace: tuple[str, ...]
) -> None:
    script = """
        with Plans(make_launcher(ENGINE)) as plans:
            engine = make_engine(ENGINE)
            run_with(engine, sys.argv[1], plans.call(plans.stage("/bin/true")))
            most = int(Path("/proc/sys/kernel/pid_max").read_text())
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(most - 3))
            plan = plans.call(plans.sh("for i in 1 2 3 4; do sleep 1000 & echo $!; done"))
            outcome = run_with(engine, sys.argv[1], plan)
            pids = [int(line) for line in outcome.stdout.head.split()]
            print(sorted(outcome.survivors) == sorted(pids), pids == sorted(pids))
            engine.close()
    """
    assert run_host(engine_name, script, runner, wrapper=pid_namespace).stdout == "True False\n"


def test_trap_10_recycled_group_of_somebody_else_is_left_alone(
    engine_name: str, runner: str, pid_namespace: tuple[str, ...], tmp_path: Path
) -> None:
    """A stage was reaped by somebody else, and a stranger leads a group of its number."""
    script = """
        import threading
        os.mkfifo(sys.argv[2])
        said, say = os.pipe()
        with Plans(make_launcher(ENGINE)) as plans:
            engine = make_engine(ENGINE)
            first = plans.sh("echo $$ >&2")
            second = plans.sh('echo up >&2; read line <"$1"', sys.argv[2])
            plan = plans.call(first, second, stderr=say)
            outcomes = []
            thread = threading.Thread(
                target=lambda: outcomes.append(run_with(engine, sys.argv[1], plan))
            )
            thread.start()
            words = set()
            while len(words) < 2:
                words.update(os.read(said, 64).decode().split())
            pid = int((words - {"up"}).pop())
            os.waitpid(pid, 0)
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
            stranger = subprocess.Popen(
                ["/bin/sh", "-c", "sleep 1000 & echo $!; wait"],
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            child = int(stranger.stdout.readline())
            os.close(os.open(sys.argv[2], os.O_WRONLY))
            thread.join()
            print(stranger.pid == pid, stranger.poll(), is_alive(child))
            print(outcomes[0].ended, outcomes[0].survivors)
            engine.close()
    """
    arguments = runner, str(tmp_path / "fifo")
    said = run_host(engine_name, script, *arguments, wrapper=pid_namespace).stdout
    assert said == "True None True\nexit ()\n"


# 11. Subinterpreters


def test_trap_11_subinterpreters_may_use_the_native_core() -> None:
    """Several in turn, beside the main interpreter; each has state of its own."""
    inner = """
import os
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.plan import CallPlan, Executable, Identity, SpawnPlan
from agent_exec.runtime.native_engine import NativeEngine
fd = os.open("/bin/echo", os.O_PATH | os.O_CLOEXEC)
echo = Executable(
    fd=fd, path=b"/bin/echo", identity=Identity.of(os.fstat(fd)), script=False,
    credentials=VforkLauncher().credentials(),
)
engine = NativeEngine()
plan = CallPlan(stages=(SpawnPlan(executable=echo, argv=(b"echo", b"sub")),))
assert engine.run_sync(plan).stdout.head == b"sub\\n"
engine.close()
os.close(fd)
"""
    script = f"""
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        inner = {inner!r}
        exec(inner)
        for _ in range(3):
            interpreter = interpreters.create()
            failed = interpreters.run_string(interpreter, inner)
            assert failed is None, failed
            interpreters.destroy(interpreter)
        exec(inner)
        print("done")
    """
    assert run_host("native", script).stdout == "done\n"


# 12. Cancelling


@pytest.mark.anyio
async def test_trap_12_cancel_ends_what_it_cancels_and_nothing_else(
    engine: Engine, plans: Plans
) -> None:
    """Half of the calls are cancelled at all stages of their lives."""
    kept: list[bytes] = []

    async def keep() -> None:
        plan = plans.call(plans.sh("sleep 0.1; echo kept"))
        kept.append((await engine.run(plan)).stdout.head)

    async def give_up(patience: float) -> None:
        with anyio.move_on_after(patience):
            await engine.run(plans.call(plans.stage("/bin/sleep", "1000"), grace_s=5.0))

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(keep)
                tasks.start_soon(give_up, number * 0.004)
    assert kept == [b"kept\n"] * 30


# 13. An exec that hangs


@contextmanager
def hanging(plans: Plans, tmp_path: Path, **limits: float) -> Iterator[CallPlan]:
    """A call whose child waits for a FIFO before its exec, as on a file system that hangs.

    After the block the FIFO lets it go on.
    """
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    stage = plans.stage("/bin/cat", actions=(Action.open(0, OpenHow(os.fsencode(fifo))),))
    yield plans.call(stage, **limits)
    _let_go(fifo)


def _let_go(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:  # ENXIO: nobody waits
        return False
    return True


def test_trap_13_hung_execs_do_not_keep_others_from_starting(
    engine: Engine, run: Run, plans: Plans, tmp_path: Path
) -> None:
    outcomes: list[Outcome] = []

    def call(plan: CallPlan) -> None:
        outcomes.append(run(plan))

    with hanging(plans, tmp_path) as hung:
        threads = [threading.Thread(target=call, args=(hung,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        quick = plans.call(plans.stage("/bin/echo", "quick"))
        assert {run(quick).stdout.head for _ in range(20)} == {b"quick\n"}
        assert outcomes == []
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [outcome.ended for outcome in outcomes] == [Ended.EXIT] * 5


@pytest.mark.anyio
async def test_trap_13_hung_exec_can_be_cancelled(
    engine: Engine, plans: Plans, tmp_path: Path
) -> None:
    with hanging(plans, tmp_path, grace_s=0.1) as hung, anyio.fail_after(PATIENCE_S):
        with anyio.move_on_after(0.2) as scope:
            await engine.run(hung)
        assert scope.cancelled_caught


@pytest.mark.anyio
async def test_trap_13_exec_that_comes_about_after_all_has_the_grace(
    engine: Engine, engine_name: str, plans: Plans, tmp_path: Path
) -> None:
    """A cancelled call whose launch is not over yet: nobody can know that its exec hangs."""
    if engine_name != "native":
        return
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    said, say = os.pipe()
    actions = (Action.sigmask({signal.SIGTERM}), Action.open(0, OpenHow(os.fsencode(fifo))))
    plan = plans.call(plans.sh("echo up >&2", actions=actions), stderr=say, grace_s=60.0)
    before = Belongings.now().children
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan)
            await anyio.wait_all_tasks_blocked()
            wait_until(lambda: Belongings.now().children > before)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                # After it, the engine has looked at what was asked for before it.
                await engine.run(plans.call(plans.stage("/bin/true")))
                wait_until(lambda: _let_go(fifo))
    os.close(say)
    assert os.read(said, 64) == b"up\n"
    os.close(said)


def test_trap_13_hung_exec_is_ended_on_time(
    engine_name: str, run: Run, plans: Plans, tmp_path: Path
) -> None:
    """By a watchdog of its own: the thread that launches stands still."""
    if engine_name != "native":
        return
    with hanging(plans, tmp_path, timeout_s=0.3, grace_s=0.1) as hung:
        assert run(hung).ended is Ended.TIMEOUT


def _kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split(".")[:2])
