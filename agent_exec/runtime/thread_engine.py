"""The engine that needs no native code: a call runs on one Python thread."""

from __future__ import annotations

import atexit
import errno
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio

from agent_exec.errors import Closed, LaunchError, Step
from agent_exec.launch import pinned
from agent_exec.launch.base import Launcher
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.flag import Flag
from agent_exec.runtime.thread_call import KILL_S, Stop, ThreadCall

# Beyond what SIGTERM, the grace and SIGKILL take.
_MARGIN_S = 1.0


class ThreadEngine:
    """Runs calls on Python threads, with any `Launcher`.

    `run_sync` runs a call on the thread that calls it; `run` on a worker of the engine's
    own, of which there are at most `max_concurrent`, and so does `run_sync` when the main
    thread calls it: there a signal handler may raise between any two instructions, also
    between the start of a child and the note of its pid. Over all threads and event loops,
    at most `max_concurrent` calls run at a time; later ones wait. A call's timeout starts
    when its launch does.

    A fork leaves the child with an engine that runs nothing, and works. At interpreter
    exit the engine closes itself.

    A launch that hangs (a file system that does not answer, an OPEN of a FIFO) cannot be
    interrupted: `run`, when cancelled, goes on without it after a bounded wait, and the
    child is ended once it has started; a timeout takes effect only then.

    Args:
        launcher: Borrowed; used from several threads.
        max_concurrent: At least 1.
    """

    def __init__(self, launcher: Launcher, *, max_concurrent: int = 16) -> None:
        if max_concurrent < 1:
            raise ValueError("max_concurrent is less than 1")
        self.launcher = launcher.name
        self._launcher = launcher
        self._lanes = _Lanes(max_concurrent)
        os.register_at_fork(after_in_child=partial(_start_afresh, weakref.ref(self)))
        atexit.register(self.close)

    def run_sync(self, plan: CallPlan) -> Outcome:
        """Run `plan` on the calling thread, or wait for it there. Needs no event loop.

        What a signal handler raises meanwhile (KeyboardInterrupt) kills the call at once.

        Raises:
            TemplateError, LaunchError, Unsupported: A stage never became its program.
            Closed: The engine was closed before or during the call.
        """
        call = self._make(plan)
        if threading.current_thread() is not threading.main_thread():
            with self._lanes.occupied(call):
                return call.run()
        done = threading.Event()
        self._lanes.submit(call, done.set)
        try:
            done.wait()
        except BaseException:
            self._lanes.stop(call, Stop.CLOSE)
            done.wait(KILL_S + _MARGIN_S)
            raise
        return call.result()

    async def run(self, plan: CallPlan) -> Outcome:
        """Run `plan` without blocking the event loop, under asyncio or trio.

        When cancelled, SIGTERM, `grace_s` and SIGKILL follow at once; the wait for the
        end is bounded, and the engine sees to what is left after that.

        Raises:
            TemplateError, LaunchError, Unsupported: A stage never became its program.
            Closed: The engine was closed before or during the call.
        """
        call = self._make(plan)
        done = _make_flag(plan)
        try:
            self._lanes.submit(call, done.up)
            await self._end_of(call, done)
        finally:
            done.close()
        return call.result()

    def close(self) -> None:
        """Kill and reap every call in flight, stop every thread. Idempotent.

        Blocks until that is done, or for as long as SIGKILL may take.
        """
        atexit.unregister(self.close)
        self._lanes.close()

    def start_afresh(self) -> None:
        """Forget the calls and threads of the process that we were forked from."""
        self._lanes = self._lanes.in_forked_child()

    async def _end_of(self, call: ThreadCall, done: Flag) -> None:
        try:
            await anyio.wait_readable(done.fd)
        except BaseException:
            self._lanes.stop(call, Stop.CANCEL)
            longest = call.plan.limits.grace_s + KILL_S + _MARGIN_S
            with anyio.move_on_after(longest, shield=True):
                await anyio.wait_readable(done.fd)
            raise

    def _make(self, plan: CallPlan) -> ThreadCall:
        try:
            return ThreadCall(plan, self._launcher)
        except OSError as error:
            raise _no_descriptors(plan, error) from error


