"""A text that runs without a shell: its pipelines, one after the other.

`ScriptRun.steps` is a generator of what is to be done, so that one walk serves callers with
and without an event loop: it yields plans and writes, and is sent outcomes.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.model.decision import Grant
from agent_exec.model.outcome import Ended, LauncherName, Outcome, StageOutcome
from agent_exec.model.plan import CallPlan, SpawnPlan, Stdio, Survivors
from agent_exec.model.result import StageResult
from agent_exec.model.script import Item, Joint, Pipeline
from agent_exec.runtime.bind import Settings
from agent_exec.runtime.confining import Confining
from agent_exec.runtime.core_files import leaves_core
from agent_exec.runtime.exec_errors import not_executed
from agent_exec.runtime.left_over import LeftOver
from agent_exec.runtime.on_terminal import on_terminal
from agent_exec.runtime.open_file import OnlyByBashError
from agent_exec.runtime.redirect import text_file
from agent_exec.runtime.render import signal_name
from agent_exec.runtime.renewal import MOST_RENEWALS
from agent_exec.runtime.script_output import Files, ScriptOutput
from agent_exec.runtime.script_stages import JudgeAgain, RefusedError, ScriptStages
from agent_exec.runtime.script_values import End, Input, Program, Result, Steps, StepToTake
from agent_exec.shell.job_message import Ending, job_message

_SIGNALLED = 128
_NOT_RUN = 126


class ScriptRun:
    """One run of one text.

    Args:
        grant: Holds the request, with its script.
        settings: Of the tool.
        judge_again: Of a command whose words are known only when it runs.
        files: Where the whole outputs go.
    """

    ended = Ended.EXIT
    pipe_held = False
    _last = False
    """Of the pipelines; what it leaves running is ended with it."""

    def __init__(
        self, grant: Grant, settings: Settings, judge_again: JudgeAgain, files: Files
    ) -> None:
        request = grant.request
        assert request.script is not None
        self._call = call = request.call
        self._script = request.script
        self._settings = settings
        limits = settings.limits
        timeout_s = limits.timeout_s if call.timeout_s is None else call.timeout_s
        self._began = time.monotonic()
        self._deadline = None if timeout_s is None else self._began + timeout_s
        self._mark = settings.environment.mark(request.id)
        self._stdin: Input = Stdio.NULL if request.stdin is None else request.stdin
        self.output = ScriptOutput(call, limits, files)
        self.confining = Confining(settings.sandbox, timeout_s, settings.survivors)
        self._ready = ScriptStages(grant, settings, judge_again, self.output, self.confining)
        self.stages: list[StageResult] = []
        self.survivors: list[int] = []
        self.unreaped: list[int] = []
        self._left_over = LeftOver(self._mark)
        self._ends: list[End] = []
        """Of the stages of the pipeline that runs now."""

    @property
    def status(self) -> int:
        """``$?``."""
        return self._ready.state.status

    @property
    def refused(self) -> str | None:
        """Why it was stopped between two commands."""
        return self._ready.refused

    @property
    def duration_ms(self) -> float:
        """Since it was made."""
        return round((time.monotonic() - self._began) * 1000, 3)

    def steps(self) -> Steps:
        """Run it. Send the outcome of every plan; throw the error of one that did not start."""
        ran = False
        shared = None
        try:
            shared = self._share_input()
            yield from self._items()
            ran = True
        finally:
            if shared is not None:
                os.close(shared)
            self.survivors += self._left_over.end()
            self.confining.leave(ran=ran)

    def _items(self) -> Steps:
        items = self._script.items
        for index, item in enumerate(items):
            if self._ready.leaves or self.ended is not Ended.EXIT or self.refused is not None:
                return
            if _runs(item.joint, self._ready.state.status):
                self._last = index == len(items) - 1
                yield from self._pipeline(index, item)
                self._ready.went()

    def _share_input(self) -> int | None:
        """Literal input that several commands may read is read by each where the last stopped."""
        if not isinstance(self._stdin, bytes):
            return None
        if sum(len(item.pipeline.commands) for item in self._script.items) <= 1:
            return None
        self._stdin = text_file(self._stdin)
        return self._stdin

    def _refuse(self, because: str) -> None:
        self._ready.refused = because
        self.ended = Ended.REFUSED

    def _pipeline(self, index: int, item: Item) -> Steps:
        pipeline = item.pipeline
        with ExitStack() as holds:
            try:
                stages = []
                for place in range(len(pipeline.commands)):
                    stages.append((yield from self._ready.make(index, pipeline, place, holds)))
                    if self.refused is not None:
                        self.ended = Ended.REFUSED
                        return
            except RefusedError:
                self.ended = Ended.REFUSED
                return
            except OnlyByBashError as error:
                self._refuse(f"{error.filename} is {error.strerror}: run that by bash")
                return
            status = yield from self._run(stages, pipeline)
        if pipeline.negated and not self._ready.leaves:
            status = 0 if status else 1
        self._ready.state = self._ready.state._replace(status=status)

    def _run(
        self, stages: Sequence[Program | Result], pipeline: Pipeline
    ) -> Generator[StepToTake, Outcome | None, int]:
        """Run the programs among `stages`; those between two that are over, together."""
        self._ends.clear()
        given: Input = self._stdin
        status = 0
        segment: list[Program] = []
        for stage in stages:
            if isinstance(stage, Program):
                segment.append(stage)
                continue
            if segment:
                # The reader is gone before they write.
                with ExitStack() as holds:
                    read_end, write_end = os.pipe()
                    os.close(read_end)
                    holds.callback(os.close, write_end)
                    yield from self._spawn(segment, given, write_end)
                segment = []
            self.stages.append(
                StageResult(stage.argv, stage.status, None, LauncherName.BUILTIN, None)
            )
            self._ends.append(End(os.getpid(), stage.status, None))
            given, status = stage.out, stage.status
        if segment:
            status = yield from self._spawn(segment, given, None)
        if status > _SIGNALLED and self.ended is Ended.EXIT and not self._in_place():
            yield from self._say_how_it_ended(pipeline)
        return status

    def _in_place(self) -> bool:
        """Would bash become the command that runs now?"""
        return self._last and self._script.execs

    def _say_how_it_ended(self, pipeline: Pipeline) -> Steps:
        endings = [
            Ending(simple.shown, *end, dumped=end.signal is not None and leaves_core(end.signal))
            for simple, end in zip(pipeline.commands, self._ends, strict=True)
        ]
        message = job_message(pipeline.commands[-1].last_line, endings)
        if message:
            yield from self.output.tell(message)

    def _spawn(
        self,
        programs: Sequence[Program],
        stdin: Input,
        stdout: int | None,
    ) -> Generator[StepToTake, Outcome | None, int]:
        """Run programs joined by pipes; the status of the last.

        Args:
            programs: At least one.
            stdin: Of the first.
            stdout: Of the last; None for that of the text.
        """
        cache = self._settings.cache
        plan = self._plan(programs, stdin, stdout)
        if plan is None:
            self.ended = Ended.TIMEOUT
            return _SIGNALLED
        try:
            for _ in range(MOST_RENEWALS):
                try:
                    outcome = self.confining.ended((yield plan))
                    break
                except TemplateError as error:
                    if error.errno not in (errno.ESTALE, errno.EACCES):
                        raise
                    because = self._ready.why_not_again(programs, error)
                    if because is not None:
                        self._refuse(because)
                        return _NOT_RUN
                for program in programs:
                    program.found.renew(cache, self._settings.shell_program)
                plan = self._plan(programs, stdin, stdout)
                if plan is None:
                    self.ended = Ended.TIMEOUT
                    return _SIGNALLED
            else:
                outcome = self.confining.ended((yield plan))
        except (TemplateError, LaunchError) as error:
            if len(programs) > 1 or not _is_of_exec(error):
                raise
            return (yield from self._not_spawned(programs[0], error.errno or errno.EIO))
        return self._take(programs, outcome, captured=stdout is None)

    def _plan(
        self, programs: Sequence[Program], stdin: Input, stdout: int | None
    ) -> CallPlan | None:
        """None when there is no time left."""
        call, settings = self._call, self._settings
        limits = settings.limits
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                return None
            limits = limits.for_time(left)
        directory = self._ready.work_in()
        out = call.stdout if stdout is None else stdout
        out_rest, err_rest = self.output.rest()
        dies = settings.survivors is Survivors.KILL
        stages: list[SpawnPlan] = []
        for program in programs:
            executable = program.found.executable
            stages.append(
                SpawnPlan(
                    executable,
                    program.found.words,
                    program.envp,
                    (*program.actions, *directory.actions),
                    session=True,
                    reset_signals=True,
                    die_with_parent=dies,
                    confinement=self.confining.confinement(
                        program.rights, executable, program.argv
                    ),
                )
            )
        if call.terminal:
            assert isinstance(call.stdin, int), "a session has made it"
            stages = [on_terminal(stage, call.stdin) for stage in stages]
        return CallPlan(
            self.confining.boxed(stages, [program.rights for program in programs]),
            stdin,
            Stdio.CAPTURE if out is None else out,
            Stdio.CAPTURE if call.stderr is None else call.stderr,
            None if stdout is not None else out_rest,
            err_rest,
            limits,
            settings.survivors if self._last and stdout is None else Survivors.KEEP,
            self._mark,
        )

    def _take(
        self,
        programs: Sequence[Program],
        outcome: Outcome,
        *,
        captured: bool,
    ) -> int:
        """Note what became of programs; the status of the last."""
        self.output.take(outcome, captured=captured)
        self.pipe_held = self.pipe_held or outcome.pipe_held
        if (self._last and captured) or self._settings.survivors is Survivors.KEEP:
            self.survivors += outcome.survivors
        else:
            self._left_over.note(outcome.survivors)
        self.unreaped += outcome.unreaped
        for program, stage in zip(programs, outcome.stages, strict=True):
            self.stages.append(_stage_result(program, stage, outcome.launcher))
            self._ends.append(End(stage.pid, stage.exit_code, stage.signal))
        if outcome.ended not in (Ended.EXIT, Ended.SIGNAL) or (
            outcome.ended is Ended.SIGNAL and self._in_place()
        ):
            self.ended = outcome.ended
        last = outcome.stages[-1]
        if last.signal is not None:
            return _SIGNALLED + last.signal
        return 1 if last.exit_code is None else last.exit_code

    def _not_spawned(
        self, program: Program, number: int
    ) -> Generator[StepToTake, Outcome | None, int]:
        """What bash says, and does, when execve(2) fails."""
        failure = not_executed(program.argv[0], program.found.program, number)
        yield from self.output.complain(program.said, failure.message, lined=failure.lined)
        result = StageResult(program.argv, failure.status, None, LauncherName.BUILTIN, None)
        self.stages.append(result)
        self._ends.append(End(os.getpid(), failure.status, None))
        return failure.status


def _is_of_exec(error: TemplateError | LaunchError) -> bool:
    if isinstance(error, LaunchError):
        return error.step is Step.EXEC
    return error.errno == errno.ENOEXEC


def _runs(joint: Joint, status: int) -> bool:
    if joint is Joint.AND:
        return status == 0
    return joint is Joint.ALWAYS or status != 0


def _stage_result(program: Program, stage: StageOutcome, launcher: LauncherName) -> StageResult:
    signal = None if stage.signal is None else signal_name(stage.signal)
    found = program.found
    return StageResult(program.argv, stage.exit_code, signal, launcher, found.use, found.because)
