"""What became of a call, as its caller reads it."""

from __future__ import annotations

from agent_exec.model.decision import Route, Verdict
from agent_exec.model.outcome import Ended, LauncherName
from agent_exec.model.plan import TemplateUse
from agent_exec.model.session import SessionState
from agent_exec.named_tuple import NamedTuple


class Output(NamedTuple):
    """One output as text: what was kept, what was left out, where the whole of it lies."""

    head: str = ""
    tail: str = ""
    dropped: int = 0
    """Bytes between head and tail."""
    file: str | None = None
    size: int = 0
    """Bytes that were written in all."""

    def to_json(self) -> dict[str, object]:
        """The object of ``run --json``."""
        return {
            "head": self.head,
            "tail": self.tail,
            "dropped": self.dropped,
            "file": self.file,
        }


class StageResult(NamedTuple):
    """How one stage ended: `exit_code` or `signal`; both None when nobody can tell."""

    argv: tuple[str, ...]
    exit_code: int | None
    signal: str | None
    """Its name, such as SIGPIPE."""
    launcher: LauncherName
    template: TemplateUse | None
    """None where nothing was spawned."""
    because: str | None = None
    """Why the template was recreated; for the audit log, no part of the JSON object."""

    def to_json(self) -> dict[str, object]:
        """The object of ``run --json``."""
        return {
            "argv": list(self.argv),
            "exit_code": self.exit_code,
            "signal": self.signal,
            "launcher": str(self.launcher),
            "template": None if self.template is None else str(self.template),
        }


class ToolResult(NamedTuple):
    """What became of one call. A call that was refused or not launched has no stages."""

    id: str
    verdict: Verdict
    route: Route | None
    ended: Ended
    route_reason: str | None = None
    """Why a shell ran the text."""
    status: int | None = None
    """What a shell gives as ``$?`` afterwards; None when the call did not run to its end."""
    stages: tuple[StageResult, ...] = ()
    stdout: Output = Output()
    stderr: Output = Output()
    pipe_held: bool = False
    """A descendant still held an output when the call ended: there may have been more."""
    survivors: tuple[int, ...] = ()
    """Pids of descendants that were left, and were killed or kept as configured."""
    unreaped: tuple[int, ...] = ()
    """Pids of stages that outlived SIGKILL."""
    duration_ms: float = 0.0
    error: str | None = None
    """Why the call did not run; None when it did."""
    notices: tuple[str, ...] = ()
    """What else there is to say of a call that ran: a file that has not all of an output."""
    held_by: tuple[str, ...] | None = None
    """What held every program of the call, in the words of ``sandbox.require``; None while it runs,
    and when nothing has run."""
    session: SessionState | None = None
    """Of a call that was left running, and of what was asked about one."""
    text: str | None = None
    """All of it for a model to read; only `ExecTool.call` makes it."""

    def to_json(self) -> dict[str, object]:
        """The object of ``run --json``."""
        return {
            "id": self.id,
            "verdict": str(self.verdict),
            "route": None if self.route is None else str(self.route),
            "route_reason": self.route_reason,
            "ended": str(self.ended),
            "status": self.status,
            "stages": [stage.to_json() for stage in self.stages],
            "stdout": self.stdout.to_json(),
            "stderr": self.stderr.to_json(),
            "pipe_held": self.pipe_held,
            "survivors": list(self.survivors),
            "unreaped": list(self.unreaped),
            "duration_ms": self.duration_ms,
            "error": self.error,
            "notices": list(self.notices),
            "held_by": None if self.held_by is None else list(self.held_by),
            "session": None if self.session is None else self.session.to_json(),
        }
