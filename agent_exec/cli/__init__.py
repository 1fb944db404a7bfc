"""The command line: typer, and no logic.

Data goes to stdout, everything else to stderr. No command catches what the package raises on
purpose: `main` turns it into one line.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable

from agent_exec._version import __version__
from agent_exec.cli.hook_words import read_hook
from agent_exec.errors import AgentExecError

TYPE_CHECKING = False  # as in `agent_exec`
if TYPE_CHECKING:
    from typing import NoReturn

EXIT_NOT_RUN = 125
EXIT_INTERRUPTED = 130
_SELDOM = 50_000
"""Objects made since the last look for cycles."""


def as_process() -> None:
    """The `agent-exec` command, as a process of its own."""
    usual = gc.get_threshold()
    # To look for cycles in what is imported takes a tenth of the time of a short command.
    gc.set_threshold(_SELDOM)
    main(_leave, lambda: gc.set_threshold(*usual))


def main(
    leave: Callable[[int], NoReturn] = sys.exit, settle: Callable[[], None] = lambda: None
) -> None:
    """The `agent-exec` command.

    Args:
        leave: Ends the process after a command that has left nothing running.
        settle: Called before a command that may live long.
    """
    try:
        try:
            _command(leave, settle)
        finally:
            # Here, where somebody can be told that it cannot be written.
            _flush()
    except AgentExecError as error:
        from agent_exec.cli.trouble import say  # noqa: PLC0415 - most commands have none

        say(str(error))
        sys.exit(EXIT_NOT_RUN)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        from agent_exec.cli.trouble import told  # noqa: PLC0415 - as above

        sys.exit(told(error))


def _command(leave: Callable[[int], NoReturn], settle: Callable[[], None]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name of a file may hold what no encoding has.
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:]
    # Imported where they are needed: a call should not wait for what it does not use.
    if words[:1] == ["hook"] and (hooked := read_hook(words)) is not None:
        from agent_exec.integrations.claude_code import hook  # noqa: PLC0415

        leave(hook.main(hook.HookOptions(**hooked)))  # type: ignore[arg-type]
    from agent_exec.cli.check_words import read_check  # noqa: PLC0415
    from agent_exec.cli.run_words import read_run  # noqa: PLC0415

    options, checked = read_run(words), read_check(words)
    if options is not None:
        from agent_exec.cli.run_call import execute  # noqa: PLC0415

        leave(execute(options))
    if checked is not None:
        from agent_exec.cli import check_call  # noqa: PLC0415

        leave(check_call.execute(checked))
    if words == ["--version"]:
        print(f"agent-exec {__version__}")
        leave(0)
    if words == ["--help"]:
        from agent_exec.cli.plain_help import plain_help  # noqa: PLC0415

        if (text := plain_help()) is not None:
            print(text, end="")
            leave(0)
    from agent_exec.cli.commands import app  # noqa: PLC0415 - see run_words

    settle()
    app()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _leave(status: int) -> NoReturn:
    """End at once: to take down what was imported takes a tenth of the time of a hook."""
    _flush()
    os._exit(status)
