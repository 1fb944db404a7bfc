"""grant -> plan: what was approved, as bytes, descriptors and actions."""

from __future__ import annotations

import errno

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.model.decision import Grant
from agent_exec.model.plan import CallPlan, Limits, SpawnPlan, Spill, Stdio, Survivors
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.alike import Alike
from agent_exec.runtime.approvals.pinned import lease_approved
from agent_exec.runtime.confining import Confining
from agent_exec.runtime.environment import ChildEnvironment
from agent_exec.runtime.live import Live
from agent_exec.runtime.on_terminal import on_terminal
from agent_exec.runtime.outline import Outline
from agent_exec.runtime.script_outline import ScriptOutline
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
    outlines: Alike[Outline]
    """Of calls without a script."""
    script_outlines: Alike[ScriptOutline]
    """Of the others."""
    live: Live | None = None
    """Of one call: where outputs are copied to for somebody who looks on."""


class Bound:
    """A plan that can be run, and what it holds until `release`."""

    stdout_file: OutputFile | None = None
    stderr_file: OutputFile | None = None
    _directory: Directory | None = None

    def __init__(self, grant: Grant, settings: Settings) -> None:
        self.grant = grant
        self.leases: list[Lease] = []
        self._settings = settings
        self._mark = settings.environment.mark(grant.request.id)
        timeout_s = grant.request.call.timeout_s
        self.confining = Confining(
            settings.sandbox,
            settings.limits.timeout_s if timeout_s is None else timeout_s,
            settings.survivors,
        )
        try:
            self._outline = settings.outlines.of(grant)
            for stage in self._outline.stages:
                self.leases.append(
                    lease_approved(
                        settings.cache, stage.program, grant, on_update=settings.on_update
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
        self._outline = self._settings.outlines.of(grant)
        for index, stage in enumerate(self._outline.stages):
            lease, program = self.leases[index], stage.program
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
        if self.stdout_file is not None:
            self.stdout_file.close(keep=ran)
        if self.stderr_file is not None:
            self.stderr_file.close(keep=ran)
        self._directory = None

    def _plan(self) -> CallPlan:
        request, settings = self.grant.request, self._settings
        call = request.call
        if call.keep_output:
            if call.stdout is None:
                self.stdout_file = self._file("stdout")
            if call.stderr is None:
                self.stderr_file = self._file("stderr")
        spills: tuple[Spill | None, Spill | None] = (None, None)
        if call.keep_output or settings.live is not None:
            spills = self._spill(0, self.stdout_file), self._spill(1, self.stderr_file)
        return CallPlan(
            self._stages(self._cwd()),
            Stdio.NULL if request.stdin is None else request.stdin,
            Stdio.CAPTURE if call.stdout is None else call.stdout,
            Stdio.CAPTURE if call.stderr is None else call.stderr,
            *spills,
            settings.limits if call.timeout_s is None else settings.limits.for_time(call.timeout_s),
            settings.survivors,
            self._mark,
        )

    def _stages(self, directory: Directory) -> tuple[SpawnPlan, ...]:
        outline, confining, mark = self._outline, self.confining, self._mark
        actions = directory.actions
        dies = self._settings.survivors is Survivors.KILL
        stages: list[SpawnPlan] = []
        for stage, lease in zip(outline.stages, self.leases, strict=True):
            executable, rights = lease.template.executable, stage.rights
            stages.append(
                SpawnPlan(
                    executable,
                    stage.words,
                    confining.environment(rights, executable, stage.environment, mark),
                    actions,
                    session=True,
                    reset_signals=True,
                    die_with_parent=dies,
                    confinement=confining.confinement(rights, executable, stage.argv),
                )
            )
        call = self.grant.request.call
        if call.terminal:
            assert isinstance(call.stdin, int), "a session has made it"
            stages = [on_terminal(stages[0], call.stdin)]
        return confining.boxed(stages, outline.rights)

    def _cwd(self) -> Directory:
        cwd = self.grant.request.cwd
        if cwd == self._settings.cache.worktree:
            self._directory = self._settings.cache.directory()
        elif self._directory is None:
            try:
                self._directory = Directory(cwd)
            except OSError as error:
                raise LaunchError(cwd, Step.CWD, error.errno or errno.EIO) from None
        return self._directory

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


def _is_stale(template: Template) -> bool:
    try:
        template.check()
    except TemplateError:
        return True
    return False
