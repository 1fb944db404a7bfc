"""Threads that carry a filter: who inherits it, and who never does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import cycle
from pathlib import Path

import anyio
import pytest
from confined import make_filter, seccomp_modes
from realproc import (
    PATIENCE_S,
    Belongings,
    Plans,
    is_alive,
    make_engine,
    make_launcher,
    run_host,
    run_with,
    wait_until,
)

from agent_exec.model.action import Action, OpenHow
from agent_exec.model.confinement import Confinement, Filter
from agent_exec.model.outcome import Ended, Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.engine import Engine

pytestmark = pytest.mark.timeout(60)

MOST_CREWS, MOST_IN_CREW, PLAIN_AT_REST = 4, 4, 4
STATUS = "grep Seccomp: /proc/self/status; touch -c -d @1 {0} 2>/dev/null; echo $?"


@pytest.fixture
def engine_name() -> str:
    return "native"


def crewed() -> int:
    """How many threads of ours carry a filter."""
    return len(spawners())


async def run_until(engine: Engine, plan: CallPlan, true: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not true():
            assert (await engine.run(plan)).ended is Ended.EXIT


def rights(outcome: Outcome) -> tuple[str, bool]:
    """(mode of seccomp, whether it could change times)."""
    _, mode, code = outcome.stdout.head.decode().split()
    return mode, code == "0"


def test_a_spawner_is_made_and_the_hosts_threads_stay_as_they_are(
    engine: Engine, plans: Plans, runner: str
) -> None:
    host = threading.get_native_id()
    plan = plans.call(plans.sh("exit 0", confinement=Confinement(filter=make_filter())))
    wait_until(lambda: run_with(engine, runner, plan).ended is Ended.EXIT and crewed() > 0)
    assert 0 < crewed() <= MOST_IN_CREW
    assert seccomp_modes()[host] == 0
    status = Path("/proc/thread-self/status").read_text()
    assert "NoNewPrivs:\t0" in status
    # A thread that the host makes has nothing of it either.
    modes: list[int] = []
    thread = threading.Thread(
        target=lambda: modes.append(seccomp_modes()[threading.get_native_id()])
    )
    thread.start()
    thread.join()
    assert modes == [0]


@pytest.mark.anyio
async def test_children_of_two_filters_and_of_none_side_by_side(tmp_path: Path) -> None:
    strict, wide = make_filter(), make_filter(write=True)
    expected: dict[Filter | None, tuple[str, bool]] = {
        strict: ("2", False),
        wide: ("2", True),
        None: ("0", True),
    }
    engine = make_engine("native")
    wrong: list[tuple[Filter | None, tuple[str, bool]]] = []

    async def some(kinds: list[Filter | None]) -> None:
        for _, kind in zip(range(30), cycle(kinds), strict=False):
            said = rights(await engine.run(calls[kind]))
            if said != expected[kind]:
                wrong.append((kind, said))

    with Plans(make_launcher("native")) as plans, anyio.fail_after(PATIENCE_S * 4):
        program = plans.pin("/bin/sh")
        calls = {
            kind: plans.call(
                plans.stage(
                    program,
                    "-c",
                    STATUS.format(tmp_path),
                    confinement=None if kind is None else Confinement(filter=kind),
                )
            )
            for kind in expected
        }
        async with anyio.create_task_group() as tasks:
            for start in range(12):
                kinds = list(expected)
                tasks.start_soon(some, kinds[start % 3 :] + kinds[: start % 3])
        assert wrong == []
        assert 2 <= crewed() <= 2 * MOST_IN_CREW
    engine.close()


@pytest.mark.anyio
async def test_many_filters_leave_no_more_threads_than_a_few_crews() -> None:
    """More filters than crews, over and over: the oldest goes, and none of its children."""
    filters = [make_filter(write=bool(n % 2)) for n in range(MOST_CREWS * 2 + 1)]
    engine = make_engine("native")
    with Plans(make_launcher("native")) as plans, anyio.fail_after(PATIENCE_S * 4):
        program = plans.pin("/bin/sh")
        calls = [
            plans.call(
                plans.stage(
                    program, "-c", STATUS.format("/nowhere"), confinement=Confinement(filter=one)
                )
            )
            for one in filters
        ]

        async def some(calls: list[CallPlan]) -> None:
            for call in calls:
                assert rights(await engine.run(call))[0] == "2"

        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                for start in range(4):
                    tasks.start_soon(some, calls[start:] + calls[:start])
            assert crewed() <= MOST_CREWS * MOST_IN_CREW
        assert len(seccomp_modes()) <= MOST_CREWS * MOST_IN_CREW + PLAIN_AT_REST + 2
    engine.close()


@pytest.mark.anyio
async def test_a_retired_crew_makes_room_for_the_filter_that_asks() -> None:
    engine = make_engine("native")
    with Plans(make_launcher("native")) as plans:
        for _ in range(MOST_CREWS + 2):
            before = spawners()
            plan = plans.call(plans.sh("exit 0", confinement=Confinement(filter=make_filter())))
            await run_until(engine, plan, partial(has_new, before))
    engine.close()


def spawners() -> set[int]:
    return {thread for thread, mode in seccomp_modes().items() if mode == 2}


def has_new(before: set[int]) -> bool:
    return bool(spawners() - before)


@pytest.mark.anyio
async def test_a_crew_with_a_living_child_does_not_go(tmp_path: Path) -> None:
    """Its thread is what the child dies with."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    engine = make_engine("native")
    ends = []
    with Plans(make_launcher("native")) as plans, anyio.fail_after(PATIENCE_S * 2):
        old = Confinement(filter=make_filter())
        quick = plans.call(plans.sh("exit 0", confinement=old))
        await run_until(engine, quick, lambda: crewed() > 0)
        slow = plans.call(
            plans.sh('read line < "$1"; exit 7', str(fifo), confinement=old, die_with_parent=True)
        )

        async def run_slow() -> None:
            ends.append(await engine.run(slow))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_slow)
            others = [
                plans.call(plans.sh("exit 0", confinement=Confinement(filter=make_filter())))
                for _ in range(MOST_CREWS * 3)
            ]
            for other in others:
                for _ in range(3):
                    assert (await engine.run(other)).ended is Ended.EXIT
            writer = await anyio.to_thread.run_sync(os.open, fifo, os.O_WRONLY)
            os.close(writer)
        assert ends[0].stages[0].exit_code == 7
    engine.close()


