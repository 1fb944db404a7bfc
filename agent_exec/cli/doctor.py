"""``agent-exec doctor``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what this machine offers: kernel, launchers, kill tier, limits, tools.

    Exit status: 0 when a launcher works, 1 when none does.
    """
    from agent_exec.runtime.doctor import examine  # noqa: PLC0415 - --help needs none of it

    findings = examine()
    if as_json:
        typer.echo(json.dumps(findings.to_json(), ensure_ascii=False))
    else:
        typer.echo(findings.as_text())
    raise typer.Exit(0 if findings.launcher is not None else 1)
