"""``agent-exec run``."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from agent_exec.errors import AgentExecError, CallRejected, InvalidCall, PolicyError
from agent_exec.model.decision import Verdict
from agent_exec.model.outcome import Ended
from agent_exec.model.result import ToolResult

CONTEXT = {"allow_interspersed_args": False, "help_option_names": ["--help", "-h"]}

EXIT_TIMEOUT = 124
EXIT_NOT_RUN = 125
EXIT_SIGNAL = 128


class _Stopped(BaseException):
    """SIGTERM or SIGHUP came: whoever runs us wants the call to end."""

    def __init__(self, signum: int) -> None:
        self.signum = signum


def run(
    argv: Annotated[list[str], typer.Argument(help="The program and its arguments.")],
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="What may run; only 'open' in this release.")
    ] = "default",
    worktree: Annotated[
        str, typer.Option("--worktree", "-w", help="The directory to work in.")
    ] = ".",
    as_json: Annotated[
        bool, typer.Option("--json", help="Capture the output and print one JSON object.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds until the command is ended.")
    ] = None,
    launcher: Annotated[str, typer.Option("--launcher", help="auto, vfork or portable.")] = "auto",
) -> None:
    """Run one command: agent-exec run [OPTIONS] -- ARGV...

    The command's input, output and errors are ours, byte for byte; --json captures the
    outputs. A terminal is not handed on as input.

    Exit status: the command's; 124 timeout, 125 refused or not launched, 128+n signal n.
    """
    try:
        with _signals_raised():
            result = _call(argv, policy, worktree, timeout, launcher, capture=as_json)
    except AgentExecError as error:
        if not as_json:
            raise
        result = _not_run(error)
    except _Stopped as stopped:
        raise typer.Exit(EXIT_SIGNAL + stopped.signum) from None
    if as_json:
        typer.echo(json.dumps(result.to_json(), ensure_ascii=False))
    else:
        _tell(result)
    raise typer.Exit(_exit_status(result))


def _call(
    argv: list[str],
    policy: str,
    worktree: str,
    timeout: float | None,
    launcher: str,
    *,
    capture: bool,
) -> ToolResult:
    from agent_exec.tool import ExecTool  # noqa: PLC0415 - --help needs none of it

    with ExecTool(worktree, policy=policy, launcher=launcher, hot_after=1) as tool:
        return tool.run_sync(
            argv,
            stdin=_input(),
            stdout=None if capture else _standard(1),
            stderr=None if capture else _standard(2),
            timeout_s=timeout,
        )


def _input() -> int | None:
    """Our input, unless it is a terminal (a child in another session cannot read it)."""
    fd = _standard(0)
    return None if fd is None or os.isatty(fd) else fd


def _standard(fd: int) -> int | None:
    """`fd`, or None when we were started without it."""
    try:
        os.fstat(fd)
    except OSError:
        return None
    return fd


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the call as Ctrl-C does: the children die, then we."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise _Stopped(signum)

    previous = {name: signal.signal(name, stop) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)


def _not_run(error: AgentExecError) -> ToolResult:
    refused = isinstance(error, (CallRejected, InvalidCall, PolicyError))
    return ToolResult(
        id="",
        verdict=Verdict.DENY if refused else Verdict.ALLOW,
        route=None,
        ended=Ended.REFUSED if refused else Ended.LAUNCH_FAILED,
        error=f"{type(error).__name__}: {error}",
    )


def _tell(result: ToolResult) -> None:
    """What the command's own output does not say."""
    if result.ended is Ended.TIMEOUT:
        typer.echo("agent-exec: timed out; the command was ended", err=True)
    if result.survivors:
        pids = ", ".join(map(str, result.survivors))
        typer.echo(f"agent-exec: processes it left behind were ended: {pids}", err=True)
    if result.unreaped:
        pids = ", ".join(map(str, result.unreaped))
        typer.echo(f"agent-exec: not even SIGKILL ended: {pids}", err=True)


def _exit_status(result: ToolResult) -> int:
    if result.ended is Ended.TIMEOUT:
        return EXIT_TIMEOUT
    if not result.stages:
        return EXIT_NOT_RUN
    last = result.stages[-1]
    if last.signal is not None:
        return EXIT_SIGNAL + _signal_number(last.signal)
    return EXIT_NOT_RUN if last.exit_code is None else last.exit_code


def _signal_number(name: str) -> int:
    if name in signal.Signals.__members__:
        return signal.Signals[name]
    return int(name.removeprefix("SIG"))
