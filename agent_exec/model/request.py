"""A call understood: every program found, everything that will be used in its final form."""

from __future__ import annotations

from dataclasses import dataclass

from agent_exec.model.call import ToolCall


@dataclass(frozen=True, slots=True)
class Command:
    """One argument vector, and the program that its first word names."""

    argv: tuple[str, ...]
    program: str
    """Absolute path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """A call whose programs and directory were found."""

    id: str
    """Unique; also the value of the mark in every child's environment."""
    call: ToolCall
    commands: tuple[Command, ...]
    cwd: str
    """Absolute, without links."""
    stdin: bytes | int | None
    """Literal bytes, a descriptor to hand on, or nothing."""
