"""The structured part of every result, as a schema; `ToolResult.to_json` makes such objects."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OutputResult(_Result):
    head: str
    tail: str
    dropped: int = Field(description="Bytes between head and tail that were left out.")
    file: str | None = Field(description="Where the whole output lies.")


class StageResult(_Result):
    argv: list[str]
    exit_code: int | None
    signal: str | None
    launcher: str
    template: Literal["hit", "miss", "recreated"] | None


class SessionResult(_Result):
    handle: str
    running: bool
    offset: int = Field(description="Of the first byte of stdout.head, counted from the start.")
    next_offset: int = Field(description="Where the next exec_read goes on.")
    dropped: int = Field(
        description="Bytes before offset that were asked for and are not shown: gone, or too many."
    )
    size: int = Field(description="Bytes that it has written so far.")


class ExecResult(_Result):
    id: str
    verdict: Literal["allow", "ask", "deny"]
    route: Literal["direct", "shell"] | None
    route_reason: str | None
    ended: Literal["exit", "signal", "timeout", "cancelled", "refused", "launch_failed", "running"]
    status: int | None = Field(description="Exit status; 128 + the number of a signal.")
    stages: list[StageResult]
    stdout: OutputResult
    stderr: OutputResult
    pipe_held: bool
    survivors: list[int]
    unreaped: list[int]
    duration_ms: float
    error: str | None = Field(description="Why it did not run, and what to do instead.")
    notices: list[str]
    held_by: list[Literal["landlock", "seccomp", "cgroup", "bubblewrap"]] | None
    session: SessionResult | None


RESULTS: dict[str, type[BaseModel]] = dict.fromkeys(
    ("exec", "exec_read", "exec_write", "exec_stop"), ExecResult
)
