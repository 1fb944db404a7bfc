"""The command line: typer, and no logic.

Data goes to stdout, everything else to stderr. No command catches what the package raises on
purpose: `main` turns it into one line.
"""

from __future__ import annotations

import sys

from agent_exec.cli.hook_words import read_hook
from agent_exec.errors import AgentExecError

EXIT_NOT_RUN = 125
EXIT_INTERRUPTED = 130


def main() -> None:
    """The `agent-exec` command."""
    try:
        words = sys.argv[1:]
        # Imported where they are needed: a call should not wait for what it does not use.
        if words[:1] == ["hook"] and (hooked := read_hook(words)) is not None:
            from agent_exec.integrations.claude_code import hook  # noqa: PLC0415

            sys.exit(hook.main(hook.HookOptions(**hooked)))  # type: ignore[arg-type]
        from agent_exec.cli.check_words import read_check  # noqa: PLC0415
        from agent_exec.cli.run_words import read_run  # noqa: PLC0415

        options, checked = read_run(words), read_check(words)
        if options is not None:
            from agent_exec.cli.run_call import execute  # noqa: PLC0415

            sys.exit(execute(options))
        if checked is not None:
            from agent_exec.cli import check_call  # noqa: PLC0415

            sys.exit(check_call.execute(checked))
        from agent_exec.cli.commands import app  # noqa: PLC0415 - see run_words

        app()
    except AgentExecError as error:
        if sys.stderr is not None:
            print(f"agent-exec: {error}", file=sys.stderr)
        sys.exit(EXIT_NOT_RUN)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
