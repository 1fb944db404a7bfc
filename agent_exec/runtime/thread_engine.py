"""The engine that needs no native code: a call runs on one Python thread."""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

import anyio

from agent_exec.errors import Closed, LaunchError, Step
from agent_exec.launch.base import Launcher
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.flag import Flag
from agent_exec.runtime.thread_call import KILL_S, Stop, ThreadCall

# Beyond what SIGTERM, the grace and SIGKILL take.
_MARGIN_S = 1.0
_LONGEST_DEAFNESS_S = 0.1


class ThreadEngine:
    """Runs calls on Python threads, with any `Launcher`.

    `run_sync` runs a call on the thread that calls it; `run` on a worker of the engine's
    own, of which there are at most `max_concurrent`, and so does `run_sync` when the main
    thread calls it: there a signal handler may raise between any two instructions, also
    between the start of a child and the note of its pid. Over all threads and event loops,
    at most `max_concurrent` calls run at a time; later ones wait. A call's timeout starts
    when its launch does.

    A fork leaves the child with an engine that runs nothing, and works. At interpreter
    exit the engine closes itself; the threads of one that is dropped end by themselves.

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
        self._use(_Lanes(max_concurrent))
        os.register_at_fork(after_in_child=partial(_start_afresh, weakref.ref(self)))

    def _use(self, lanes: _Lanes) -> None:
        self._lanes = lanes
        self._dismissal = weakref.finalize(self, lanes.dismiss)
        self._dismissal.atexit = False

    def run_sync(self, plan: CallPlan) -> Outcome:
        """Run `plan` on the calling thread, or wait for it there. Needs no event loop.

        What a signal handler raises meanwhile (KeyboardInterrupt) kills the call at once.

        Raises:
            TemplateError, LaunchError, Unsupported: A stage never became its program.
            Closed: The engine was closed before or during the call.
        """
        call = self._make(plan)
        if threading.current_thread() is not threading.main_thread():
            return self._lanes.run_here(call)
        ended = threading.Lock()
        ended.acquire()
        ticket = _Ticket(call, ended.release)
        try:
            self._lanes.submit(ticket)
            # A signal that arrives right before a wait does not end it; its handler runs
            # after the wait.
            while not ended.acquire(timeout=_LONGEST_DEAFNESS_S):
                pass
        except BaseException:
            ticket.stop(Stop.CLOSE)
            ended.acquire(timeout=KILL_S + _MARGIN_S)
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
        ended = _make_flag(plan)
        ticket = _Ticket(call, ended.up)
        try:
            self._lanes.submit(ticket)
            await self._end_of(ticket, ended)
        finally:
            ended.close()
        return call.result()

    def containment(self) -> tuple[bool, str]:
        """Calls have none: what a launcher starts is born in the cgroup of its parent."""
        return False, f"the {self.launcher} launcher on Python threads starts none in a cgroup"

    def guardian(self) -> tuple[int, int]:
        """There is none: it is part of the C core's engine."""
        return 0, errno.EOPNOTSUPP

    def close(self) -> None:
        """Kill and reap every call in flight, stop every thread. Idempotent.

        Blocks until that is done, or for as long as SIGKILL may take.
        """
        self._lanes.close()

    def start_afresh(self) -> None:
        """Forget the calls and threads of the process that we were forked from."""
        self._dismissal.detach()
        self._use(self._lanes.in_forked_child())

    async def _end_of(self, ticket: _Ticket, ended: Flag) -> None:
        try:
            await anyio.wait_readable(ended.fd)
        except BaseException:
            ticket.stop(Stop.CANCEL)
            longest = ticket.call.plan.limits.grace_s + KILL_S + _MARGIN_S
            with anyio.move_on_after(longest, shield=True):
                await anyio.wait_readable(ended.fd)
            raise

    def _make(self, plan: CallPlan) -> ThreadCall:
        try:
            return ThreadCall(plan, self._launcher)
        except OSError as error:
            raise _no_descriptors(plan, error) from error


def _close(lanes: weakref.ref[_Lanes]) -> None:
    """At interpreter exit; when the lanes have gone before, there is nothing to close."""
    alive = lanes()
    if alive is not None:
        alive.close()


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
    name = plan.stages[0].executable.name
    return LaunchError(name, Step.STDIO, error.errno or errno.EMFILE)


class _Ticket:
    """A call on its way to a worker; `ended` is called once it has ended, from any thread."""

    def __init__(self, call: ThreadCall, ended: Callable[[], None]) -> None:
        self.call = call
        self._ended = ended
        self._claim = [True]

    def claim(self) -> bool:
        """Take the call, to run it or to end it unrun. True for the first who asks."""
        try:
            return self._claim.pop()  # atomic
        except IndexError:
            return False

    def run(self) -> None:
        """Run the call; what it comes to is in it."""
        try:
            self.call.outcome = self.call.run()
        except BaseException as error:  # raised where the call is awaited
            self.call.error = error

    def stop(self, why: Stop) -> None:
        """End the call: at once when it has not started."""
        if self.claim():
            self.call.abandon()
            self.call.error = Closed("the engine was closed before the call")
            self.end()
        else:
            self.call.stop(why)

    def end(self) -> None:
        """Tell whoever waits. Once, by whoever claimed the call."""
        self._ended()


