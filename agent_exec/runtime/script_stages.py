"""The commands of a text, each made ready to run, or done when it is a builtin."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack

from agent_exec.errors import Denied, LaunchError, ProgramNotFound, Step, TemplateError
from agent_exec.model.decision import Decision, Grant, Verdict
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import Executable
from agent_exec.model.request import Command, FileUse
from agent_exec.model.script import Operator, Pipeline, Redirection, SimpleCommand
from agent_exec.policy.paths import is_beneath, normal
from agent_exec.runtime.approvals.pinned import lease_approved
from agent_exec.runtime.bind import Settings
from agent_exec.runtime.confining import Confining
from agent_exec.runtime.environment import SearchPath
from agent_exec.runtime.exec_errors import (
    Failure,
    interpreter_error,
    is_text,
    not_executed,
    not_found,
)
from agent_exec.runtime.open_file import open_file
from agent_exec.runtime.outline import Words
from agent_exec.runtime.places import FilesOf, RealPlaces
from agent_exec.runtime.redirect import AS_GIVEN, redirect
from agent_exec.runtime.renewal import on_stale
from agent_exec.runtime.resolve import find_program, first_file
from agent_exec.runtime.script_outline import Judged, Needs, Variables
from agent_exec.runtime.script_output import ScriptOutput
from agent_exec.runtime.script_values import Found, Program, Result, Said, StepToTake, as_text
from agent_exec.shell.builtin_forms import is_builtin
from agent_exec.shell.builtins import BUILTINS
from agent_exec.shell.builtins.state import ShellState
from agent_exec.shell.expand import Scope, expand, expand_all
from agent_exec.shell.glob import expand_pattern
from agent_exec.shell.planning import FILE_USES
from agent_exec.template.cache import Lease
from agent_exec.template.directory import Directory

_NO_PATH = SearchPath(())

JudgeAgain = Callable[[Command], Decision]


class RefusedError(Exception):
    """`ScriptStages.refused` says why."""


class ScriptStages:
    """Knows where the text has come to: its directory, its variables, its last status.

    Args:
        grant: Holds the request, with its script.
        settings: Of the tool.
        judge_again: Of a command whose words are known only now.
        output: Where builtins write.
        confining: What the call has of the sandbox.
    """

    def __init__(
        self,
        grant: Grant,
        settings: Settings,
        judge_again: JudgeAgain,
        output: ScriptOutput,
        confining: Confining,
    ) -> None:
        request = grant.request
        self._settings = settings
        self._judge_again = judge_again
        self._output = output
        self._confining = confining
        self._mark = settings.environment.mark(request.id)
        self._outline = outline = settings.script_outlines.of(grant)
        self._extra = outline.given
        self.state = outline.state
        self.leaves = False
        """``exit`` was run."""
        self.refused: str | None = None
        """Why the text goes no further."""
        self._places = RealPlaces()
        self._grant = grant
        self._approved = grant.decision.verdict is not Verdict.ALLOW
        """By a person, and nothing of the text has changed anything since."""
        self._judged: Judged = outline.judged
        self._directory: Directory | None = None
        """The current one, once it was needed."""

    def make(
        self, item: int, pipeline: Pipeline, place: int, holds: ExitStack
    ) -> Generator[StepToTake, Outcome | None, Program | Result]:
        """Make one stage ready: expand it, open its files, do it if it is a builtin.

        Args:
            item: Which of the text `pipeline` is.
            pipeline: Its stages.
            place: Of the stage.
            holds: Lets go of what the stage has.
        """
        simple = pipeline.commands[place]
        outlined = self._as_outlined(item, pipeline, place, holds)
        if outlined is not None:
            return outlined
        self._look_where()
        scope = self._scope()
        argv = self._words(simple, scope)
        alone = len(pipeline.commands) == 1
        # bash looks a name up before it opens files, and says later that it has found nothing.
        program = self._look_up(argv[0], self._judged.get(argv), alone=alone) if argv else None
        errors_too = place < len(pipeline.errors_too) and pipeline.errors_too[place]
        opened = redirect(
            simple.redirections,
            lambda redirection: _target(redirection, scope),
            open_=lambda name, operator: self._open(name, operator, simple, argv, scope),
            errors_too=errors_too,
            holds=holds,
        )
        last = place == len(pipeline.commands) - 1
        said = Said(opened, simple.line, piped=not last)
        if opened.failed is not None:
            yield from self._output.complain(said, opened.failed)
            return said.result(argv, 1)
        if not argv:
            return said.result(argv, 0)
        if argv[0] in BUILTINS:
            if not self.state.foreseen and self._judge(simple, argv, None, scope) is None:
                return said.result(argv, 1)
            return (yield from self._builtin(argv, said, alone=alone))
        needs = self._judged.get(argv)
        found = self._find(argv, program, holds)
        if isinstance(found, Failure):
            yield from self._output.complain(said, found.message, lined=found.lined)
            return said.result(argv, found.status)
        if needs is None:
            # Only now is it known what it does: its words were globs, or the status of a
            # command; or a path leads elsewhere, for what a command before it has done.
            needs = self._judge(simple, argv, found.program, scope)
        if needs is None:
            return said.result(argv, 1)
        envp = self._envp(simple, scope, needs, found.executable)
        return Program(argv, found, envp, opened.actions, said, needs.rights)

    def _as_outlined(
        self, item: int, pipeline: Pipeline, place: int, holds: ExitStack
    ) -> Program | None:
        """A program of which nothing has changed since the text was judged; None: look closer."""
        outline, state = self._outline, self.state
        stage = outline.stages[item][place]
        if (
            stage is None
            or self._judged is not outline.judged
            # Also where cd has gone: it sets PWD.
            or state.variables is not outline.state.variables
        ):
            return None
        try:
            lease = self._lease(stage.program)
        except TemplateError:
            return None
        found = Found(stage.argv, stage.program, lease, stage.argv[0], stage.words)
        holds.callback(found.release)
        if found.executable.script and interpreter_error(stage.program, state.cwd):
            return None
        if len(pipeline.commands) == 1 and "/" not in stage.argv[0]:
            self._remember(stage.argv[0], stage.program)
        envp = self._confining.environment(
            stage.rights, found.executable, stage.environment, self._mark
        )
        said = Said(
            AS_GIVEN, pipeline.commands[place].line, piped=place < len(outline.stages[item]) - 1
        )
        return Program(stage.argv, found, envp, (), said, stage.rights)

    def went(self) -> None:
        """A pipeline has run. What it has changed may make others of the next commands."""
        if self._outline.may_change:
            self._judged = {}
            # What it makes of programs (``make && ./made``) was approved with it.
            self._approved = False

    def _open(
        self,
        name: str,
        operator: Operator,
        simple: SimpleCommand,
        argv: tuple[str, ...],
        scope: Scope,
    ) -> int:
        """The file of a redirection. What nobody has foreseen is judged again."""
        state, worktree = self.state, self._settings.cache.worktree
        named = os.path.join(state.here, name)
        real = os.path.realpath(named)  # of the name as it is: dots after a link mean its target's
        outside = real != normal(named) and not is_beneath(real, worktree)
        if outside or not state.foreseen:
            path = name if state.moved is None else real
            files = tuple([FileUse(kind, path) for kind in FILE_USES[operator]])
            if self._judge(simple, argv or (":",), None, scope, files) is None:
                raise RefusedError
        return open_file(name, state.here, operator)

    def _words(self, simple: SimpleCommand, scope: Scope) -> tuple[str, ...]:
        fields = expand_all(simple.words, scope)
        if not any(field.is_pattern for field in fields):
            return tuple([field.text for field in fields])
        files = FilesOf(self.state.here)
        return tuple([word for field in fields for word in expand_pattern(field, files, scope)])

    def _look_where(self) -> None:
        """A command of the text may have moved the directory that it is in, or removed it."""
        directory = self._directory
        if directory is not None:
            try:
                moved = not directory.is_at(self.state.cwd)
            except OSError:
                moved = True
            if moved:
                self.state = self.state._replace(moved=directory.path(), foreseen=False)
                self._judged = {}

    def _scope(self) -> Scope:
        state = self.state
        return Scope(
            state.variables, state.variables.get("HOME"), state.cwd, ("bash",), state.status
        )

    def _judge(
        self,
        simple: SimpleCommand,
        argv: tuple[str, ...],
        program: str | None,
        scope: Scope,
        files: tuple[FileUse, ...] = (),
    ) -> Needs | None:
        """What a command needs to be run with; None when it may not."""
        variables = (*self._variables(), *_prefix(simple, scope))
        builtin = is_builtin(argv[0])
        moved = self.state.moved
        cwd = scope.cwd if moved is None else os.path.realpath(moved)
        command = Command(argv, program, cwd=cwd, variables=variables, files=files, builtin=builtin)
        decision = self._judge_again(command)
        if decision.verdict is Verdict.ALLOW:
            ruling = decision.commands[0]
            return Needs(ruling.variables, ruling.rights, program)
        because = "; ".join(decision.because)
        self.refused = f"line {simple.line}: what it has become is not allowed: {because}"
        return None

    def _variables(self) -> Variables:
        """What is set for commands, but for where cd has gone: no command obeys that.

        Who sets these otherwise was judged by the text as it stands.
        """
        return tuple(
            [
                (name, value)
                for name, value in self._extra.items()
                if name not in ("PWD", "OLDPWD") or self._outline.given.get(name) == value
            ]
        )

    def _builtin(
        self, argv: tuple[str, ...], said: Said, *, alone: bool
    ) -> Generator[StepToTake, Outcome | None, Result]:
        done = BUILTINS[argv[0]](list(argv[1:]), self.state, self._places)
        status = done.status
        if alone:
            if argv[0] == "cd" and not done.error:
                self._directory = None  # also of the same path: it may be another by now
            self._change(done.state)
            self.leaves = done.ends
        if done.error:
            yield from self._output.complain(said, done.error)
        if done.out:
            try:
                yield from self._output.write(said, 1, done.out)
            except OSError as error:
                if argv[0] != "command":  # it does not look what became of its output
                    status = 1
                    what = os.strerror(error.errno or errno.EIO)
                    yield from self._output.complain(said, f"{argv[0]}: write error: {what}")
        return said.result(argv, status)

    def _change(self, state: ShellState) -> None:
        if not state.foreseen:
            self._judged = {}
        if state.variables is not self.state.variables:
            self._extra = {
                name: value
                for name, value in state.variables.items()
                if self._outline.base.get(name) != value or name in self._extra
            }
        self.state = state

    def _look_up(self, name: str, needs: Needs | None, *, alone: bool) -> str | None:
        """Where a name without a slash leads, be it to what cannot be executed; None: nowhere.

        What bash has found it remembers, but for what a subshell finds: it asks no more whether
        the file is there.
        """
        if "/" in name or name == "" or name in BUILTINS:
            return None
        program = self.state.remembered.get(name)
        if program is None and needs is not None and "PATH" not in self._extra:
            program = needs.program
        if program is None:
            path = self._settings.environment.search_path(self._extra)
            try:
                program = find_program(name, cwd=self.state.here, path=path)
            except ProgramNotFound:
                program = first_file(name, path.folders)
        if alone and program is not None:
            self._remember(name, program)
        return program

    def _remember(self, name: str, program: str) -> None:
        if self.state.remembered.get(name) != program:
            remembered = {**self.state.remembered, name: program}
            self.state = self.state._replace(remembered=remembered)

    def _find(
        self, argv: tuple[str, ...], program: str | None, holds: ExitStack
    ) -> Found | Failure:
        """The program, ready to be spawned; or why bash would not execute it.

        Args:
            argv: Its words.
            program: Where its name leads, if that has no slash.
            holds: Lets go of it.
        """
        name, cwd, settings = argv[0], self.state.here, self._settings
        if name == "":
            return Failure(": command not found", 127)
        if "/" in name:
            named = name if self.state.moved is None else _where_it_is(name, cwd)
            try:
                program = find_program(named, cwd=cwd, path=_NO_PATH)
            except (ProgramNotFound, TemplateError):
                program = None
        if program is None or not os.access(program, os.X_OK) or os.path.isdir(program):
            return not_found(program or name, cwd, self.state.variables)
        number = 0
        try:
            found = Found(argv, program, self._lease(program), name)
            holds.callback(found.release)
            if found.executable.script:
                number = interpreter_error(program, cwd)
        except TemplateError as error:
            number = error.errno or errno.EIO
        if number == errno.ENOEXEC and is_text(program):
            # No program, and no script with #!: bash reads it as a text of its own.
            shell = settings.cache.lease(settings.shell_program)
            found = Found(as_text(argv, program), program, shell, "bash")
            holds.callback(found.release)
            return found
        return not_executed(name, program, number) if number else found

    def _lease(self, program: str) -> Lease:
        if not self._approved:
            return self._settings.cache.lease(program)
        try:
            return lease_approved(
                self._settings.cache, program, self._grant, self._settings.on_update
            )
        except Denied as error:
            self.refused = str(error)
            raise RefusedError from error

    def _envp(
        self, simple: SimpleCommand, scope: Scope, needs: Needs, executable: Executable
    ) -> tuple[bytes, ...]:
        extra = self._extra
        if simple.assignments or needs.variables:
            extra = {**extra, **dict(_prefix(simple, scope)), **dict(needs.variables)}
        words = Words.of(
            self._settings.environment.words(self.state.cwd, extra), own_tmpdir="TMPDIR" in extra
        )
        return self._confining.environment(needs.rights, executable, words, self._mark)

    def why_not_again(self, programs: Sequence[Program], error: TemplateError) -> str | None:
        """Why programs, one of which has been replaced, may not be run as they are now."""
        verdict, because = on_stale(self._settings.on_update, error)
        if verdict is not Verdict.ALLOW:
            return because
        if self._approved:
            return f"it is no longer what was approved: {error}"
        variables = self._variables()
        for program in programs:
            path = program.found.program
            command = Command(program.argv, path, cwd=self.state.cwd, variables=variables)
            decision = self._judge_again(command)
            if decision.verdict is not Verdict.ALLOW:
                reasons = "; ".join(decision.because)
                return f"{path} was replaced, and is not allowed now: {reasons}"
        return None

    def work_in(self) -> Directory:
        """The current directory; the same one when its path has become another's."""
        if self._directory is None:
            cache, cwd = self._settings.cache, self.state.cwd
            try:
                self._directory = cache.directory() if cwd == cache.worktree else Directory(cwd)
            except OSError as error:
                raise LaunchError(cwd, Step.CWD, error.errno or errno.EIO) from None
        return self._directory


def _where_it_is(name: str, here: str) -> str:
    """A program that is named by a path from a directory that has moved."""
    folder, slash, last = name.rpartition("/")
    return f"{os.path.realpath(os.path.join(here, folder))}/{last}" if slash else name


def _target(redirection: Redirection, scope: Scope) -> str:
    field = expand(redirection.target, scope)
    return "" if field is None else field.text


def _prefix(simple: SimpleCommand, scope: Scope) -> Variables:
    """The variables before a command; later ones see earlier ones."""
    made: list[tuple[str, str]] = []
    for name, value in simple.assignments:
        field = expand(value, scope) if value.pieces else None
        text = "" if field is None else field.text
        made.append((name, text))
        scope = scope._replace(variables={**scope.variables, name: text})
    return tuple(made)
