"""What only the thread engine meets: launchers of every kind."""

from __future__ import annotations

import errno
import gc
import os
import signal
import weakref
from collections.abc import Callable, Iterator

import anyio
import pytest
from realproc import Belongings, Plans, finish, is_alive, run_host, run_with, wait_until

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.launch.base import Launcher
from agent_exec.launch.portable import PortableLauncher
from agent_exec.model.child import Child
from agent_exec.model.outcome import Captured, Ended, LauncherName, Outcome
from agent_exec.model.plan import CallPlan, SpawnPlan
from agent_exec.runtime.thread_engine import ThreadEngine

pytestmark = pytest.mark.timeout(20)

Run = Callable[[CallPlan], Outcome]


class Wrapped:
    """A portable launcher that does something more when a child has been started."""

    name = LauncherName.PORTABLE

    def __init__(self, then: Callable[[Child], Child]) -> None:
        self._inner = PortableLauncher()
        self._then = then

    def credentials(self) -> bytes:
        return self._inner.credentials()

    def spawn(self, plan: SpawnPlan) -> Child:
        return self._then(self._inner.spawn(plan))


def discard(child: Child) -> None:
    """A launcher that fails leaves no process behind."""
    assert child.pidfd is not None
    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    finish(child)


@pytest.fixture
def plans() -> Iterator[Plans]:
    with Plans(PortableLauncher()) as made:
        yield made


@pytest.fixture
def engine_on() -> Iterator[Callable[[Launcher], ThreadEngine]]:
    made: list[ThreadEngine] = []

    def make(launcher: Launcher) -> ThreadEngine:
        made.append(ThreadEngine(launcher))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def test_fewer_than_one_at_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="max_concurrent"):
        ThreadEngine(PortableLauncher(), max_concurrent=0)


def test_a_signal_handler_that_raises_before_the_pid_is_known_loses_no_child(
    plans: Plans, engine_on: Callable[[Launcher], ThreadEngine]
) -> None:
    class Interrupt(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    started: list[int] = []

    def raise_signal(child: Child) -> Child:
        started.append(child.pid)
        os.kill(os.getpid(), signal.SIGUSR1)
        return child

    engine = engine_on(Wrapped(raise_signal))
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupt):
            engine.run_sync(plans.call(plans.stage("/bin/sleep", "1000")))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [is_alive(pid) for pid in started] == [False]


def test_an_engine_that_is_dropped_lets_its_threads_go(plans: Plans) -> None:
    async def make_calls(engine: ThreadEngine) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(engine.run, plans.call(plans.stage("/bin/true")))

    before = Belongings.now()
    engine = ThreadEngine(PortableLauncher())
    anyio.run(make_calls, engine)
    assert len(Belongings.now().more_than(before)["threads"]) == 3
    dropped = weakref.ref(engine)
    del engine
    gc.collect()
    assert dropped() is None
    wait_until(lambda: "threads" not in Belongings.now().more_than(before))


def test_a_call_that_outlives_its_engine_is_ended_at_interpreter_exit() -> None:
    script = """
        import weakref
        from agent_exec.runtime.thread_engine import _Ticket
        read_end, write_end = os.pipe()
        with Plans(make_launcher(ENGINE)) as plans:
            engine = make_engine(ENGINE)
            plan = plans.call(plans.sh("echo $$ >&2; exec sleep 1000"), stderr=write_end)
            engine._lanes.submit(_Ticket(engine._make(plan), lambda: None))
            print(int(os.read(read_end, 20)))
            dropped = weakref.ref(engine)
            del engine
            assert dropped() is None
    """
    pid = int(run_host("thread-portable", script).stdout)
    wait_until(lambda: not is_alive(pid))


# Without pidfds


@pytest.fixture
def run_blind(runner: str, engine_on: Callable[[Launcher], ThreadEngine]) -> Run:
    """Runs calls whose children have no pidfd, as on systems that know none."""

    def forget(child: Child) -> Child:
        assert child.pidfd is not None
        os.close(child.pidfd)
        return Child(child.pid, None, child.launcher)

    engine = engine_on(Wrapped(forget))
    return lambda plan: run_with(engine, runner, plan)


def test_without_pidfds_a_call_ends_as_with_them(run_blind: Run, plans: Plans) -> None:
    outcome = run_blind(plans.call(plans.sh("cat; exit 3"), stdin=b"text"))
    assert (outcome.ended, outcome.stages[0].exit_code) == (Ended.EXIT, 3)
    assert outcome.stdout == Captured(head=b"text")


def test_without_pidfds_a_quiet_child_is_noticed(run_blind: Run, plans: Plans) -> None:
    """One whose outputs tell nothing of its end."""
    outcome = run_blind(plans.call(plans.sh("exec >&- 2>&-; sleep 0.1; kill -KILL $$")))
    assert (outcome.ended, outcome.stages[0].signal) == (Ended.SIGNAL, signal.SIGKILL)


def test_without_pidfds_the_group_is_ended_on_time(run_blind: Run, plans: Plans) -> None:
    script = "sleep 1000 & echo $!; trap '' TERM; wait; wait"
    outcome = run_blind(plans.call(plans.sh(script), timeout_s=0.3, grace_s=0.2))
    assert outcome.ended is Ended.TIMEOUT
    wait_until(lambda: not is_alive(int(outcome.stdout.head)))


def test_without_pidfds_survivors_are_found(run_blind: Run, plans: Plans) -> None:
    outcome = run_blind(plans.call(plans.sh("sleep 1000 & echo $!")))
    assert outcome.survivors == (int(outcome.stdout.head),)
    wait_until(lambda: not is_alive(outcome.survivors[0]))


# A launcher that fails at each step


@pytest.mark.parametrize("step", list(Step))
def test_a_stage_that_fails_at_any_step_takes_those_before_it_along(
    step: Step, runner: str, plans: Plans, engine_on: Callable[[Launcher], ThreadEngine]
) -> None:
    started: list[int] = []

    def fail_the_second(child: Child) -> Child:
        if started:
            discard(child)
            raise LaunchError("/bin/sleep", step, 5)
        started.append(child.pid)
        return child

    engine = engine_on(Wrapped(fail_the_second))
    sleep = plans.stage("/bin/sleep", "1000")
    with pytest.raises(LaunchError) as raised:
        run_with(engine, runner, plans.call(sleep, sleep))
    assert (raised.value.step, raised.value.errno, raised.value.stage) == (step, 5, 1)
    assert not is_alive(started[0])


def test_a_template_that_turns_stale_between_two_stages(
    runner: str, plans: Plans, engine_on: Callable[[Launcher], ThreadEngine]
) -> None:
    started: list[int] = []

    def stale_after_the_first(child: Child) -> Child:
        started.append(child.pid)
        if len(started) < 2:
            return child
        discard(child)
        raise TemplateError("/bin/sleep", errno.ESTALE)

    engine = engine_on(Wrapped(stale_after_the_first))
    sleep = plans.stage("/bin/sleep", "1000")
    with pytest.raises(TemplateError):
        run_with(engine, runner, plans.call(sleep, sleep))
    assert [is_alive(pid) for pid in started] == [False, False]
