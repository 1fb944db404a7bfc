"""What ``agent-exec --help`` says on a terminal of the usual width, without typer.

It is what typer makes of the commands, which a test compares: to import typer for it takes
longer than a person should wait.
"""

from __future__ import annotations

import os
import sys

_WIDTH = 80
_TEXT = """\
Usage: agent-exec [OPTIONS] COMMAND [ARGS]...

  Run programs as coding agents should: argv in, a structured result out, no
  shell.

Options:
  --version  Print the version.
  --help     Show this message and exit.

Commands:
  run          Run one command: agent-exec run [OPTIONS] (-- ARGV...
  check        Say what would be decided: agent-exec check [OPTIONS] (--...
  schema       Print the tools as a vendor wants them defined: a list, as...
  mcp          Serve the tool to an MCP host: over stdio, or HTTP on this...
  daemon       Start the daemon, if there is none; it serves the hooks...
  uninstall    Take back what installs have changed in the files of hosts.
  doctor       Tell what this machine offers: kernel, launchers, kill...
  policy       Policies: show, lint, test, schema, import.
  approvals    What was approved for good, in one worktree.
  log          The audit log.
  hook         What hosts call before they run a command.
  claude-code  The hook in the settings of Claude Code.
  opencode     The tool, and a guard for the built-in one, in opencode.
  bench        The benchmarks.
"""


def plain_help() -> str | None:
    """The text; None where typer would wrap it, or name the program, in another way."""
    if os.path.basename(sys.argv[0]) != "agent-exec" or _columns() < _WIDTH:
        return None
    return _TEXT


def _columns() -> int:
    """Of the terminal, as typer asks for them."""
    if "COLUMNS" in os.environ:
        return int(os.environ["COLUMNS"]) if os.environ["COLUMNS"].isdecimal() else 0
    try:
        return os.get_terminal_size(1).columns or _WIDTH
    except OSError:
        return _WIDTH