def test_thousands_of_launches_leave_a_bounded_number_of_threads(
    engine: Engine, plans: Plans
) -> None:
    confinement = Confinement(filter=make_filter())
    plan = plans.call(plans.stage("/bin/true", confinement=confinement))

    async def some() -> None:
        for _ in range(125):
            assert (await engine.run(plan)).ended is Ended.EXIT

    async def many() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(16):
                tasks.start_soon(some)

    async def twice() -> None:
        await many()
        assert 0 < crewed() <= MOST_IN_CREW
        before = Belongings.now()
        await many()
        left = Belongings.now().more_than(before)
        assert set(left) <= {"threads"}
        assert len(left.get("threads", ())) < PLAIN_AT_REST + MOST_IN_CREW
        assert 0 < crewed() <= MOST_IN_CREW

    anyio.run(twice)


def test_closing_ends_the_spawners(runner: str) -> None:
    engine = make_engine("native")
    with Plans(make_launcher("native")) as plans:
        plan = plans.call(plans.sh("exit 0", confinement=Confinement(filter=make_filter())))
        wait_until(lambda: run_with(engine, runner, plan).ended is Ended.EXIT and crewed() > 0)
    engine.close()
    wait_until(lambda: crewed() == 0)


@pytest.mark.anyio
async def test_closing_ends_what_a_spawner_has_started() -> None:
    engine = make_engine("native")
    with Plans(make_launcher("native")) as plans, anyio.fail_after(PATIENCE_S):
        confinement = Confinement(filter=make_filter())
        quick = plans.call(plans.sh("exit 0", confinement=confinement))
        await run_until(engine, quick, lambda: crewed() > 0)
        plan = plans.call(plans.sh("sleep 60", confinement=confinement))
        async with anyio.create_task_group() as tasks:
            ended = []

            async def run_one() -> None:
                with suppress(Exception):
                    await engine.run(plan)
                ended.append(True)

            for _ in range(4):
                tasks.start_soon(run_one)
            await anyio.to_thread.run_sync(
                wait_until, lambda: sum("sleep" in name for name in children()) == 4
            )
            await anyio.to_thread.run_sync(engine.close)
        assert ended == [True] * 4


