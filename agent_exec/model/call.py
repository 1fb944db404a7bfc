"""What was asked for, as it arrived."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from agent_exec.named_tuple import NamedTuple


class Keep(StrEnum):
    """Which part of an output that is too long its reader wants."""

    BOTH = "both"
    HEAD = "head"
    TAIL = "tail"


class ToolCall(NamedTuple):
    """One tool call: stages joined by pipes, one of them most of the time; or shell text.

    Nothing has been looked up yet: a program is a name, cwd may not exist.
    """

    stages: tuple[tuple[str, ...], ...] = ()
    """Empty when the call is a text."""
    command: str | None = None
    """Shell text."""
    stdin: str | bytes | int | None = None
    """Literal text, a descriptor to hand on, or nothing (/dev/null)."""
    stdout: int | None = None
    """A descriptor to hand on; None captures."""
    stderr: int | None = None
    cwd: str | os.PathLike[str] | None = None
    """None is the worktree; a relative one is relative to it."""
    env: Mapping[str, str] | None = None
    """Laid over the tool's own environment."""
    timeout_s: float | None = None
    """None is the tool's limit."""
    keep_output: bool = False
    """Write the whole output to files, too."""
    stdout_file: str | None = None
    """Write stdout to this file instead, as ``>`` does; relative to the call's directory."""
    append: bool = False
    """As ``>>`` does."""
    keep: Keep = Keep.BOTH
    output_bytes: int | None = None
    """Bytes kept of each output; None is the tool's limit, and no call gets more."""
    background: bool = False
    """Leave it running, as a session."""
    terminal: bool = False
    """A session with a terminal of its own (a PTY) for input and outputs."""
    justification: str | None = None
    """The model's word for why: shown to people as such, never believed."""

    def to_json(self) -> dict[str, object]:
        """What was asked for, without what is as always.

        Raises:
            ValueError: Input or outputs are descriptors, which are this process's own.
        """
        if isinstance(self.stdin, int) or self.stdout is not None or self.stderr is not None:
            raise ValueError("a call with descriptors of this process cannot be stored")
        shown: dict[str, object] = {}
        if self.command is not None:
            shown["command"] = self.command
        elif len(self.stages) == 1:
            shown["argv"] = list(self.stages[0])
        else:
            shown["pipeline"] = [list(argv) for argv in self.stages]
        if self.stdin is not None:
            shown["stdin"] = _text(self.stdin)
        if self.cwd is not None:
            shown["cwd"] = os.fspath(self.cwd)
        if self.env is not None:
            shown["env"] = dict(self.env)
        given = self[_FIRST_PLAIN:]
        if given != _DEFAULTS:
            pairs = zip(_PLAIN, given, _DEFAULTS, strict=True)
            shown |= {name: value for name, value, default in pairs if value != default}
        return shown

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """The call that `to_json` has shown, for which it shows the same again.

        Raises:
            KeyError, TypeError, ValueError: It is no such object.
        """
        given: dict[str, Any] = {
            name: value
            for name, value in shown.items()
            if name not in {"argv", "pipeline", "command"}
        }
        if unknown := given.keys() - {*_PLAIN, "stdin", "cwd", "env"}:
            raise ValueError(f"a call has no {', '.join(sorted(unknown))}")
        if "keep" in given:
            given["keep"] = Keep(given["keep"])
        if "command" in shown:
            return cls(command=shown["command"], **given)
        stages = shown["pipeline"] if "pipeline" in shown else [shown["argv"]]
        return cls(stages=tuple([tuple(argv) for argv in stages]), **given)


_PLAIN = (
    "timeout_s",
    "keep_output",
    "stdout_file",
    "append",
    "keep",
    "output_bytes",
    "background",
    "terminal",
    "justification",
)


_FIRST_PLAIN = ToolCall._fields.index(_PLAIN[0])
_DEFAULTS = tuple([ToolCall._field_defaults[name] for name in _PLAIN])


def _text(stdin: str | bytes | int) -> str:
    # Bytes that are no UTF-8 become lone surrogates, which resolve() makes bytes again.
    return stdin.decode("utf-8", "surrogateescape") if isinstance(stdin, bytes) else str(stdin)