class _Lanes:
    """Which calls run, which wait, and the workers that run those of event loops.

    `submit` may be interrupted at any instruction by what a signal handler raises. So it
    uses no Condition, whose lock could stay locked then, and starts no `threading.Thread`,
    which has one inside; the worst that is left is a worker more than needed.
    """

    def __init__(self, max_concurrent: int) -> None:
        self._max = max_concurrent
        self._changed = threading.Condition()
        self._running: dict[ThreadCall, int] = {}  # to the thread it runs on
        self._closed = False
        self._inbox: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._hiring = threading.Lock()
        self._submitted = 0  # and not ended
        self._workers: list[threading.Lock] = []  # each unlocked when its worker has ended
        # Workers keep us alive, so a call that outlives its engine is ended here, too.
        self._at_exit = weakref.finalize(self, _close, weakref.ref(self))

    def in_forked_child(self) -> _Lanes:
        """Empty lanes; the calls of these belong to the parent."""
        for call in (*self._running, *(ticket.call for ticket in self._take_waiting())):
            call.disown()
        self._at_exit.detach()
        afresh = _Lanes(self._max)
        afresh._closed = self._closed
        return afresh

    def run_here(self, call: ThreadCall) -> Outcome:
        """Run `call` on this thread, when there is a lane."""
        if not self._enter(call):
            call.abandon()
            raise Closed("the engine is closed")
        try:
            return call.run()
        finally:
            self._leave(call)

    def submit(self, ticket: _Ticket) -> None:
        """Have a worker run a call, when there is a lane."""
        with self._hiring:
            if self._closed:
                ticket.call.abandon()
                raise Closed("the engine is closed")
            if len(self._workers) < min(self._max, self._submitted + 1):
                self._hire(ticket)
            self._submitted += 1
            self._inbox.put(ticket)

    def close(self) -> None:
        """End every call and worker."""
        with self._hiring:
            self._closed = True
            for ticket in self._take_waiting():
                ticket.stop(Stop.CLOSE)
            self._inbox.put(None)
        me = threading.get_ident()
        deadline = time.monotonic() + KILL_S + _MARGIN_S
        with self._changed:
            for call in self._running:
                call.stop(Stop.CLOSE)
            self._changed.notify_all()
            while any(thread != me for thread in self._running.values()):
                if not self._changed.wait(deadline - time.monotonic()):
                    break
        for ended in self._workers:
            if ended.acquire(timeout=max(0.0, deadline - time.monotonic())):
                ended.release()

    def dismiss(self) -> None:
        """Let the workers end. Nobody waits for a call any more.

        From wherever the garbage collector runs, also on a worker that holds a lock: so
        nothing here takes one, or waits.
        """
        self._inbox.put(None)

    def _take_waiting(self) -> Iterator[_Ticket]:
        with suppress(Empty):
            while True:
                ticket = self._inbox.get_nowait()
                if ticket is not None:
                    yield ticket

    def _hire(self, ticket: _Ticket) -> None:
        ended = threading.Lock()
        ended.acquire()
        try:
            start_new_thread(self._work, (ended,))
        except RuntimeError as error:
            if self._workers:
                return  # those there are will come to it
            ticket.call.abandon()
            name = ticket.call.plan.stages[0].executable.name
            raise LaunchError(name, Step.SPAWN, errno.EAGAIN) from error
        self._workers.append(ended)

    def _work(self, ended: threading.Lock) -> None:
        try:
            while (ticket := self._inbox.get()) is not None:
                claimed = self._run(ticket)
                with self._hiring:
                    self._submitted -= 1
                if claimed:
                    ticket.end()
                del ticket
            self._inbox.put(None)  # for the next
        finally:
            ended.release()

    def _run(self, ticket: _Ticket) -> bool:
        """Run a call unless it was ended before its turn; True if it was run."""
        if not self._enter(ticket.call):
            ticket.stop(Stop.CLOSE)
            return False
        try:
            claimed = ticket.claim()
            if claimed:
                ticket.run()
        finally:
            self._leave(ticket.call)
        return claimed

    def _enter(self, call: ThreadCall) -> bool:
        """Wait for a lane and take it; False when the engine is closed."""
        with self._changed:
            while not self._closed and len(self._running) >= self._max:
                self._changed.wait()
            if not self._closed:
                self._running[call] = threading.get_ident()
            return not self._closed

    def _leave(self, call: ThreadCall) -> None:
        with self._changed:
            del self._running[call]
            self._changed.notify_all()
