"""``agent-exec opencode``, for typer."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from agent_exec.errors import Unsupported

app = typer.Typer(
    help="The tool, and a guard for the built-in one, in opencode.", no_args_is_help=True
)

_PROJECT = typer.Option("--project", help="The directory of the project; the current one.")
_GLOBAL = typer.Option("--global", help="For all your projects, instead of one.")


@app.command("install")
def install(
    project: Annotated[str, _PROJECT] = ".",
    everywhere: Annotated[bool, _GLOBAL] = False,
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="What may run: a shipped name, or a path.")
    ] = "default",
    worktree: Annotated[
        str | None, typer.Option("--worktree", "-w", help="By default that of each session.")
    ] = None,
    shell: Annotated[
        str,
        typer.Option(
            "--shell", help="The built-in bash: guard (judge it), replace (by ours) or leave."
        ),
    ] = "guard",
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Take the tool from an MCP server, not from a file.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="There is no package registry to wait for.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the changes, and do not make them.")
    ] = False,
) -> None:
    """Give opencode the tool `exec`, and let agent_exec judge its shell commands."""
    from agent_exec.integrations.opencode import install as installing  # noqa: PLC0415
    from agent_exec.policy.load import load_policy  # noqa: PLC0415

    options = installing.Options(project, everywhere, policy, worktree, shell, mcp, offline)
    # One that cannot be read would be found out at the first command only.
    load_policy(policy, worktree=project)
    if dry_run:
        for one in installing.prepare(options):
            typer.echo(one.diff())
        return
    for line in installing.install(options):
        typer.echo(line)


@app.command("uninstall")
def uninstall(
    project: Annotated[str, _PROJECT] = ".",
    everywhere: Annotated[bool, _GLOBAL] = False,
) -> None:
    """Take exactly that back."""
    from agent_exec.integrations.opencode import install as installing  # noqa: PLC0415

    options = installing.Options(project, everywhere)
    for line in installing.uninstall(options):
        typer.echo(line)


@app.command("approve")
def approve(
    server: Annotated[
        str, typer.Option("--server", help="Where `opencode serve` listens.")
    ] = "http://127.0.0.1:4096",
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="What may run: a shipped name, or a path.")
    ] = "default",
    worktree: Annotated[
        str | None, typer.Option("--worktree", "-w", help="By default that of the directory.")
    ] = None,
    leave: Annotated[
        bool, typer.Option("--leave", help="Leave what the policy asks about to a person.")
    ] = False,
) -> None:
    """Answer opencode's questions about commands by a policy, where nobody sits at it.

    Prints a JSON object for each answer, and ends with the server. The server's password is
    taken from OPENCODE_SERVER_PASSWORD.
    """
    try:
        from agent_exec.integrations.opencode.server import OpencodeServer  # noqa: PLC0415
    except ImportError as error:
        raise Unsupported(
            f"what opencode's API needs is missing ({error}): pip install 'agent-exec[opencode]'"
        ) from None
    from agent_exec.daemon.hook import absolute_policy, find_worktree  # noqa: PLC0415
    from agent_exec.integrations.opencode.approve import Approver  # noqa: PLC0415
    from agent_exec.runtime.checker import Checker  # noqa: PLC0415

    cwd = os.getcwd()
    policy = absolute_policy(policy, cwd)
    checker = Checker(find_worktree(cwd) if worktree is None else os.path.abspath(worktree), policy)
    password = os.environ.get("OPENCODE_SERVER_PASSWORD")
    with OpencodeServer(server, password=password, directory=checker.worktree) as asks:
        for answered in Approver(asks, checker, policy=policy, leave=leave).answers():
            print(json.dumps(answered.to_json()), flush=True)
