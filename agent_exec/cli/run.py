"""``agent-exec run``, for typer; see `agent_exec.cli.run_words`."""

from __future__ import annotations

from typing import Annotated

import typer

from agent_exec.cli.run_words import RunOptions

CONTEXT = {"allow_interspersed_args": False, "help_option_names": ["--help", "-h"]}


def run(
    argv: Annotated[list[str] | None, typer.Argument(help="The program and its arguments.")] = None,
    command: Annotated[
        str | None, typer.Option("--command", "-c", help="Shell text, instead of ARGV.")
    ] = None,
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="What may run: a shipped name, or a path.")
    ] = "default",
    worktree: Annotated[
        str, typer.Option("--worktree", "-w", help="The directory to work in.")
    ] = ".",
    cwd: Annotated[
        str | None, typer.Option("--cwd", help="The directory of the command; the worktree.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Capture the output and print one JSON object.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not say on stderr how a text was run.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds until the command is ended.")
    ] = None,
    launcher: Annotated[
        str, typer.Option("--launcher", help="auto, vfork, kernel or portable.")
    ] = "auto",
) -> None:
    """Run one command: agent-exec run [OPTIONS] (-- ARGV... | -c TEXT)

    The command's input, output and errors are ours, byte for byte; --json captures the
    outputs. A terminal is not handed on as input.

    Exit status: the command's; 124 timeout, 125 refused or not launched, 128+n signal n.
    """
    from agent_exec.cli.run_call import execute  # noqa: PLC0415 - --help needs none of it

    options = RunOptions(
        argv=tuple(argv or ()),
        command=command,
        policy=policy,
        worktree=worktree,
        cwd=cwd,
        as_json=as_json,
        quiet=quiet,
        timeout_s=timeout,
        launcher=launcher,
    )
    raise typer.Exit(execute(options))
