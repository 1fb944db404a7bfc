"""``agent-exec doctor``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(
    launcher: Annotated[
        str | None, typer.Option("--launcher", help="Tell of this launcher only.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Run the self-tests of the kernel launcher.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what this machine offers: kernel, launchers, kill tier, limits, tools.

    Exit status: 0 when a launcher works, 1 when none does. With --launcher, whether that one
    does; with --self-test, whether all of its tests passed.
    """
    from agent_exec.runtime import doctor as examining  # noqa: PLC0415 - --help needs none of it

    if self_test:
        if launcher != "kernel":
            raise typer.BadParameter("only the kernel launcher has any: --launcher kernel")
        from agent_exec.runtime.self_test import self_test_kernel  # noqa: PLC0415

        tests = self_test_kernel()
        _print(tests.to_json() if as_json else tests.as_text())
        raise typer.Exit(0 if tests.passed else 1)
    findings = examining.examine() if launcher is None else examining.examine_launcher(launcher)
    _print(findings.to_json() if as_json else findings.as_text())
    raise typer.Exit(0 if findings.launcher is not None else 1)


def _print(shown: dict[str, object] | str) -> None:
    typer.echo(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False))
