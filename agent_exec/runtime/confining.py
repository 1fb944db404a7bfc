"""What one call has of the sandbox: nothing is made before a stage needs it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.model.confinement import Confinement
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import Executable, SpawnPlan, Survivors
from agent_exec.model.result import ToolResult
from agent_exec.model.rights import Rights
from agent_exec.runtime.boxed import Boxed, outcome_of
from agent_exec.runtime.denials import Withheld, denials
from agent_exec.runtime.outline import TMPDIR, Words
from agent_exec.sandbox.profile import Cell, Sandbox
from agent_exec.sandbox.protected import Looks, changes

_MOST_NAMED = 5


class Confining:
    """Of one call, from its first stage to `leave`.

    Args:
        sandbox: Of the tool; None: nothing can be confined here.
        timeout_s: Of the call; None for no limit.
        survivors: What becomes of what it leaves running.
    """

    # Most calls change few of these: set here, they are not set for each call.
    _cell: Cell | None = None
    _alone = True
    _in_use = False
    _ran_code = False
    _before: Looks | None = None
    """Protected files, before the first stage that could write them."""
    _boxed: Sequence[Boxed | None] = ()
    _made: Confinement | None = None
    """Of the last stage; of one tool all are of one kind."""
    _contained: bool | None = None

    def __init__(
        self, sandbox: Sandbox | None, timeout_s: float | None, survivors: Survivors
    ) -> None:
        self._sandbox = sandbox
        self._timeout_s = timeout_s
        self._survivors = survivors
        self._withheld: list[Withheld] = []

    @property
    def held_by(self) -> tuple[str, ...] | None:
        """What held every program that ran, as ``sandbox.require`` calls it; None: none has."""
        if self._contained is None:
            return None
        made = self._made
        held: tuple[str, ...] = ()
        if made is not None and made.landlock is not None:
            held = ("landlock",)
        if made is not None and made.filter is not None:
            held += ("seccomp",)
        if self._contained:
            held += ("cgroup",)
        return (*held, "bubblewrap") if self._boxed and None not in self._boxed else held

    def confinement(
        self, rights: Rights | None, executable: Executable, argv: tuple[str, ...]
    ) -> Confinement | None:
        """What a stage does to itself; None where nothing is withheld, or can be.

        Raises:
            LaunchError: At step sandbox: it cannot be had. Nothing has started.
        """
        if rights is None or self._sandbox is None:
            return None
        sandbox = self._sandbox
        try:
            cell = self._cell or self._entered(sandbox)
            made = cell.confinement(rights, executable)
        except OSError as error:
            raise LaunchError(executable.name, Step.SANDBOX, error.errno or errno.EIO) from None
        self._made = made
        self._ran_code |= rights.code
        if rights.write and self._before is None:
            self._before = sandbox.protected.look()
        self._withheld.append(Withheld(argv, executable.name, rights, sandbox.box is not None))
        return made

    def environment(
        self,
        rights: Rights | None,
        executable: Executable,
        words: Words,
        mark: bytes,
    ) -> tuple[bytes, ...]:
        """The environment of a stage: with TMPDIR, where it has a temp directory by `rights`.

        Args:
            rights: Of the stage.
            executable: What it becomes.
            words: All but the mark, and TMPDIR where the call does not set it itself.
            mark: Of the call.

        Raises:
            LaunchError: As `confinement`.
        """
        if words.own_tmpdir or rights is None or self._sandbox is None or not rights.tmp:
            return (*words.all, mark)
        try:
            tmp = (self._cell or self._entered(self._sandbox)).tmp_for(rights, executable)
        except OSError as error:
            raise LaunchError("a temp directory", Step.SANDBOX, error.errno or errno.EIO) from None
        return (*words.others, mark, TMPDIR + tmp)

    def explained(self, result: ToolResult, cwd: str) -> ToolResult:
        """`result` with notices of what was refused to its stages."""
        if self._sandbox is None or not self._withheld:
            return result
        said = [*self._told_of_protected(self._sandbox)]
        said += denials(self._withheld, result, self._sandbox.bounds, cwd=cwd)
        return result._replace(notices=(*result.notices, *said)) if said else result

    def _told_of_protected(self, sandbox: Sandbox) -> Iterator[str]:
        if self._before is None:
            return
        programs = {name for each in self._withheld for name in each.rights.programs}
        by_git = any(os.path.basename(name) == "git" for name in programs)
        found = [
            f"{name} was {what}"
            for name, what in changes(self._before, sandbox.protected.look())
            if not (by_git and _is_gits_own(name))
        ]
        if found:
            more = "" if len(found) <= _MOST_NAMED else f" and {len(found) - _MOST_NAMED} more"
            yield (
                f"{', '.join(found[:_MOST_NAMED])}{more} while this ran: other programs run or "
                "obey what is there later, outside of the sandbox; see that it is meant to be so"
            )

    def boxed(
        self, stages: Sequence[SpawnPlan], rights: Sequence[Rights | None]
    ) -> tuple[SpawnPlan, ...]:
        """Stages that are launched together, run in bubblewrap where the policy wants that.

        Raises:
            LaunchError: As `confinement`.
        """
        sandbox = self._sandbox
        if sandbox is None or sandbox.box is None:
            return tuple(stages)
        cell = self._entered(sandbox)
        boxed: list[Boxed | None] = []
        self._boxed = boxed
        made = []
        for stage, granted in zip(stages, rights, strict=True):
            told = None
            if granted is not None:
                try:
                    stage, told = cell.boxed(stage, granted)  # noqa: PLW2901
                except (OSError, TemplateError) as error:
                    number, name = error.errno or errno.EIO, stage.executable.name
                    raise LaunchError(name, Step.SANDBOX, number, reason="in bubblewrap") from error
            boxed.append(None if told is None else Boxed(stage.executable.name, told))
            made.append(stage)
        return tuple(made)

    def ended(self, outcome: Outcome | None) -> Outcome:
        """Some stages have ended: what became of them, also within bubblewrap.

        Raises:
            LaunchError: A program was never executed.
            TemplateError: The same of a lone one, that is no longer what was pinned.
        """
        assert outcome is not None, "who waits for one is sent one"
        self._contained = outcome.contained and self._contained is not False
        alone = False
        if self._boxed:
            outcome, alone = outcome_of(outcome, self._boxed)
        # May anything be left that knows the temp directory?
        left = bool(outcome.unreaped or outcome.pipe_held)
        if self._survivors is Survivors.KEEP and outcome.survivors:
            left = self._in_use = True
        if self._ran_code and not outcome.contained and not alone:
            left = True
        self._alone &= not left
        return outcome

    def leave(self, *, ran: bool) -> None:
        """Give back what the call had. Idempotent.

        Args:
            ran: Has it come to its end? If not, nobody knows what is left of it.
        """
        if self._cell is not None:
            self._cell.leave(alone=self._alone and ran, in_use=self._in_use)

    def _entered(self, sandbox: Sandbox) -> Cell:
        if self._cell is None:
            self._cell = sandbox.enter(self._timeout_s)
        return self._cell


def _is_gits_own(name: str) -> bool:
    """What git writes in the course of its work: a remote, an upstream, a submodule."""
    return name.startswith(".git/") and (
        not name.startswith(".git/hooks/") or name.endswith(".sample")  # which nobody runs
    )
