"""How calls end: by themselves, on time, or when somebody wants them to.

A child says on a pipe that it is ready before it is acted upon; no test sleeps.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from realproc import (
    ENGINES,
    IN_CGROUPS,
    PATIENCE_S,
    Plans,
    doomed,
    is_alive,
    is_built,
    make_engine,
    run_with,
    wait_until,
    why_no_cgroups,
)

from agent_exec.errors import Closed
from agent_exec.model.outcome import Captured, Ended, Outcome
from agent_exec.model.plan import CallPlan, Survivors
from agent_exec.runtime.engine import Engine

pytestmark = pytest.mark.timeout(20)

Run = Callable[[CallPlan], Outcome]

MARK = b"AGENT_EXEC_CALL=" + os.urandom(8).hex().encode()
IGNORES_TERM = "trap '' TERM; echo $$ >&2; while :; do sleep 1000; done"


@pytest.fixture(params=ENGINES if why_no_cgroups() else (*ENGINES, IN_CGROUPS))
def engine_name(request: pytest.FixtureRequest) -> str:
    """Every engine, and the native one in both kill tiers."""
    if not is_built(request.param):
        pytest.skip(f"{request.param} is not built")
    return str(request.param)


def ends_of(outcome: Outcome) -> list[tuple[int | None, int | None]]:
    return [(stage.exit_code, stage.signal) for stage in outcome.stages]


@contextmanager
def hello() -> Iterator[tuple[int, int]]:
    """A pipe on which a child says its pid: (read end, write end)."""
    read_end, write_end = os.pipe()
    try:
        yield read_end, write_end
    finally:
        os.close(read_end)
        os.close(write_end)


async def pid_from(read_end: int) -> int:
    with anyio.fail_after(PATIENCE_S):
        await anyio.wait_readable(read_end)
    return int(os.read(read_end, 64))


# Exit, not end of file


def test_a_child_in_the_background_does_not_hold_up_the_call_and_is_killed(
    run: Run, plans: Plans
) -> None:
    outcome = run(plans.call(plans.sh("sleep 1000 & echo $!")))
    (survivor,) = outcome.survivors
    assert (outcome.ended, ends_of(outcome)) == (Ended.EXIT, [(0, None)])
    assert outcome.stdout == Captured(head=b"%d\n" % survivor)
    assert outcome.pipe_held is True
    wait_until(lambda: not is_alive(survivor))


def test_a_survivor_may_be_kept_and_is_reported(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("sleep 1000 & echo $!"), survivors=Survivors.KEEP))
    (survivor,) = outcome.survivors
    with doomed(survivor):
        assert is_alive(survivor)
        assert (outcome.pipe_held, outcome.stdout.head) == (True, b"%d\n" % survivor)


def test_a_survivor_that_holds_no_pipe_is_found_too(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("sleep 1000 >/dev/null 2>&1 & echo $!")))
    assert (outcome.survivors, outcome.pipe_held) == ((int(outcome.stdout.head),), False)
    wait_until(lambda: not is_alive(outcome.survivors[0]))


async def _run_one_after_the_other(engine: Engine, plans: list[CallPlan]) -> list[Outcome]:
    return [await engine.run(plan) for plan in plans]


def test_a_loop_that_was_woken_ahead_of_an_end_that_took_long_is_woken_again(
    engine: Engine, plans: Plans, anyio_backend: str
) -> None:
    """Its second call on: only then does the engine know how to wake it ahead."""
    plan = plans.call(plans.sh("sleep 1000 </dev/null >/dev/null 2>&1 &"))
    outcomes = anyio.run(_run_one_after_the_other, engine, [plan] * 5, backend=anyio_backend)
    assert [len(outcome.survivors) for outcome in outcomes] == [1] * 5


def test_survivors_of_every_stage_are_found(run: Run, plans: Plans) -> None:
    script = "sleep 1000 >/dev/null & echo $! >&2"
    outcome = run(plans.call(plans.sh(script), plans.sh(script)))
    assert sorted(outcome.survivors) == sorted(map(int, outcome.stderr.head.split()))
    wait_until(lambda: not any(map(is_alive, outcome.survivors)))


@pytest.fixture
def escapee(plans: Plans, tmp_path: Path) -> Callable[..., CallPlan]:
    """A call whose descendant has left its session, and holds its pipes."""
    script = """
        mkfifo "$1"
        setsid env "$2" sh -c 'echo $$ >"$1"; exec sleep 1000' sh "$1" &
        read pid <"$1"; echo $pid
    """

    def make(mark: bytes = b"", becomes: bytes = b"X=", **fields: object) -> CallPlan:
        envp = (b"PATH=/usr/bin:/bin", *((mark,) if mark else ()))
        fifo = str(tmp_path / "fifo")
        stage = plans.stage("/bin/sh", "-c", script, "sh", fifo, becomes, envp=envp)
        return plans.call(stage, mark=mark, **fields)

    return make


def test_a_descendant_that_left_the_session_is_found_by_its_mark(
    run: Run, escapee: Callable[..., CallPlan]
) -> None:
    outcome = run(escapee(MARK))
    assert outcome.survivors == (int(outcome.stdout.head),)
    assert outcome.pipe_held is True
    wait_until(lambda: not is_alive(outcome.survivors[0]))


def test_a_descendant_that_left_the_session_may_be_kept(
    run: Run, escapee: Callable[..., CallPlan]
) -> None:
    outcome = run(escapee(MARK, survivors=Survivors.KEEP))
    (survivor,) = outcome.survivors
    with doomed(survivor):
        assert (is_alive(survivor), survivor) == (True, int(outcome.stdout.head))


def test_without_a_mark_it_escapes_and_the_call_ends_all_the_same(
    run: Run, escapee: Callable[..., CallPlan], engine_name: str
) -> None:
    outcome = run(escapee())
    if engine_name == IN_CGROUPS:
        assert outcome.survivors == (int(outcome.stdout.head),)
        return
    with doomed(int(outcome.stdout.head)) as pidfd:
        signal.pidfd_send_signal(pidfd, 0)
        assert (outcome.survivors, outcome.pipe_held) == ((), True)


def test_a_mark_that_only_looks_alike_is_not_one(
    run: Run, escapee: Callable[..., CallPlan], engine_name: str
) -> None:
    """A process whose mark begins with ours is another call's, and left alone: where the
    mark is what descendants are known by."""
    outcome = run(escapee(MARK, becomes=MARK + b"0"))
    if engine_name == IN_CGROUPS:
        assert outcome.survivors == (int(outcome.stdout.head),)
        return
    with doomed(int(outcome.stdout.head)) as pidfd:
        signal.pidfd_send_signal(pidfd, 0)
        assert outcome.survivors == ()


def test_a_late_survivor_is_found_when_numbers_may_have_gone_round(
    engine: Engine, plans: Plans
) -> None:
    outcome = engine.run_sync(plans.call(plans.sh("sleep 1000 & echo $!; exec sleep 1.1")))
    assert outcome.survivors == (int(outcome.stdout.head),)


def test_a_child_that_closes_its_outputs_and_lives_on_is_waited_for(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("echo said; exec >&- 2>&-; sleep 0.2; exit 7")))
    assert (ends_of(outcome), outcome.stdout.head) == ([(7, None)], b"said\n")
    assert outcome.pipe_held is False


def test_what_survivors_write_within_the_drain_is_captured(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("{ sleep 0.2; echo late; } & echo early"), drain_s=5.0))
    assert (outcome.stdout.head, outcome.pipe_held) == (b"early\nlate\n", False)


# On time


def test_a_call_that_takes_too_long_is_terminated(run: Run, plans: Plans) -> None:
    script = "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.01; done"
    outcome = run(plans.call(plans.sh(script), timeout_s=0.5, grace_s=5.0))
    assert (outcome.ended, ends_of(outcome)) == (Ended.TIMEOUT, [(9, None)])
    assert outcome.stdout.head == b"ready\nbye\n"
    assert outcome.unreaped == ()


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh(IGNORES_TERM), timeout_s=0.5, grace_s=0.2))
    assert (outcome.ended, ends_of(outcome)) == (Ended.TIMEOUT, [(None, signal.SIGKILL)])


def test_a_stopped_child_is_woken_to_be_terminated(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("kill -STOP $$"), timeout_s=0.3, grace_s=5.0))
    assert (outcome.ended, ends_of(outcome)) == (Ended.TIMEOUT, [(None, signal.SIGTERM)])


def test_a_child_that_writes_for_ever_is_ended_on_time(run: Run, plans: Plans) -> None:
    plan = plans.call(
        plans.stage("/usr/bin/yes"), timeout_s=0.3, head_bytes=4, tail_bytes=4, grace_s=5.0
    )
    outcome = run(plan)
    assert (outcome.ended, ends_of(outcome)) == (Ended.TIMEOUT, [(None, signal.SIGTERM)])
    assert outcome.stdout.head == b"y\ny\n"
    assert outcome.stdout.dropped > 0


def test_a_child_that_writes_for_ever_after_its_parent_exited_is_not_waited_for(
    run: Run, plans: Plans
) -> None:
    outcome = run(plans.call(plans.sh("yes & echo $! >&2")))
    assert (outcome.ended, outcome.survivors) == (Ended.EXIT, (int(outcome.stderr.head),))
    wait_until(lambda: not is_alive(outcome.survivors[0]))


def test_the_whole_group_is_ended_on_time(run: Run, plans: Plans) -> None:
    script = 'sh -c "$1" & echo $!; wait'
    outcome = run(plans.call(plans.sh(script, IGNORES_TERM), timeout_s=0.5, grace_s=0.1))
    assert outcome.ended is Ended.TIMEOUT
    wait_until(lambda: not is_alive(int(outcome.stdout.head)))


@pytest.mark.parametrize("outputs", ["", ">/dev/null 2>&1"], ids=["held", "not-held"])
def test_survivors_of_a_call_that_took_too_long_are_not_kept(
    run: Run, plans: Plans, outputs: str
) -> None:
    plan = plans.call(
        plans.sh(f'sh -c "$1" {outputs} & echo $!; wait', IGNORES_TERM),
        timeout_s=0.5,
        grace_s=0.1,
        survivors=Survivors.KEEP,
    )
    outcome = run(plan)
    assert outcome.ended is Ended.TIMEOUT
    wait_until(lambda: not is_alive(int(outcome.stdout.head)))


def test_every_stage_is_ended_on_time(run: Run, plans: Plans) -> None:
    stage = plans.stage("/bin/sleep", "1000")
    outcome = run(plans.call(stage, stage, stage, timeout_s=0.2, grace_s=5.0))
    assert (outcome.ended, ends_of(outcome)) == (
        Ended.TIMEOUT,
        [(None, signal.SIGTERM)] * 3,
    )


def test_a_child_without_a_session_is_ended_alone(run: Run, plans: Plans) -> None:
    """Its group is ours; we go on."""
    stage = plans.stage("/bin/sleep", "1000", session=False)
    outcome = run(plans.call(stage, timeout_s=0.2, grace_s=5.0))
    assert (outcome.ended, ends_of(outcome)) == (Ended.TIMEOUT, [(None, signal.SIGTERM)])


def test_no_grace_is_a_kill_at_once(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh(IGNORES_TERM), timeout_s=0.5, grace_s=0.0))
    assert (outcome.ended, ends_of(outcome)) == (Ended.TIMEOUT, [(None, signal.SIGKILL)])


def test_no_timeout_is_none(run: Run, plans: Plans) -> None:
    outcome = run(plans.call(plans.sh("sleep 0.2; exit 4"), timeout_s=None))
    assert (outcome.ended, ends_of(outcome)) == (Ended.EXIT, [(4, None)])


# Cancelled


@pytest.mark.anyio
async def test_a_cancelled_call_is_terminated_and_reaped(engine: Engine, plans: Plans) -> None:
    with hello() as (said, say):
        plan = plans.call(plans.sh("echo $$ >&2; exec sleep 1000"), stderr=say, grace_s=60.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan)
            pid = await pid_from(said)
            tasks.cancel_scope.cancel()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.anyio
async def test_a_cancelled_call_that_ignores_sigterm_is_killed(
    engine: Engine, plans: Plans
) -> None:
    with hello() as (said, say):
        plan = plans.call(plans.sh(IGNORES_TERM), stderr=say, grace_s=0.2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan)
            pid = await pid_from(said)
            tasks.cancel_scope.cancel()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.anyio
async def test_the_loop_goes_on_while_a_cancelled_call_ends(engine: Engine, plans: Plans) -> None:
    """The child ignores SIGTERM until it is told to end."""
    scope, ended = anyio.CancelScope(), anyio.Event()

    async def cancelled(plan: CallPlan) -> None:
        with scope:
            await engine.run(plan)
        ended.set()

    with hello() as (said, say), hello() as (told, tell), anyio.fail_after(PATIENCE_S):
        stage = plans.sh("trap '' TERM; echo $$ >&2; read line")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancelled, plans.call(stage, stdin=told, stderr=say, grace_s=60.0))
            await pid_from(said)
            scope.cancel()
            other = await engine.run(plans.call(plans.stage("/bin/echo", "other")))
            assert (other.stdout.head, ended.is_set()) == (b"other\n", False)
            os.write(tell, b"end\n")
    assert scope.cancelled_caught


@pytest.mark.anyio
async def test_a_call_cancelled_at_once_leaves_nothing(engine: Engine, plans: Plans) -> None:
    plan = plans.call(plans.stage("/bin/sleep", "1000"))
    with anyio.fail_after(PATIENCE_S), anyio.CancelScope() as scope:
        scope.cancel()
        await engine.run(plan)
    assert scope.cancelled_caught


@pytest.mark.anyio
async def test_a_call_cancelled_while_it_waits_for_its_turn_never_starts(
    engine_name: str, plans: Plans, tmp_path: Path
) -> None:
    engine = make_engine(engine_name, max_concurrent=1)
    marker = tmp_path / "marker"
    with hello() as (said, say), hello() as (told, tell), anyio.fail_after(PATIENCE_S):
        first = plans.call(plans.sh("echo $$ >&2; read line"), stdin=told, stderr=say)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, first)
            await pid_from(said)
            with anyio.move_on_after(0.1) as scope:
                await engine.run(plans.call(plans.stage("/usr/bin/touch", str(marker))))
            os.write(tell, b"end\n")
        third = await engine.run(plans.call(plans.stage("/bin/echo", "third")))
    await anyio.to_thread.run_sync(engine.close)
    assert (scope.cancelled_caught, third.stdout.head) == (True, b"third\n")
    assert not marker.exists()


# Closed


def test_closing_ends_what_runs_on_other_threads(
    engine_name: str, plans: Plans, runner: str
) -> None:
    engine = make_engine(engine_name)
    raised: list[BaseException] = []

    def call(plan: CallPlan) -> None:
        try:
            run_with(engine, runner, plan)
        except Closed as error:
            raised.append(error)

    with hello() as (said, say):
        plan = plans.call(plans.sh(IGNORES_TERM), stderr=say, grace_s=60.0)
        thread = threading.Thread(target=call, args=(plan,))
        thread.start()
        pid = int(os.read(said, 64))
        engine.close()
        assert not is_alive(pid)
        thread.join(PATIENCE_S)
    assert [type(error) for error in raised] == [Closed]


@pytest.mark.anyio
async def test_closing_on_the_loop_thread_ends_its_calls(engine: Engine, plans: Plans) -> None:
    raised = []

    async def call(plan: CallPlan) -> None:
        try:
            await engine.run(plan)
        except Closed as error:
            raised.append(error)

    with hello() as (said, say), anyio.fail_after(PATIENCE_S):
        plan = plans.call(plans.sh(IGNORES_TERM), stderr=say, grace_s=60.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, plan)
            await pid_from(said)
            engine.close()
    assert [type(error) for error in raised] == [Closed]


def test_closing_ends_what_waits_for_its_turn(engine_name: str, plans: Plans, runner: str) -> None:
    engine = make_engine(engine_name, max_concurrent=1)
    raised: list[BaseException] = []

    def call(plan: CallPlan) -> None:
        try:
            run_with(engine, runner, plan)
        except Closed as error:
            raised.append(error)

    with hello() as (said, say):
        first = plans.call(plans.sh("echo $$ >&2; exec sleep 1000"), stderr=say)
        threads = [threading.Thread(target=call, args=(first,))]
        threads[0].start()
        os.read(said, 64)
        threads += [threading.Thread(target=call, args=(first,)) for _ in range(3)]
        for thread in threads[1:]:
            thread.start()
        engine.close()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert [type(error) for error in raised] == [Closed] * 4


def test_a_closed_engine_refuses_and_may_be_closed_again(
    engine: Engine, run: Run, plans: Plans
) -> None:
    engine.close()
    with pytest.raises(Closed):
        run(plans.call(plans.stage("/bin/true")))
    engine.close()


# Interrupted


def test_what_a_signal_handler_raises_ends_a_blocking_call(engine: Engine, plans: Plans) -> None:
    """Whenever it comes, also while the child is being started: hence several times."""

    class Interrupt(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    script = "echo $$ >&2; kill -USR1 $PPID; exec sleep 1000"
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        for _ in range(15):
            with hello() as (said, say):
                with pytest.raises(Interrupt):
                    engine.run_sync(plans.call(plans.sh(script), stderr=say))
                assert not is_alive(int(os.read(said, 64)))
    finally:
        signal.signal(signal.SIGUSR1, before)


# How many at once


def test_no_more_calls_run_at_once_than_allowed(
    engine_name: str, plans: Plans, tmp_path: Path
) -> None:
    """Over threads and loops: each child notes when it begins and when it ends."""
    engine = make_engine(engine_name, max_concurrent=3)
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    plan = plans.call(plans.sh("echo +; sleep 0.1; echo -"), stdout=log)

    async def several() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(engine.run, plan)

    threads = [threading.Thread(target=engine.run_sync, args=(plan,)) for _ in range(4)]
    threads += [
        threading.Thread(target=anyio.run, args=(several,), kwargs={"backend": backend})
        for backend in ("asyncio", "trio")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    os.close(log)
    engine.close()
    depth = most = 0
    marks = (tmp_path / "log").read_text().split()
    for mark in marks:
        depth += 1 if mark == "+" else -1
        most = max(most, depth)
    assert (most, depth, len(marks)) == (3, 0, 24)


def test_waiting_for_a_turn_is_not_part_of_the_timeout(
    engine_name: str, plans: Plans, runner: str
) -> None:
    engine = make_engine(engine_name, max_concurrent=1)
    with hello() as (said, say):
        first = plans.call(plans.sh("echo $$ >&2; exec sleep 0.8"), stderr=say)
        thread = threading.Thread(target=run_with, args=(engine, runner, first))
        thread.start()
        os.read(said, 64)
        outcome = run_with(engine, runner, plans.call(plans.stage("/bin/true"), timeout_s=0.5))
        thread.join(PATIENCE_S)
    engine.close()
    assert (outcome.ended, ends_of(outcome)) == (Ended.EXIT, [(0, None)])


def test_calls_of_several_loops_and_threads_do_not_get_mixed_up(
    engine: Engine, plans: Plans
) -> None:
    wrong: list[object] = []

    async def talk(name: str) -> None:
        async def one(number: int) -> None:
            text = f"{name} {number}".encode() * 999
            outcome = await engine.run(
                plans.call(plans.sh("cat; exit $1", str(number)), stdin=text)
            )
            if (outcome.stdout.head, outcome.stages[0].exit_code) != (text, number):
                wrong.append((name, number, outcome))

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(one, number)

    def blocking(name: str) -> None:
        for number in range(12):
            text = f"{name} {number}".encode()
            outcome = engine.run_sync(plans.call(plans.stage("/bin/cat"), stdin=text))
            if outcome.stdout.head != text:
                wrong.append((name, number, outcome))

    threads = [threading.Thread(target=blocking, args=(f"sync{n}",)) for n in range(2)]
    threads += [
        threading.Thread(target=anyio.run, args=(talk, f"{b}{n}"), kwargs={"backend": b})
        for b in ("asyncio", "trio")
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert wrong == []
