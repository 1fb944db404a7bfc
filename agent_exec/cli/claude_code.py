"""``agent-exec claude-code``, for typer."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="The hook in the settings of Claude Code.", no_args_is_help=True)

_SCOPE = typer.Option(
    "--scope", help="project (.claude/settings.json), local (settings.local.json) or user."
)
_PROJECT = typer.Option("--project", help="The directory of the project; the current one.")


@app.command("install")
def install(
    scope: Annotated[str, _SCOPE] = "project",
    project: Annotated[str, _PROJECT] = ".",
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="What may run: a shipped name, or a path.")
    ] = "default",
    worktree: Annotated[
        str | None, typer.Option("--worktree", "-w", help="By default that of the project.")
    ] = None,
    start_daemon: Annotated[
        bool, typer.Option("--start-daemon", help="Let the hook start a daemon.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the change, and do not make it.")
    ] = False,
) -> None:
    """Let Claude Code ask agent_exec before each command of its Bash tool."""
    from agent_exec.integrations.claude_code import install as installing  # noqa: PLC0415
    from agent_exec.policy.load import load_policy  # noqa: PLC0415

    prepared = installing.prepare(
        scope=scope, project=project, policy=policy, worktree=worktree, start_daemon=start_daemon
    )
    # One that cannot be read would be found out at the first command only.
    load_policy(policy, worktree=project)
    if dry_run:
        typer.echo(prepared.diff())
        return
    for line in installing.install(prepared):
        typer.echo(line)


@app.command("uninstall")
def uninstall(
    scope: Annotated[str, _SCOPE] = "project",
    project: Annotated[str, _PROJECT] = ".",
) -> None:
    """Take exactly that back."""
    from agent_exec.integrations.claude_code import install as installing  # noqa: PLC0415

    for line in installing.uninstall(scope=scope, project=project):
        typer.echo(line)
