"""``agent-exec approvals``: what runs without being asked about again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agent_exec.runtime.approvals.memory import Memory

app = typer.Typer(
    help="What was approved for good, in one worktree.", no_args_is_help=True, rich_markup_mode=None
)

Worktree = Annotated[str, typer.Option("--worktree", "-w", help="The worktree.")]


@app.command("list")
def list_(
    worktree: Worktree = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List what was approved for good, and the file where it stands."""
    from agent_exec.schema.harmless import escaped  # noqa: PLC0415 - --help needs none of it

    memory = _memory(worktree)
    entries = memory.entries()
    if as_json:
        print(json.dumps([entry.to_json() for entry in entries]))
        return
    for entry in entries:
        print("  ".join(map(escaped, (entry.id, entry.at, entry.shown))))
    typer.echo(f"{len(entries)} in {memory.path}", err=True)


@app.command()
def forget(
    ids: Annotated[list[str], typer.Argument(help="As `list` shows them.")],
    worktree: Worktree = ".",
) -> None:
    """Ask again about these.

    Exit status: 0 when all were there.
    """
    memory = _memory(worktree)
    missing = [id_ for id_ in ids if not memory.forget(id_)]
    for id_ in missing:
        typer.echo(f"agent-exec: nothing called {id_!r} was approved", err=True)
    raise typer.Exit(1 if missing else 0)


def _memory(worktree: str) -> Memory:
    from agent_exec.runtime.approvals.memory import Memory, approvals_folder  # noqa: PLC0415

    return Memory(approvals_folder(os.environ), os.path.realpath(worktree))
