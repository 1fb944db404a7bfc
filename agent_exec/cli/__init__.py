"""The command line: typer, and no logic.

Data goes to stdout, everything else to stderr. No command catches what the package raises on
purpose: `main` turns it into one line.
"""

from __future__ import annotations

import sys

from agent_exec.cli.run_words import read_run
from agent_exec.errors import AgentExecError

EXIT_NOT_RUN = 125
EXIT_INTERRUPTED = 130


def main() -> None:
    """The `agent-exec` command."""
    try:
        options = read_run(sys.argv[1:])
        if options is None:
            from agent_exec.cli.commands import app  # noqa: PLC0415 - see run_words

            app()
        else:
            from agent_exec.cli.run_call import execute  # noqa: PLC0415 - --help needs none of it

            sys.exit(execute(options))
    except AgentExecError as error:
        if sys.stderr is not None:
            print(f"agent-exec: {error}", file=sys.stderr)
        sys.exit(EXIT_NOT_RUN)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
