"""``agent-exec hook``, for typer; see `agent_exec.cli.hook_words`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="What hosts call before they run a command.", no_args_is_help=True)


@app.command("claude-code")
def claude_code(
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="What may run: a shipped name, or a path.")
    ] = "default",
    worktree: Annotated[
        str | None, typer.Option("--worktree", "-w", help="By default that of the project.")
    ] = None,
    start_daemon: Annotated[
        bool, typer.Option("--start-daemon", help="Start a daemon if there is none.")
    ] = False,
) -> None:
    """A PreToolUse hook of Claude Code: an event on stdin, a decision on stdout.

    Exit status: 0; 2 when the event cannot be understood, which blocks the call.
    """
    from agent_exec.integrations.claude_code import hook  # noqa: PLC0415 - --help needs none of it

    raise typer.Exit(hook.main(hook.HookOptions(policy, worktree, start_daemon)))
