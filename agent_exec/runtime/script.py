"""A text that runs without a shell: its pipelines, one after the other.

`ScriptRun.steps` is a generator of what is to be done, so that one walk serves callers with
and without an event loop: it yields plans and writes, and is sent outcomes.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Literal, NamedTuple, TypeAlias

from agent_exec.errors import LaunchError, ProgramNotFound, Step, TemplateError
from agent_exec.model.action import Action
from agent_exec.model.decision import Decision, Grant, Verdict
from agent_exec.model.outcome import Ended, LauncherName, Outcome, StageOutcome
from agent_exec.model.plan import (
    CallPlan,
    Executable,
    SpawnPlan,
    Spill,
    Stdio,
    Survivors,
    TemplateUse,
)
from agent_exec.model.request import Command
from agent_exec.model.result import StageResult
from agent_exec.model.script import Item, Joint, Pipeline, Redirection, SimpleCommand
from agent_exec.runtime.bind import Settings
from agent_exec.runtime.core_files import leaves_core
from agent_exec.runtime.exec_errors import (
    Failure,
    interpreter_error,
    is_text,
    not_executed,
    not_found,
)
from agent_exec.runtime.gather import Gathered
from agent_exec.runtime.open_file import NamedPipeError
from agent_exec.runtime.places import FilesOf, RealPlaces
from agent_exec.runtime.redirect import ERRORS, OUTPUT, Redirected, redirect, text_file
from agent_exec.runtime.render import signal_name
from agent_exec.runtime.renewal import on_stale
from agent_exec.runtime.resolve import find_program
from agent_exec.runtime.spill import OutputFile
from agent_exec.shell.builtins import BUILTINS
from agent_exec.shell.builtins.state import ShellState
from agent_exec.shell.expand import Scope, expand, expand_all
from agent_exec.shell.glob import expand_pattern
from agent_exec.shell.job_message import Ending, job_message
from agent_exec.template.cache import Lease, TemplateCache
from agent_exec.template.directory import Directory

_SIGNALLED = 128
_NOT_RUN = 126


class Write(NamedTuple):
    """Bytes of a builtin for a descriptor of the caller; may block."""

    fd: int
    data: bytes


Input: TypeAlias = bytes | int | Literal[Stdio.NULL]
StepToTake: TypeAlias = CallPlan | Write
Variables: TypeAlias = tuple[tuple[str, str], ...]
Steps: TypeAlias = Generator[StepToTake, Outcome | None, None]


class Found:
    """A program that was found, and its template until `release`."""

    def __init__(self, argv: tuple[str, ...], program: str, lease: Lease, name: str) -> None:
        self.argv = argv
        """What it gets; not that of the stage where bash reads a file as a text."""
        self.program = program
        self._lease = lease
        # A script is told the words by which it was executed.
        self._called = os.fsencode(name) if "/" in name else None

    @property
    def executable(self) -> Executable:
        """See `SpawnPlan`."""
        executable = self._lease.template.executable
        if self._called is None or not executable.script:
            return executable
        return replace(executable, called=self._called)

    @property
    def use(self) -> TemplateUse:
        """How the template was come by."""
        return self._lease.use

    def renew(self, cache: TemplateCache) -> None:
        """Take a fresh template in place of a stale one."""
        self._lease = cache.renew(self._lease)

    def release(self) -> None:
        """Give the template back. Idempotent."""
        self._lease.release()


class Program(NamedTuple):
    """A stage that is spawned."""

    argv: tuple[str, ...]
    found: Found
    envp: tuple[bytes, ...]
    actions: tuple[Action, ...]
    said: _Said


class Result(NamedTuple):
    """A stage that is over already: a builtin, or a command that could not be run."""

    argv: tuple[str, ...]
    status: int
    out: bytes
    """For whatever is behind it in the pipeline."""


class _End(NamedTuple):
    """How a stage ended: `status` or `signal`."""

    pid: int
    """Ours, where nothing was spawned."""
    status: int | None
    signal: int | None


class _Said:
    """What a stage that is not spawned writes, and where."""

    def __init__(self, opened: Redirected, line: int, *, piped: bool) -> None:
        self.opened = opened
        self.line = line
        self.piped = piped
        """Another stage reads its output."""
        self.pipe = b""

    def result(self, argv: tuple[str, ...], status: int) -> Result:
        return Result(argv, status, self.pipe)


class ScriptRun:
    """One run of one text.

    Args:
        grant: Holds the request, with its script.
        settings: Of the tool.
        judge_again: Of a command whose globs have been expanded.
        spills: Where the whole outputs go.
    """

    def __init__(
        self,
        grant: Grant,
        settings: Settings,
        judge_again: Callable[[Command], Decision],
        spills: tuple[OutputFile | None, OutputFile | None],
    ) -> None:
        request = grant.request
        assert request.script is not None
        self._request = request
        self._script = request.script
        self._settings = settings
        self._judge_again = judge_again
        self._spills = spills
        call = request.call
        limits = settings.limits
        timeout_s = limits.timeout_s if call.timeout_s is None else call.timeout_s
        self._began = time.monotonic()
        self._deadline = None if timeout_s is None else self._began + timeout_s
        self._mark = settings.environment.mark(request.id)
        self._extra = dict(call.env or {})
        base = settings.environment.variables(request.cwd)
        self._state = ShellState(request.cwd, {**base, **self._extra})
        self._base = base
        self._stdin: Input = Stdio.NULL if request.stdin is None else request.stdin
        self.out = Gathered(limits.head_bytes, limits.tail_bytes)
        self.err = Gathered(limits.head_bytes, limits.tail_bytes)
        self.stages: list[StageResult] = []
        self.ended = Ended.EXIT
        self.refused: str | None = None
        """Why it was stopped between two commands."""
        self.pipe_held = False
        self.survivors: list[int] = []
        self.unreaped: list[int] = []
        self._places = RealPlaces()
        self._leaves = False
        self._in_place = False
        """bash would become the command that runs now."""
        self._ends: list[_End] = []
        """Of the stages of the pipeline that runs now."""
        self._judged = _judged(grant.decision)
        self._directory: Directory | None = None
        """The current one, once it was needed."""

    @property
    def status(self) -> int:
        """``$?``."""
        return self._state.status

    @property
    def duration_ms(self) -> float:
        """Since it was made."""
        return round((time.monotonic() - self._began) * 1000, 3)

    def steps(self) -> Steps:
        """Run it. Send the outcome of every plan; throw the error of one that did not start."""
        with ExitStack() as holds:
            self._share_input(holds)
            items = self._script.items
            for index, item in enumerate(items):
                if self._leaves or self.ended is not Ended.EXIT or self.refused is not None:
                    return
                if _runs(item.joint, self._state.status):
                    self._in_place = self._script.execs and index == len(items) - 1
                    yield from self._pipeline(item)

    def _share_input(self, holds: ExitStack) -> None:
        """Literal input that several commands may read is read by each where the last stopped."""
        if not isinstance(self._stdin, bytes):
            return
        if sum(len(item.pipeline.commands) for item in self._script.items) > 1:
            fd = text_file(self._stdin)
            holds.callback(os.close, fd)
            self._stdin = fd

    def _pipeline(self, item: Item) -> Steps:
        pipeline = item.pipeline
        with ExitStack() as holds:
            try:
                stages = []
                for place in range(len(pipeline.commands)):
                    stages.append((yield from self._stage(pipeline, place, holds)))
                    if self.refused is not None:
                        return
            except NamedPipeError as error:
                self._refuse(
                    f"{error.filename or 'a redirection'} is a named pipe: run that by bash"
                )
                return
            status = yield from self._run(stages, pipeline)
        if pipeline.negated and not self._leaves:
            status = 0 if status else 1
        self._state = self._state._replace(status=status)

    def _stage(
        self, pipeline: Pipeline, place: int, holds: ExitStack
    ) -> Generator[StepToTake, Outcome | None, Program | Result]:
        """Make one stage ready: expand it, open its files, do it if it is a builtin."""
        simple = pipeline.commands[place]
        scope = self._scope()
        argv = self._words(simple, scope)
        errors_too = place < len(pipeline.errors_too) and pipeline.errors_too[place]
        opened = redirect(
            simple.redirections,
            lambda redirection: _target(redirection, scope),
            cwd=self._state.cwd,
            errors_too=errors_too,
            holds=holds,
        )
        last = place == len(pipeline.commands) - 1
        said = _Said(opened, simple.line, piped=not last)
        if opened.failed is not None:
            yield from self._complain(said, opened.failed)
            return said.result(argv, 1)
        if not argv:
            return said.result(argv, 0)
        if argv[0] in BUILTINS:
            return (yield from self._builtin(argv, said, alone=len(pipeline.commands) == 1))
        found = self._find(argv, holds)
        if isinstance(found, Failure):
            yield from self._complain(said, found.message)
            return said.result(argv, found.status)
        variables = self._judged.get(argv)
        if variables is None:
            # Only now are its words known: what globs match, and the status of a command.
            variables = self._judge(simple, argv, found.program, scope)
        if variables is None:
            return said.result(argv, 1)
        envp = self._envp(simple, scope, variables)
        return Program(argv, found, envp, opened.actions, said)

    def _words(self, simple: SimpleCommand, scope: Scope) -> tuple[str, ...]:
        fields = expand_all(simple.words, scope)
        if not any(field.is_pattern for field in fields):
            return tuple([field.text for field in fields])
        files = FilesOf(self._state.cwd)
        return tuple([word for field in fields for word in expand_pattern(field, files, scope)])

    def _scope(self) -> Scope:
        state = self._state
        return Scope(
            state.variables, state.variables.get("HOME"), state.cwd, ("bash",), state.status
        )

    def _judge(
        self, simple: SimpleCommand, argv: tuple[str, ...], program: str, scope: Scope
    ) -> Variables | None:
        """What a command needs to be run with; None when it may not."""
        variables = (*self._extra.items(), *_prefix(simple, scope))
        command = Command(argv, program, cwd=scope.cwd, variables=variables)
        decision = self._judge_again(command)
        if decision.verdict is Verdict.ALLOW:
            return decision.commands[0].variables
        because = "; ".join(decision.because)
        self._refuse(f"line {simple.line}: what its words have become is not allowed: {because}")
        return None

    def _refuse(self, because: str) -> None:
        self.refused = because
        self.ended = Ended.REFUSED

    def _builtin(
        self, argv: tuple[str, ...], said: _Said, *, alone: bool
    ) -> Generator[StepToTake, Outcome | None, Result]:
        done = BUILTINS[argv[0]](list(argv[1:]), self._state, self._places)
        status = done.status
        if alone:
            self._change(done.state)
            self._leaves = done.ends
        if done.error:
            yield from self._complain(said, done.error)
        if done.out:
            try:
                yield from self._write(said, 1, done.out)
            except OSError as error:
                status = 1
                what = os.strerror(error.errno or errno.EIO)
                yield from self._complain(said, f"{argv[0]}: write error: {what}")
        return said.result(argv, status)

    def _change(self, state: ShellState) -> None:
        if state.cwd != self._state.cwd:
            self._directory = None
        if state.variables is not self._state.variables:
            self._extra = {
                name: value
                for name, value in state.variables.items()
                if self._base.get(name) != value or name in self._extra
            }
        self._state = state

    def _complain(self, said: _Said, message: str) -> Steps:
        with suppress(OSError):  # as bash, which has nowhere to say it
            yield from self._write(said, 2, os.fsencode(f"bash: line {said.line}: {message}\n"))

    def _write(self, said: _Said, fd: int, data: bytes) -> Steps:
        """Raises OSError where `fd` is a file that cannot be written."""
        call = self._request.call
        target = said.opened.targets[fd]
        if target == OUTPUT and said.piped:
            said.pipe += data
        elif target == OUTPUT:
            yield from self._give(call.stdout, self.out, self._spills[0], data)
        elif target == ERRORS:
            yield from self._give(call.stderr, self.err, self._spills[1], data)
        elif target is not None:
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]

    def _give(
        self, fd: int | None, gathered: Gathered, spill: OutputFile | None, data: bytes
    ) -> Steps:
        if fd is not None:
            yield Write(fd, data)
            return
        gathered.write(data)
        if spill is not None:
            gathered.copy_out(spill.spill, data)

    def _find(self, argv: tuple[str, ...], holds: ExitStack) -> Found | Failure:
        """The program, ready to be spawned; or why bash would not execute it."""
        name, cwd, settings = argv[0], self._state.cwd, self._settings
        if name == "":
            return Failure(": command not found", 127)
        try:
            program = find_program(
                name, cwd=cwd, path=settings.environment.search_path(self._extra)
            )
        except (ProgramNotFound, TemplateError):
            return not_found(name, cwd)
        try:
            found = Found(argv, program, settings.cache.lease(program), name)
        except TemplateError as error:
            if error.errno != errno.ENOEXEC or not is_text(program):
                return not_executed(name, program, error.errno or errno.EIO)
            # No program, and no script with #!: bash reads it as a text of its own.
            shell = settings.shell_program
            words = ("bash", name if "/" in name else program, *argv[1:])
            found = Found(words, program, settings.cache.lease(shell), "bash")
        holds.callback(found.release)
        if found.executable.script:
            number = interpreter_error(program, cwd)
            if number:
                return not_executed(name, program, number)
        return found

    def _envp(self, simple: SimpleCommand, scope: Scope, variables: Variables) -> tuple[bytes, ...]:
        extra = self._extra
        if simple.assignments or variables:
            extra = {**extra, **dict(_prefix(simple, scope)), **dict(variables)}
        return self._settings.environment.words(self._mark, self._state.cwd, extra)

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
            self._ends.append(_End(os.getpid(), stage.status, None))
            given, status = stage.out, stage.status
        if segment:
            status = yield from self._spawn(segment, given, None)
        if status > _SIGNALLED and self.ended is Ended.EXIT and not self._in_place:
            yield from self._say_how_it_ended(pipeline)
        return status

    def _say_how_it_ended(self, pipeline: Pipeline) -> Steps:
        endings = [
            Ending(simple.shown, *end, dumped=end.signal is not None and leaves_core(end.signal))
            for simple, end in zip(pipeline.commands, self._ends, strict=True)
        ]
        message = job_message(pipeline.commands[-1].last_line, endings)
        if message:
            fd, spill = self._request.call.stderr, self._spills[1]
            yield from self._give(fd, self.err, spill, os.fsencode(message))

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
            try:
                outcome = yield plan
            except TemplateError as error:
                if error.errno not in (errno.ESTALE, errno.EACCES):
                    raise
                because = self._why_not_again(programs, error)
                if because is not None:
                    self._refuse(because)
                    return _NOT_RUN
                for program in programs:
                    program.found.renew(cache)
                plan = self._plan(programs, stdin, stdout)
                assert plan is not None
                outcome = yield plan
        except (TemplateError, LaunchError) as error:
            if len(programs) > 1 or not _is_of_exec(error):
                raise
            return (yield from self._not_spawned(programs[0], error.errno or errno.EIO))
        assert outcome is not None
        return self._take(programs, outcome, captured=stdout is None)

    def _why_not_again(self, programs: Sequence[Program], error: TemplateError) -> str | None:
        """Why programs, one of which has been replaced, may not be run as they are now."""
        verdict, because = on_stale(self._settings.on_update, error)
        if verdict is not Verdict.ALLOW:
            return because
        variables = tuple(self._extra.items())
        for program in programs:
            path = program.found.program
            command = Command(program.argv, path, cwd=self._state.cwd, variables=variables)
            decision = self._judge_again(command)
            if decision.verdict is not Verdict.ALLOW:
                reasons = "; ".join(decision.because)
                return f"{path} was replaced, and is not allowed now: {reasons}"
        return None

    def _plan(
        self, programs: Sequence[Program], stdin: Input, stdout: int | None
    ) -> CallPlan | None:
        """None when there is no time left."""
        call, settings = self._request.call, self._settings
        limits = settings.limits
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                return None
            limits = replace(limits, timeout_s=left)
        directory = self._work_in()
        out = call.stdout if stdout is None else stdout
        stages = [
            SpawnPlan(
                executable=program.found.executable,
                argv=tuple([os.fsencode(word) for word in program.found.argv]),
                envp=program.envp,
                actions=(*program.actions, Action.fchdir(directory.fd)),
                session=True,
                reset_signals=True,
                die_with_parent=settings.survivors is Survivors.KILL,
            )
            for program in programs
        ]
        return CallPlan(
            stages=tuple(stages),
            stdin=stdin,
            stdout=Stdio.CAPTURE if out is None else out,
            stderr=Stdio.CAPTURE if call.stderr is None else call.stderr,
            stdout_spill=None if stdout is not None else _rest(self._spills[0], self.out),
            stderr_spill=_rest(self._spills[1], self.err),
            limits=limits,
            survivors=settings.survivors,
            mark=self._mark,
        )

    def _work_in(self) -> Directory:
        """The current directory; the same one when its path has become another's."""
        if self._directory is None:
            cache, cwd = self._settings.cache, self._state.cwd
            try:
                self._directory = cache.directory() if cwd == cache.worktree else Directory(cwd)
            except OSError as error:
                raise LaunchError(cwd, Step.CWD, error.errno or errno.EIO) from None
        return self._directory

    def _take(
        self,
        programs: Sequence[Program],
        outcome: Outcome,
        *,
        captured: bool,
    ) -> int:
        """Note what became of programs; the status of the last."""
        if captured:
            self.out.add(outcome.stdout)
        self.err.add(outcome.stderr)
        self.pipe_held = self.pipe_held or outcome.pipe_held
        self.survivors += outcome.survivors
        self.unreaped += outcome.unreaped
        for program, stage in zip(programs, outcome.stages, strict=True):
            self.stages.append(_stage_result(program, stage, outcome.launcher))
            self._ends.append(_End(stage.pid, stage.exit_code, stage.signal))
        if outcome.ended not in (Ended.EXIT, Ended.SIGNAL) or (
            outcome.ended is Ended.SIGNAL and self._in_place
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
        yield from self._complain(program.said, failure.message)
        result = StageResult(program.argv, failure.status, None, LauncherName.BUILTIN, None)
        self.stages.append(result)
        self._ends.append(_End(os.getpid(), failure.status, None))
        return failure.status


def _is_of_exec(error: TemplateError | LaunchError) -> bool:
    return isinstance(error, LaunchError) and error.step is Step.EXEC


def _runs(joint: Joint, status: int) -> bool:
    if joint is Joint.AND:
        return status == 0
    return joint is Joint.ALWAYS or status != 0


def _target(redirection: Redirection, scope: Scope) -> str:
    field = expand(redirection.target, scope)
    return "" if field is None else field.text


def _judged(decision: Decision) -> dict[tuple[str, ...], Variables]:
    """By argument vector; not those that differ from place to place."""
    found: dict[tuple[str, ...], set[Variables]] = {}
    for ruling in decision.commands:
        if ruling.of is None:
            found.setdefault(ruling.argv, set()).add(ruling.variables)
    return {argv: next(iter(each)) for argv, each in found.items() if len(each) == 1}


def _prefix(simple: SimpleCommand, scope: Scope) -> Variables:
    """The variables before a command; later ones see earlier ones."""
    made: list[tuple[str, str]] = []
    for name, value in simple.assignments:
        field = expand(value, scope) if value.pieces else None
        text = "" if field is None else field.text
        made.append((name, text))
        scope = scope._replace(variables={**scope.variables, name: text})
    return tuple(made)


def _rest(file: OutputFile | None, gathered: Gathered) -> Spill | None:
    """What is left of the cap of an output file."""
    if file is None:
        return None
    return Spill(fd=file.spill.fd, cap=max(0, file.spill.cap - gathered.spilled))


def _stage_result(program: Program, stage: StageOutcome, launcher: LauncherName) -> StageResult:
    signal = None if stage.signal is None else signal_name(stage.signal)
    return StageResult(program.argv, stage.exit_code, signal, launcher, program.found.use)