def _start_afresh(engine: weakref.ref[ThreadEngine]) -> None:
    alive = engine()
    if alive is not None:
        alive.start_afresh()


def _make_flag(plan: CallPlan) -> Flag:
    try:
        return Flag()
    except OSError as error:
        raise _no_descriptors(plan, error) from error


def _no_descriptors(plan: CallPlan, error: OSError) -> LaunchError:
    name = pinned.name_of(plan.stages[0].executable)
    return LaunchError(name, Step.STDIO, error.errno or errno.EMFILE)


class _Lanes:
    """Which calls run, which wait, and the workers that run those of event loops."""

    def __init__(self, max_concurrent: int) -> None:
        self._max = max_concurrent
        self._changed = threading.Condition()
        self._running: dict[ThreadCall, int] = {}  # to the thread it runs on
        self._waiting: deque[tuple[ThreadCall, Callable[[], None]]] = deque()
        self._workers: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def in_forked_child(self) -> _Lanes:
        """Empty lanes; the calls of these belong to the parent."""
        for call in (*self._running, *(call for call, _ in self._waiting)):
            call.disown()
        afresh = _Lanes(self._max)
        afresh._closed = self._closed
        return afresh

    @contextmanager
    def occupied(self, call: ThreadCall) -> Iterator[None]:
        """Hold a lane on the calling thread, waiting for one first."""
        with self._changed:
            while not self._closed and len(self._running) >= self._max:
                self._changed.wait()
            if self._closed:
                call.abandon()
                raise Closed("the engine is closed")
            self._running[call] = threading.get_ident()
        try:
            yield
        finally:
            self._leave(call)

    def submit(self, call: ThreadCall, done: Callable[[], None]) -> None:
        """Run `call` on a worker, when there is a lane; call `done` when it has ended."""
        with self._changed:
            if self._closed:
                call.abandon()
                raise Closed("the engine is closed")
            self._waiting.append((call, done))
            if len(self._waiting) > self._idle and len(self._workers) < self._max:
                self._add_worker(call)
            self._changed.notify_all()

    def stop(self, call: ThreadCall, why: Stop) -> None:
        """End a call that was submitted: it need not have started."""
        with self._changed:
            for waiting in self._waiting:
                if waiting[0] is call:
                    self._waiting.remove(waiting)
                    call.abandon()
                    waiting[1]()
                    return
            call.stop(why)

    def close(self) -> None:
        """End every call and worker."""
        me = threading.get_ident()
        with self._changed:
            self._closed = True
            for call in self._running:
                call.stop(Stop.CLOSE)
            while self._waiting:
                call, done = self._waiting.popleft()
                call.abandon()
                call.error = Closed("the engine was closed before the call")
                done()
            self._changed.notify_all()
            deadline = time.monotonic() + KILL_S + _MARGIN_S
            while any(thread != me for thread in self._running.values()):
                if not self._changed.wait(deadline - time.monotonic()):
                    break
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def _add_worker(self, call: ThreadCall) -> None:
        worker = threading.Thread(target=self._work, name="agent_exec-worker", daemon=True)
        try:
            worker.start()
        except RuntimeError as error:
            if self._workers:
                return  # those there are will come to it
            self._waiting.pop()
            call.abandon()
            name = pinned.name_of(call.plan.stages[0].executable)
            raise LaunchError(name, Step.SPAWN, errno.EAGAIN) from error
        self._workers.append(worker)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._closed and (not self._waiting or len(self._running) >= self._max):
                    self._changed.wait()
                self._idle -= 1
                if self._closed:
                    return
                call, done = self._waiting.popleft()
                self._running[call] = threading.get_ident()
            try:
                call.outcome = call.run()
            except BaseException as error:  # raised where the call is awaited
                call.error = error
            finally:
                self._leave(call)
            done()
            del call, done

    def _leave(self, call: ThreadCall) -> None:
        with self._changed:
            del self._running[call]
            self._changed.notify_all()
