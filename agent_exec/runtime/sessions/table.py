"""The background sessions of one tool: who owns which, and how many there may be."""

from __future__ import annotations

import errno
import os
import secrets
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from agent_exec.errors import Closed, InvalidCall, LaunchError, Step, Unsupported
from agent_exec.launch.base import Launcher
from agent_exec.model.decision import Grant
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import Limits
from agent_exec.model.result import ToolResult
from agent_exec.runtime.bind import Settings
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.guardian import start_guardian
from agent_exec.runtime.runner import Runner
from agent_exec.runtime.sessions.ring import Ring
from agent_exec.runtime.sessions.session import About, Session, shown_command
from agent_exec.runtime.sessions.wires import Wires
from agent_exec.runtime.sessions.worker import Worker
from agent_exec.runtime.spill import OutputFile
from agent_exec.schema.redact import Redactor

_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_HANDLE = 10
"""Letters: 49 bits, and short enough for a model to copy."""
_MOST_ENDED = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Of the sessions of a tool."""

    most: int
    """That run at once."""
    idle_s: float
    output_bytes: int
    """Kept of each."""


class Sessions:
    """Starts sessions and finds them again. Safe from any thread.

    They run in an engine of their own, so that calls do not wait for them. In a process that was
    forked from ours there are none.

    Args:
        bounds: How many, how long, how much.
        settings: Of the tool.
        make_engine: An engine and its launcher.
        make_runner: A runner of that engine, with these settings.
        redact: Takes secrets out of what is read.
    """

    def __init__(
        self,
        bounds: Bounds,
        settings: Settings,
        make_engine: Callable[[int], tuple[Engine, Launcher]],
        make_runner: Callable[[Engine, Settings], Runner],
        redact: Redactor,
    ) -> None:
        self.bounds = bounds
        limits: Limits = settings.limits._replace(timeout_s=None)
        self._settings = settings._replace(limits=limits)
        self._make_engine = make_engine
        self._make_runner = make_runner
        self._redact = redact
        self._closed = False
        self._afresh()
        os.register_at_fork(after_in_child=partial(_forget, weakref.ref(self)))

    def _afresh(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._starting = 0
        self._at_work: tuple[Engine, Runner, Worker] | None = None
        self._at_exit: weakref.finalize[[Engine, Worker], Sessions] | None = None

    def start(
        self, grant: Grant, owner: str, tell: Callable[[ToolResult], None]
    ) -> Future[Session]:
        """Begin a session that runs what may run.

        Args:
            grant: Lets it.
            owner: Who alone may use it.
            tell: Is told that it has begun, and what became of it, on some thread.

        Raises:
            InvalidCall: There are as many as there may be.
            Unsupported: There can be no terminal here.
            LaunchError: What it needs cannot be had; or from the future.
            Closed: The tool was closed.
        """
        with self._lock:
            self._check_room(owner)
            engine, runner, worker = self._work()
            if grant.request.call.terminal and not _has_terminals(engine):
                raise Unsupported("a terminal needs Linux and the launcher vfork")
            started = worker.submit(self._begin(grant, owner, tell, runner))
            self._starting += 1
        return started

    def worker(self) -> Worker:
        """Where sessions live.

        Raises:
            Closed: The tool was closed.
        """
        with self._lock:
            return self._work()[2]

    def find(self, handle: str, owner: str) -> Session:
        """The session of that handle.

        Raises:
            InvalidCall: It is none of this owner's.
        """
        found = self._sessions.get(handle)
        if found is not None and found.about.owner == owner:
            return found
        yours = [each.about.handle for each in self.of(owner)]
        there = f"yours are {', '.join(yours)}" if yours else "you have none"
        raise InvalidCall(
            f"there is no session {handle!r:.60} of yours here: {there}. exec with background: "
            "true starts one; it is gone when its owner has ended or nobody has read it for long"
        )

    def of(self, owner: str) -> list[Session]:
        """Those of one owner, the oldest first."""
        with self._lock:
            return [each for each in self._sessions.values() if each.about.owner == owner]

    @property
    def running(self) -> int:
        """How many have not ended."""
        with self._lock:
            return self._running()

    def end_owner(self, owner: str) -> None:
        """End those of an owner, and forget them. Does not wait for their end."""
        ended = self.of(owner)
        with self._lock:
            at_work = self._at_work
            for each in ended:
                self._sessions.pop(each.about.handle, None)
        if at_work is not None and ended:
            with suppress(Closed):  # then they have ended already
                at_work[2].submit(_end(ended, "its owner has ended"))

    def close(self) -> None:
        """Kill those that run, at once. Idempotent."""
        with self._lock:
            self._closed = True
            at_work, self._at_work = self._at_work, None
            if self._at_exit is not None:
                self._at_exit.detach()
        if at_work is not None:
            _close(at_work[0], at_work[2])

    def forget(self) -> None:
        """In a process that was just forked: close what belongs to the sessions of the other."""
        for each in self._sessions.values():
            each.forget()
        if self._at_exit is not None:
            self._at_exit.detach()
        self._afresh()

    def _running(self) -> int:
        return sum(each.result is None for each in self._sessions.values())

    def _check_room(self, owner: str) -> None:
        if self._running() + self._starting < self.bounds.most:
            return
        if not self.bounds.most:
            raise InvalidCall("the policy allows no background sessions; run it with a timeout_ms")
        yours = [
            f"{each.about.handle} ({each.about.command:.60})"
            for each in self._sessions.values()
            if each.about.owner == owner and each.result is None
        ]
        stop = f"; stop one with exec_stop: {', '.join(yours)}" if yours else ""
        raise InvalidCall(f"{self.bounds.most} sessions run, and no more may at once{stop}")

    def _work(self) -> tuple[Engine, Runner, Worker]:
        if self._closed:
            raise Closed("the tool is closed")
        if self._at_work is None:
            engine, launcher = self._make_engine(max(1, self.bounds.most))
            try:
                # Before the first session, which otherwise could outlive us for a moment.
                start_guardian(engine, launcher, self._settings.environment.mark("sessions"))
                worker = Worker()
            except OSError as error:
                engine.close()
                raise LaunchError("a session", Step.SPAWN, error.errno or errno.EMFILE) from None
            except BaseException:
                engine.close()
                raise
            self._at_work = engine, self._make_runner(engine, self._settings), worker
            self._at_exit = weakref.finalize(self, _close, engine, worker)
        return self._at_work

    async def _begin(
        self, grant: Grant, owner: str, tell: Callable[[ToolResult], None], runner: Runner
    ) -> Session:
        try:
            session = self._made(grant, owner, tell, runner)
        except BaseException:
            with self._lock:
                self._starting -= 1
            raise
        session.start()
        with self._lock:
            self._starting -= 1
            self._sweep()
            self._sessions[session.about.handle] = session
        request = grant.request
        if request.call.terminal and isinstance(request.stdin, bytes):
            await session.write(request.stdin, close=False)
        return session

    def _made(
        self, grant: Grant, owner: str, tell: Callable[[ToolResult], None], runner: Runner
    ) -> Session:
        request = grant.request
        call = request.call
        with_input = request.stdin is None or call.terminal
        file: OutputFile | None = None
        try:
            wires = Wires.terminal() if call.terminal else Wires.pipes(with_input=with_input)
        except OSError as error:
            raise LaunchError("a session", Step.STDIO, error.errno or errno.EMFILE) from None
        try:
            if call.keep_output:
                settings = self._settings
                name = f"{request.id}.output"
                file = OutputFile.create(settings.output_folder, name, settings.output_cap)
            about = About(
                self._new_handle(),
                owner,
                grant,
                shown_command(grant),
                self.bounds.idle_s,
                self._settings.environment.mark(request.id),
            )
            wired = _wired(grant, wires)
            ring = Ring(self.bounds.output_bytes)
            return Session(about, wires, ring, file, self._redact, partial(runner.run, wired), tell)
        except BaseException:
            wires.close()
            raise

    def drop(self, session: Session) -> None:
        """Forget one that has never run."""
        with self._lock:
            self._sessions.pop(session.about.handle, None)

    def _new_handle(self) -> str:
        return "".join(secrets.choice(_LETTERS) for _ in range(_HANDLE))

    def _sweep(self) -> None:
        """Forget those that have ended and that nobody reads, and the oldest of too many."""
        ended = [each for each in self._sessions.values() if each.result is not None]
        spare = len(ended) - _MOST_ENDED
        for number, each in enumerate(ended):
            if number < spare or each.idle_s > self.bounds.idle_s:
                del self._sessions[each.about.handle]


def _wired(grant: Grant, wires: Wires) -> Grant:
    """`grant` with the children's ends in place of its input and outputs."""
    request = grant.request
    call = request.call
    stdin = request.stdin if wires.their_input is None else wires.their_input
    # What goes to a file of the call's own is opened by the runner, as in the foreground.
    out = wires.their_output
    call = call._replace(stdout=out, stderr=out, keep_output=False)
    if wires.their_input is not None:
        call = call._replace(stdin=stdin)
    return grant._replace(request=request._replace(call=call, stdin=stdin))


def _has_terminals(engine: Engine) -> bool:
    # The portable launcher opens in the parent what a child is to get.
    return sys.platform == "linux" and engine.launcher is not LauncherName.PORTABLE


async def _end(sessions: Iterable[Session], why: str) -> None:
    for each in sessions:
        each.end(why)


def _close(engine: Engine, worker: Worker) -> None:
    """What runs is killed and reaped, then told to its session."""
    engine.close()
    worker.close()


def _forget(sessions: weakref.ref[Sessions]) -> None:
    inherited = sessions()
    if inherited is not None:
        inherited.forget()