def children() -> list[str]:
    names: list[str] = []
    for task in os.listdir("/proc/self/task"):
        with suppress(OSError):
            pids = Path(f"/proc/self/task/{task}/children").read_text().split()
            names.extend(Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)
    return names


@pytest.mark.anyio
async def test_deadline_and_cancel_reach_a_launch_that_hangs_on_a_spawner(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    engine = make_engine("native")
    with Plans(make_launcher("native")) as plans, anyio.fail_after(PATIENCE_S):
        confinement = Confinement(filter=make_filter())
        quick = plans.call(plans.sh("exit 0", confinement=confinement))
        plain = plans.call(plans.sh("exit 0"))
        await run_until(engine, quick, lambda: crewed() > 0)
        action = Action.open(0, OpenHow(os.fsencode(fifo)))
        stage = plans.stage("/bin/cat", actions=(action,), confinement=confinement)
        hung = plans.call(stage, timeout_s=0.2)
        for_ever = plans.call(stage, timeout_s=None)
        ends = []

        async def run_one() -> None:
            with suppress(Exception):
                ends.append((await engine.run(hung)).ended)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(run_one)
            # Others are not held up meanwhile, of the same filter or of none.
            for _ in range(5):
                assert (await engine.run(quick)).ended is Ended.EXIT
                assert (await engine.run(plain)).ended is Ended.EXIT
        with anyio.move_on_after(0.1) as scope:
            await engine.run(for_ever)
        assert scope.cancelled_caught
        assert (
            rights(
                await engine.run(
                    plans.call(plans.sh(STATUS.format("/nowhere"), confinement=confinement))
                )
            )[0]
            == "2"
        )
        assert ends in ([], [Ended.TIMEOUT] * 6)
    engine.close()


def test_a_fork_of_the_host_gets_spawners_of_its_own() -> None:
    run_host(
        "native",
        """
        import sys
        from confined import make_filter, seccomp_modes
        from agent_exec.model.confinement import Confinement
        engine = make_engine(ENGINE)
        with Plans(make_launcher(ENGINE)) as plans:
            def call():
                return plans.call(plans.sh("grep Seccomp: /proc/self/status",
                                  confinement=Confinement(filter=filter)))
            filter = make_filter()
            for _ in range(4):
                assert engine.run_sync(call()).stdout.head.split()[1] == b"2"
        pid = os.fork()
        if pid == 0:
            assert list(seccomp_modes().values()) == [0]
            with Plans(make_launcher(ENGINE)) as plans:
                for _ in range(4):
                    assert engine.run_sync(call()).stdout.head.split()[1] == b"2"
            wait_until(lambda: 2 in seccomp_modes().values())
            engine.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        with Plans(make_launcher(ENGINE)) as plans:
            assert engine.run_sync(call()).stdout.head.split()[1] == b"2"
        engine.close()
        """,
    )


def test_a_child_of_a_spawner_dies_with_the_host(tmp_path: Path) -> None:
    said = run_host(
        "native",
        """
        import os, signal, threading
        from confined import make_filter, seccomp_modes
        from agent_exec.model.confinement import Confinement
        engine = NativeEngine()
        plans = Plans(make_launcher(ENGINE)).__enter__()
        confinement = Confinement(filter=make_filter())
        for _ in range(5):
            engine.run_sync(plans.call(plans.sh("exit 0", confinement=confinement)))
        wait_until(lambda: 2 in seccomp_modes().values())
        read, write = os.pipe()
        plan = plans.call(plans.sh("echo $$; exec sleep 60", confinement=confinement,
                                   die_with_parent=True), stdout=write, timeout_s=None)
        start_daemon(engine.run_sync, plan)
        pid = int(os.read(read, 20))
        print(pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        check=False,
    )
    pid = int(said.stdout)
    wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize("forbidden", ["seccomp", "clone3"])
def test_what_a_container_refuses_is_never_run_open(forbidden: str) -> None:
    run_host(
        "native",
        f"""
        from confined import make_filter, seccomp_modes
        from agent_exec.errors import LaunchError, Step
        from agent_exec.model.confinement import Confinement
        clone3 = {forbidden!r} == "clone3"
        filter = make_filter()
        seccomp = {{"x86_64": 317, "aarch64": 277}}[os.uname().machine]
        refuse_system_calls([435 if clone3 else seccomp], 38 if clone3 else 1)
        engine = make_engine(ENGINE)
        with Plans(make_launcher(ENGINE)) as plans:
            script = "grep Seccomp: /proc/self/status; unshare -U true || echo no"
            plan = plans.call(plans.sh(script, confinement=Confinement(filter=filter)))
            for runner in ("sync", "asyncio", "trio") * 3:
                try:
                    said = run_with(engine, runner, plan).stdout.head.split()
                except LaunchError as error:
                    assert not clone3 and error.step is Step.SANDBOX and error.errno == 1, error
                else:
                    assert clone3 and said[1:] == [b"2", b"no"], said
        engine.close()
        """,
    )


def test_a_spawner_makes_its_children_with_clone3() -> None:
    """By the secret: where clone itself is refused, there is no other way."""
    run_host(
        "native",
        """
        from confined import make_filter, seccomp_modes
        from agent_exec.model.confinement import Confinement
        refuse_system_calls([{"x86_64": 56, "aarch64": 220}[os.uname().machine]], 1)
        engine = make_engine(ENGINE)
        with Plans(make_launcher(ENGINE)) as plans:
            status = plans.stage("/bin/grep", "Seccomp_filters", "/proc/self/status",
                                 confinement=Confinement(filter=make_filter()))
            for _ in range(8):
                said = engine.run_sync(plans.call(status)).stdout.head.split()
                assert said[1] == b"2", said
            # One more than the host's: the one that is inherited, and not put on twice.
            assert list(seccomp_modes().values()).count(2) == len(seccomp_modes())
        engine.close()
        """,
    )


def test_a_host_may_still_change_who_it_is() -> None:
    """libc has every thread of the process make the call; one that cannot is the end of it."""
    run_host(
        "native",
        """
        from confined import make_filter, seccomp_modes
        from agent_exec.model.confinement import Confinement
        engine = make_engine(ENGINE)
        with Plans(make_launcher(ENGINE)) as plans:
            plan = plans.call(plans.sh("exit 0", confinement=Confinement(filter=make_filter())))
            wait_until(lambda: engine.run_sync(plan) and 2 in seccomp_modes().values())
            os.setresgid(*os.getresgid())
            os.setresuid(*os.getresuid())
            if os.getuid() == 0:
                os.setgroups(os.getgroups())
            assert engine.run_sync(plan).stages[0].exit_code == 0
        engine.close()
        """,
    )


def test_a_guardian_has_no_filter(tmp_path: Path) -> None:
    said = run_host(
        "native",
        """
        from confined import make_filter, seccomp_modes
        from agent_exec.model.confinement import Confinement
        engine = NativeEngine()
        with Plans(make_launcher(ENGINE)) as plans:
            # There is one from the first call that has a mark: here there are spawners by then.
            plan = plans.call(plans.sh("exit 0", confinement=Confinement(filter=make_filter())))
            wait_until(lambda: engine.run_sync(plan) and 2 in seccomp_modes().values())
            marked = plan._replace(mark=b"AGENT_EXEC_CALL=x-1")
            engine.run_sync(marked)
            wait_until(lambda: engine.guardian() != (0, 0))
            pid, error = engine.guardian()
            assert pid > 0, error
            print(*seccomp_modes(str(pid)).values())
        engine.close()
        """,
    )
    assert said.stdout.split() == ["0"]


def test_signal_handlers_run_while_a_confined_call_is_waited_for() -> None:
    run_host(
        "native",
        """
        import signal
        from confined import make_filter
        from agent_exec.model.confinement import Confinement
        class Stop(Exception): pass
        def stop(*_): raise Stop
        signal.signal(signal.SIGALRM, stop)
        engine = NativeEngine()
        with Plans(make_launcher(ENGINE)) as plans:
            plan = plans.call(plans.sh("sleep 60", confinement=Confinement(filter=make_filter())),
                              grace_s=0.1)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                engine.run_sync(plan)
            except Stop:
                print("stopped")
        engine.close()
        """,
    )
