"""grant -> plan: what was approved, as bytes, descriptors and actions."""

from __future__ import annotations

import errno
import os

from agent_exec.errors import InvalidCall, LaunchError, Step, TemplateError
from agent_exec.model.action import Action
from agent_exec.model.decision import Decision, Grant
from agent_exec.model.plan import CallPlan, Limits, SpawnPlan, Spill, Stdio, Survivors
from agent_exec.model.request import Command
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.approvals.pinned import lease_approved
from agent_exec.runtime.confining import Confining
from agent_exec.runtime.environment import ChildEnvironment
from agent_exec.runtime.live import Live
from agent_exec.runtime.on_terminal import on_terminal
from agent_exec.runtime.spill import OutputFile
from agent_exec.sandbox.profile import Sandbox
from agent_exec.template.cache import Lease, TemplateCache
from agent_exec.template.directory import Directory
from agent_exec.template.template import Template


class Settings(NamedTuple):
    """What a tool gives to every call that it binds."""

    cache: TemplateCache
    environment: ChildEnvironment
    limits: Limits
    survivors: Survivors
    output_folder: str
    output_cap: int
    """Bytes of one output file."""
    shell_program: str
    """Absolute path of a bash."""
    sandbox: Sandbox | None
    """None: nothing can be confined here."""
    on_update: str
    """When the program of a template was replaced: ``recreate``, ``ask`` or ``deny``."""
    live: Live | None = None
    """Of one call: where outputs are copied to for somebody who looks on."""


class Bound:
    """A plan that can be run, and what it holds until `release`."""

    def __init__(self, grant: Grant, settings: Settings) -> None:
        self.grant = grant
        self.leases: list[Lease] = []
        self.stdout_file: OutputFile | None = None
        self.stderr_file: OutputFile | None = None
        self._settings = settings
        self._directory: Directory | None = None
        timeout_s = grant.request.call.timeout_s
        self.confining = Confining(
            settings.sandbox,
            settings.limits.timeout_s if timeout_s is None else timeout_s,
            settings.survivors,
        )
        try:
            for command in grant.request.commands:
                self.leases.append(
                    lease_approved(
                        settings.cache, _program(command), grant, on_update=settings.on_update
                    )
                )
            self.plan = self._plan()
        except BaseException:
            self.release(ran=False)
            raise

    def renew(self, grant: Grant, refusal: TemplateError) -> None:
        """Replace the templates that a launcher refused; nothing has started.

        Args:
            grant: For the same call, resolved again.
            refusal: Stale (ESTALE), or made before we changed our credentials (EACCES).

        Raises:
            TemplateError: A program is gone, or is none any more.
        """
        self.grant = grant
        cache = self._settings.cache
        for index, command in enumerate(grant.request.commands):
            lease, program = self.leases[index], _program(command)
            if lease.template.name != program:
                self.leases[index] = cache.lease(program)
                lease.release()
            elif refusal.errno == errno.EACCES or _is_stale(lease.template):
                self.leases[index] = cache.renew(lease)
        self.plan = self.plan._replace(stages=self._stages(self._cwd()))

    def release(self, *, ran: bool) -> None:
        """Give the templates back and close what was opened for the call."""
        for lease in self.leases:
            lease.release()
        self.confining.leave(ran=ran)
        for file in (self.stdout_file, self.stderr_file):
            if file is not None:
                file.close(keep=ran)
        self._directory = None

    def _plan(self) -> CallPlan:
        request, settings = self.grant.request, self._settings
        call = request.call
        if call.keep_output:
            if call.stdout is None:
                self.stdout_file = self._file("stdout")
            if call.stderr is None:
                self.stderr_file = self._file("stderr")
        limits = settings.limits
        return CallPlan(
            stages=self._stages(self._cwd()),
            stdin=Stdio.NULL if request.stdin is None else request.stdin,
            stdout=Stdio.CAPTURE if call.stdout is None else call.stdout,
            stderr=Stdio.CAPTURE if call.stderr is None else call.stderr,
            stdout_spill=self._spill(0, self.stdout_file),
            stderr_spill=self._spill(1, self.stderr_file),
            limits=limits if call.timeout_s is None else limits._replace(timeout_s=call.timeout_s),
            survivors=settings.survivors,
            mark=self._mark(),
        )

    def _stages(self, directory: int) -> tuple[SpawnPlan, ...]:
        request, settings = self.grant.request, self._settings
        words, mark, env = settings.environment.words, self._mark(), request.call.env or {}
        decision = self.grant.decision
        needed = [ruling.variables for ruling in decision.commands if ruling.of is None]
        if request.needs_shell is not None:
            needed = [_for_all(decision)]
        rights = [ruling.rights for ruling in decision.commands if ruling.of is None]
        if request.needs_shell is not None:
            rights = [decision.rights]
        hardened = [words(mark, request.cwd, env, each) for each in needed]
        confining, own = self.confining, "TMPDIR" in env
        actions = (Action.fchdir(directory),)
        dies = settings.survivors is Survivors.KILL
        stages = tuple(
            [
                SpawnPlan(
                    executable=lease.template.executable,
                    argv=tuple([os.fsencode(word) for word in command.argv]),
                    # Before the environment: it chooses the temp directory.
                    confinement=confining.confinement(
                        granted, lease.template.executable, command.argv
                    ),
                    envp=confining.environment(granted, environment, own=own),
                    actions=actions,
                    session=True,
                    reset_signals=True,
                    die_with_parent=dies,
                )
                for command, lease, environment, granted in zip(
                    request.commands, self.leases, hardened, rights, strict=True
                )
            ]
        )
        call = request.call
        if call.terminal:
            assert isinstance(call.stdin, int), "a session has made it"
            stages = (on_terminal(stages[0], call.stdin),)
        return confining.boxed(stages, rights)

    def _mark(self) -> bytes:
        return self._settings.environment.mark(self.grant.request.id)

    def _cwd(self) -> int:
        cwd = self.grant.request.cwd
        if cwd == self._settings.cache.worktree:
            self._directory = self._settings.cache.directory()
        elif self._directory is None:
            try:
                self._directory = Directory(cwd)
            except OSError as error:
                raise LaunchError(cwd, Step.CWD, error.errno or errno.EIO) from None
        return self._directory.fd

    def _spill(self, which: int, kept: OutputFile | None) -> Spill | None:
        live = self._settings.live
        if kept is not None or live is None:
            return None if kept is None else kept.spill
        return live.files[which].spill

    def _file(self, name: str) -> OutputFile:
        settings = self._settings
        return OutputFile.create(
            settings.output_folder, f"{self.grant.request.id}.{name}", settings.output_cap
        )


def _program(command: Command) -> str:
    assert command.program is not None, "resolve() finds the program of every stage"
    return command.program


def _for_all(decision: Decision) -> tuple[tuple[str, str], ...]:
    """What the commands within a text need to be run with, when one shell runs them.

    Raises:
        InvalidCall: They need different things.
    """
    needed = {ruling.variables for ruling in decision.commands if ruling.variables}
    if len(needed) > 1:
        raise InvalidCall(
            "the commands in this text must be run with different settings; send them one by one"
        )
    return needed.pop() if needed else ()


def _is_stale(template: Template) -> bool:
    try:
        template.check()
    except TemplateError:
        return True
    return False
