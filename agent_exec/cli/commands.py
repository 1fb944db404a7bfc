"""Every command, for typer."""

from __future__ import annotations

import typer

from agent_exec._version import __version__
from agent_exec.cli import (
    approvals,
    bench,
    check,
    claude_code,
    daemon,
    doctor,
    hook,
    log,
    mcp,
    opencode,
    policy,
    run,
    schema,
    uninstall,
)

app = typer.Typer(
    name="agent-exec",
    help="Run programs as coding agents should: argv in, a structured result out, no shell.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command("run", context_settings=run.CONTEXT)(run.run)
app.command("check", context_settings=check.CONTEXT)(check.check)
app.add_typer(policy.app, name="policy")
app.add_typer(approvals.app, name="approvals")
app.add_typer(log.app, name="log")
app.command("schema")(schema.schema)
app.command("mcp")(mcp.mcp)
app.command("daemon")(daemon.daemon)
app.add_typer(hook.app, name="hook")
app.add_typer(claude_code.app, name="claude-code")
app.add_typer(opencode.app, name="opencode")
app.command("uninstall")(uninstall.uninstall)
app.command("doctor")(doctor.doctor)
app.add_typer(bench.app, name="bench")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"agent-exec {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    del version
