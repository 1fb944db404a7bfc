"""One call from the command line: run it, show it, and give its exit status."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from agent_exec.cli.run_words import RunOptions
from agent_exec.errors import AgentExecError, InvalidCall
from agent_exec.model.decision import Route
from agent_exec.model.outcome import Ended
from agent_exec.model.result import ToolResult
from agent_exec.runtime.approvals.asking import Approver
from agent_exec.runtime.call_options import CallOptions
from agent_exec.runtime.refusal import not_run
from agent_exec.tool import ExecTool

EXIT_TIMEOUT = 124
EXIT_NOT_RUN = 125
EXIT_SIGNAL = 128


class _Stopped(BaseException):
    """SIGTERM or SIGHUP came: whoever runs us wants the call to end."""

    def __init__(self, signum: int) -> None:
        self.signum = signum


def execute(options: RunOptions) -> int:
    """Run the call; the exit status for it.

    Raises:
        AgentExecError: It did not run. With `as_json` that is an object on stdout instead.
    """
    try:
        with _signals_raised():
            result = _call(options)
    except AgentExecError as error:
        if not options.as_json:
            raise
        result = not_run(error)
    except _Stopped as stopped:
        return EXIT_SIGNAL + stopped.signum
    if options.as_json:
        _print_json(result)
    else:
        _tell(result, options)
    return _exit_status(result)


def _call(options: RunOptions) -> ToolResult:
    # Before the tool is made: its descriptors may get numbers that we were started without.
    stdin = _input()
    stdout, stderr = (None, None) if options.as_json else (_standard(1), _standard(2))
    with ExecTool(
        options.worktree,
        policy=options.policy,
        launcher=options.launcher,
        approver=_somebody(),
        asked_by="agent-exec run",
    ) as tool:
        given: CallOptions = {
            "stdin": stdin,
            "stdout": stdout,
            "stderr": stderr,
            "timeout_s": options.timeout_s,
            # As the user's shell would read it, not from the worktree.
            "cwd": None if options.cwd is None else os.path.abspath(options.cwd),
        }
        if options.command is None:
            return tool.run_sync(options.argv, **given)
        if options.argv:
            raise InvalidCall("run takes ARGV or -c TEXT, not both")
        return tool.run_shell_sync(options.command, **given)


def _somebody() -> Approver | None:
    if not os.isatty(2):
        return None
    from agent_exec.cli.prompt import terminal_approver  # noqa: PLC0415 - only for people

    return terminal_approver()


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
    """Make SIGTERM and SIGHUP end the call as Ctrl-C does: the children die, then we.

    One that we were started to ignore (nohup) stays ignored.
    """

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise _Stopped(signum)

    heeded = [
        signum
        for signum in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(signum) is not signal.SIG_IGN
    ]
    previous = {signum: signal.signal(signum, stop) for signum in heeded}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _print_json(result: ToolResult) -> None:
    import json  # noqa: PLC0415 - the plain output needs none

    if sys.stdout is None:
        return
    # A byte of argv that was no UTF-8 is a lone surrogate; JSON can write it as an escape.
    text = json.dumps(result.to_json(), ensure_ascii=False)
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def _tell(result: ToolResult, options: RunOptions) -> None:
    """What the command's own output does not say."""
    if not options.quiet and result.route is Route.SHELL:
        _notice(f"run by a shell: {result.route_reason}")
    elif not options.quiet and options.command is not None and result.error is None:
        _notice("run without a shell")
    if result.ended is Ended.TIMEOUT:
        _notice("timed out; the command was ended")
    if result.error is not None:
        _notice(result.error)
    if result.survivors:
        _notice(f"processes it left behind were ended: {', '.join(map(str, result.survivors))}")
    if result.unreaped:
        _notice(f"not even SIGKILL ended: {', '.join(map(str, result.unreaped))}")
    for notice in result.notices:
        _notice(notice)


def _notice(text: str) -> None:
    if sys.stderr is not None:
        print(f"agent-exec: {text}", file=sys.stderr)


def _exit_status(result: ToolResult) -> int:
    if result.ended is Ended.TIMEOUT:
        return EXIT_TIMEOUT
    return EXIT_NOT_RUN if result.status is None else result.status
