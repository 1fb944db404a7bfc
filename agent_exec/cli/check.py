"""``agent-exec check``, for typer; see `agent_exec.cli.check_words`."""

from __future__ import annotations

from typing import Annotated

import typer

from agent_exec.cli.check_words import CheckOptions

CONTEXT = {"allow_interspersed_args": False, "help_option_names": ["--help", "-h"]}


def check(
    argv: Annotated[list[str] | None, typer.Argument(help="The program and its arguments.")] = None,
    command: Annotated[
        str | None, typer.Option("--command", "-c", help="Shell text, instead of ARGV.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="A file of calls, one JSON object a line; or -.")
    ] = None,
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="A shipped name, or a path.")
    ] = "default",
    worktree: Annotated[
        str, typer.Option("--worktree", "-w", help="The directory to work in.")
    ] = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what would be decided: agent-exec check [OPTIONS] (-- ARGV... | -c TEXT | --batch FILE)

    Nothing runs.

    Exit status: 0 allow, 10 ask, 11 deny. With --batch: 0 when every line was answered.
    """
    from agent_exec.cli.check_call import execute  # noqa: PLC0415 - --help needs none of it

    if bool(argv) + (command is not None) + (batch is not None) != 1:
        raise typer.BadParameter("give one of ARGV, -c TEXT and --batch FILE")
    options = CheckOptions(
        argv=tuple(argv or ()),
        command=command,
        batch=batch,
        policy=policy,
        worktree=worktree,
        as_json=as_json,
    )
    raise typer.Exit(execute(options))
