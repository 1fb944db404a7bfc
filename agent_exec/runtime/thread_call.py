"""One call, from launch to outcome, on one Python thread."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto

from agent_exec.errors import Closed, LaunchError, Step
from agent_exec.launch import pinned
from agent_exec.launch.base import Launcher
from agent_exec.model.action import Action
from agent_exec.model.outcome import Ended, Outcome, StageOutcome
from agent_exec.model.plan import CallPlan, SpawnPlan, Spill, Survivors
from agent_exec.runtime.capture import HeadTail
from agent_exec.runtime.descendants import Hunt, last_pid
from agent_exec.runtime.flag import Flag
from agent_exec.runtime.stage import Stage
from agent_exec.runtime.wiring import Ends, Wiring

KILL_S = 2.0
"""Only a process stuck in the kernel, or no longer ours to signal, outlives SIGKILL by
this many seconds."""
# What survivors wrote before they were killed is in the pipe already.
_LAST_WORDS_S = 0.02
# Where there are no pidfds, or one was not to be had.
_TICK_S = 0.01
# poll(2) takes an int of milliseconds.
_LONGEST_WAIT_S = 3600.0
_READ_SIZE = 65536
_READS_AT_ONCE = 16
_WIRES = 3


class Stop(Enum):
    """Why a call is ended from outside."""

    CANCEL = auto()
    CLOSE = auto()


class _Phase(Enum):
    RUNNING = auto()
    TERMINATING = auto()  # SIGTERM was sent
    KILLING = auto()  # SIGKILL was sent
    DRAINING = auto()  # every stage has exited, an output is still open
    LAST_WORDS = auto()  # survivors were killed, what they wrote is read
    ENDED = auto()


class ThreadCall:
    """One call: `run` it on some thread, `stop` it from any.

    Raises:
        OSError: EMFILE or ENFILE, from the constructor.
    """

    def __init__(self, plan: CallPlan, launcher: Launcher) -> None:
        self.plan = plan
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self._launcher = launcher
        self._submitted = time.monotonic()
        self._stop: Stop | None = None
        self._wake = Flag()
        self._wiring = Wiring(plan)
        self._outputs = {
            "stdout": self._head_tail(plan.stdout_spill),
            "stderr": self._head_tail(plan.stderr_spill),
        }
        self._input = memoryview(plan.stdin if isinstance(plan.stdin, bytes) else b"")
        self._stages: list[Stage] = []
        self._phase = _Phase.RUNNING
        self._ended: Ended | None = None  # when it was not by itself
        self._closed = False
        self._pipe_held = False
        self._survivors: list[int] | None = None  # None: not looked for yet
        self._since: int | None = None
        self._started = self._submitted
        self._deadline = math.inf

    def stop(self, why: Stop) -> None:
        """End the call: SIGTERM, grace and SIGKILL when cancelled, SIGKILL when closed."""
        if self._stop is not Stop.CLOSE:
            self._stop = why
        self._wake.up()

    def disown(self) -> None:
        """In a forked child: let go of the call, which is the parent's."""
        self._wiring.close()
        self._wake.close()

    def run(self) -> Outcome:
        """Run the call on this thread; nothing of it is left when this returns.

        Raises:
            TemplateError, LaunchError, Unsupported: A stage never became its program.
            Closed: `stop` was called with CLOSE.
        """
        try:
            self._start_all()
            self._settle()
            while self._phase is not _Phase.ENDED:
                self._wait()
                self._settle()
            outcome = self._make_outcome()
        except BaseException:
            self._abort()
            raise
        finally:
            self._wiring.close()
            self._wake.close()
        if self._closed:
            raise Closed("the engine was closed during the call")
        return outcome

    def result(self) -> Outcome:
        """What `run` came to on another thread: its outcome, or what it raised."""
        if self.error is not None:
            raise self.error
        assert self.outcome is not None
        return self.outcome

    def abandon(self) -> None:
        """Let go of a call that was never run."""
        self._wake.close()

    def _head_tail(self, spill: Spill | None) -> HeadTail:
        limits = self.plan.limits
        return HeadTail(limits.head_bytes, limits.tail_bytes, spill)

    # Starting

    def _start_all(self) -> None:
        credentials = self._launcher.credentials()
        for stage in self.plan.stages:
            pinned.check(stage.executable, credentials)
        self._since = last_pid()
        self._started = time.monotonic()
        if self.plan.limits.timeout_s is not None:
            self._deadline = self._started + self.plan.limits.timeout_s
        for index, stage in enumerate(self.plan.stages):
            try:
                ends = self._wiring.ends_of(index)
            except OSError as error:
                name = stage.executable.name
                number = error.errno or errno.EIO
                raise LaunchError(name, Step.STDIO, number, stage=index) from error
            self._start(index, stage, ends)
            self._wiring.started(ends)

    def _start(self, index: int, stage: SpawnPlan, ends: Ends) -> None:
        wires = (
            Action.dup2(ends.stdin, 0),
            Action.dup2(ends.stdout, 1),
            Action.dup2(ends.stderr, 2),
        )
        try:
            child = self._launcher.spawn(stage._replace(actions=wires + stage.actions))
        except LaunchError as error:
            action = error.action
            if action is not None:
                action = action - _WIRES if action >= _WIRES else None
            raise LaunchError(
                error.program,
                error.step,
                error.errno,
                action=action,
                stage=index,
                reason=error.reason,
            ) from error
        self._stages.append(Stage(child, leads=stage.session))

    # Watching

    def _wait(self) -> None:
        """Wait for whatever is next, and read, write and look accordingly."""
        handlers = dict(self._handlers())
        poller = select.poll()
        for fd in handlers:
            poller.register(fd, select.POLLOUT if fd == self._wiring.stdin else select.POLLIN)
        left = min(max(0.0, self._deadline - time.monotonic()), _LONGEST_WAIT_S)
        blind = [stage for stage in self._stages if stage.pidfd is None and not stage.exited]
        if blind:
            left = min(left, _TICK_S)
        for fd, _ in poller.poll(math.ceil(left * 1000)):
            handlers[fd]()
        for stage in blind:
            stage.look()

    def _handlers(self) -> Iterator[tuple[int, Callable[[], object]]]:
        yield self._wake.fd, self._wake.down
        if self._wiring.stdin is not None:
            yield self._wiring.stdin, self._feed
        if self._wiring.stdout is not None:
            yield self._wiring.stdout, lambda: self._read("stdout")
        if self._wiring.stderr is not None:
            yield self._wiring.stderr, lambda: self._read("stderr")
        for stage in self._stages:
            if stage.pidfd is not None and not stage.exited:
                yield stage.pidfd, stage.look

    def _feed(self) -> None:
        """Write what the first stage's pipe takes of the input; close it at the end."""
        fd = self._wiring.stdin
        if fd is None:
            return
        try:
            if self._input:
                with _no_sigpipe():
                    self._input = self._input[os.write(fd, self._input) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the child does not want more, which is its business
            self._input = memoryview(b"")
        if not self._input:
            self._wiring.close_one(fd)

    def _read(self, name: str) -> bool:
        """Read once from our end of `name`; False when there was nothing, or its end."""
        fd = self._wiring.stdout if name == "stdout" else self._wiring.stderr
        if fd is None:
            return False
        try:
            chunk = os.read(fd, _READ_SIZE)
        except BlockingIOError:
            return False
        self._outputs[name].feed(chunk)
        if not chunk:
            self._wiring.close_one(fd)
        return chunk != b""

    def _read_what_is_there(self) -> None:
        for name in self._outputs:
            # Bounded: a survivor may write as fast as we read.
            for _ in range(_READS_AT_ONCE):
                if not self._read(name):
                    break

    # Ending

    def _settle(self) -> None:
        """Go on from phase to phase as far as what has happened allows."""
        before = None
        while before is not self._phase and self._phase is not _Phase.ENDED:
            before = self._phase
            self._heed_stop()
            late = time.monotonic() >= self._deadline
            if self._phase in (_Phase.RUNNING, _Phase.TERMINATING, _Phase.KILLING):
                self._settle_stages(late)
            else:
                self._settle_outputs(late)

    def _heed_stop(self) -> None:
        if self._stop is Stop.CANCEL and self._phase is _Phase.RUNNING:
            self._terminate(Ended.CANCELLED)
        elif self._stop is Stop.CLOSE and self._phase in (_Phase.RUNNING, _Phase.TERMINATING):
            self._closed = self._ended is None
            self._ended = self._ended or Ended.CANCELLED
            self._kill()
        elif self._stop is not None and self._phase is _Phase.DRAINING and self._ended is None:
            self._closed = self._stop is Stop.CLOSE
            self._ended = Ended.CANCELLED
            self._deadline = -math.inf

    def _settle_stages(self, late: bool) -> None:
        if all(stage.exited for stage in self._stages):
            if self._wiring.stdin is not None:
                self._wiring.close_one(self._wiring.stdin)
            self._read_what_is_there()
            self._phase = _Phase.DRAINING
            drain = self.plan.limits.drain_s if self._ended is None else 0.0
            self._deadline = time.monotonic() + drain
        elif late and self._phase is _Phase.RUNNING:
            self._terminate(Ended.TIMEOUT)
        elif late and self._phase is _Phase.TERMINATING:
            self._kill()
        elif late:
            self._phase = _Phase.ENDED

    def _settle_outputs(self, late: bool) -> None:
        if self._wiring.stdout is None and self._wiring.stderr is None:
            self._phase = _Phase.ENDED
        elif late and self._phase is _Phase.DRAINING:
            self._pipe_held = True
            if self.plan.survivors is Survivors.KEEP and self._ended is None:
                self._phase = _Phase.ENDED
                return
            self._hunt()
            self._signal_all(signal.SIGKILL)
            self._phase = _Phase.LAST_WORDS
            self._deadline = time.monotonic() + _LAST_WORDS_S
        elif late:
            self._phase = _Phase.ENDED

    def _terminate(self, ended: Ended) -> None:
        self._ended = ended
        self._signal_all(signal.SIGTERM)
        self._signal_all(signal.SIGCONT)  # a stopped process acts on nothing but SIGKILL
        self._phase = _Phase.TERMINATING
        self._deadline = time.monotonic() + self.plan.limits.grace_s

    def _kill(self) -> None:
        self._signal_all(signal.SIGKILL)
        self._phase = _Phase.KILLING
        self._deadline = time.monotonic() + KILL_S

    def _signal_all(self, signum: int) -> None:
        for stage in self._stages:
            stage.signal(signum)

    def _hunt(self, *, kill: bool = False) -> list[int]:
        """Find what is left, once, while the zombies of the stages hold their groups."""
        if self._survivors is None:
            hunt = Hunt(
                stages={stage.pid for stage in self._stages},
                leaders={stage.pid for stage in self._stages if stage.holds_its_group()},
                mark=self.plan.mark,
                since=self._since,
                age_s=time.monotonic() - self._started,
            )
            kill = kill or self.plan.survivors is Survivors.KILL
            self._survivors = hunt.kill() if kill else hunt.find()
        return self._survivors

    def _make_outcome(self) -> Outcome:
        survivors = self._hunt()
        if self._ended is not None:
            self._signal_all(signal.SIGKILL)
        stages = [self._reap(stage) for stage in self._stages]
        self._read_what_is_there()
        last = stages[-1]
        by_itself = Ended.SIGNAL if last.signal is not None else Ended.EXIT
        return Outcome(
            ended=self._ended or by_itself,
            launcher=self._launcher.name,
            stages=tuple(stages),
            stdout=self._outputs["stdout"].captured(),
            stderr=self._outputs["stderr"].captured(),
            pipe_held=self._pipe_held,
            survivors=tuple(survivors),
            unreaped=tuple(stage.pid for stage in self._stages if not stage.exited),
            duration_s=time.monotonic() - self._submitted,
        )

    def _reap(self, stage: Stage) -> StageOutcome:
        if not stage.exited:
            threading.Thread(
                target=stage.reap_when_it_ends, name="agent_exec-reaper", daemon=True
            ).start()
            return StageOutcome(pid=stage.pid, exit_code=None, signal=None)
        outcome = stage.reap()
        stage.close()
        return outcome

    def _abort(self) -> None:
        """End what was started, at once: the call fails, or was interrupted."""
        left = [stage for stage in self._stages if not stage.reaped]
        deadline = time.monotonic() + KILL_S
        for stage in left:
            stage.signal(signal.SIGKILL)
        for stage in left:
            stage.await_exit(deadline)
        if len(left) == len(self._stages):
            self._hunt(kill=True)
        for stage in left:
            self._reap(stage)


@contextmanager
def _no_sigpipe() -> Iterator[None]:
    """Write without SIGPIPE, whatever the host has made of that signal.

    Python ignores it, but a host may have given it back its default action, which would
    end the host. macOS cannot take a pending signal back; there the host's choice stands.
    """
    if sys.platform == "darwin":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            signal.sigtimedwait({signal.SIGPIPE}, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
