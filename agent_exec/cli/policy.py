"""``agent-exec policy``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Policies: show, lint, test, schema, import.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[
    str, typer.Argument(metavar="POLICY", help="A shipped name, or the path of a file.")
]


@app.command()
def show(
    policy: Name = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print a policy with everything that it inherits, as one file that says the same."""
    from agent_exec.policy.show import merged_file, to_yaml  # noqa: PLC0415 - for --help

    content = merged_file(policy)
    typer.echo(json.dumps(content, indent=2) if as_json else to_yaml(content), nl=as_json)


@app.command()
def lint(policies: Annotated[list[str], typer.Argument(metavar="POLICY...")]) -> None:
    """Say what is wrong with policies, and what in them is hardly meant so.

    Exit status: 0 nothing to say, 1 warnings; 125 an error, which is on stderr.
    """
    from agent_exec.policy.lint import lint as warnings_of  # noqa: PLC0415 - for --help
    from agent_exec.policy.load import load_merged  # noqa: PLC0415

    found = False
    for policy in policies:
        load_merged(policy)
        for warning in warnings_of(policy):
            found = True
            typer.echo(f"{warning.where}: warning: {warning.message}")
    raise typer.Exit(1 if found else 0)


@app.command("test")
def run_test(
    policy: Name,
    cases: Annotated[
        list[Path] | None, typer.Option(help="A table of cases in YAML; repeat.")
    ] = None,
    worktree: Annotated[
        str, typer.Option("--worktree", "-w", help="The directory that the cases speak of.")
    ] = ".",
) -> None:
    """Check the examples of a policy, and tables of cases.

    Exit status: 0 all came out as they say, 1 some did not.
    """
    from agent_exec.policy.cases import read_cases, run_cases  # noqa: PLC0415 - for --help
    from agent_exec.policy.examples import count_examples  # noqa: PLC0415
    from agent_exec.runtime.checker import Checker  # noqa: PLC0415

    n_examples = count_examples(policy)
    checker = Checker(worktree, policy)
    n_failed = n_cases = 0
    for path in cases or ():
        table = read_cases(str(path))
        n_cases += len(table)
        for failed in run_cases(table, checker.check):
            n_failed += 1
            typer.echo(f"{path}: case {failed.number}: {failed.message}")
    typer.echo(f"{n_examples} examples agree; {n_cases - n_failed} of {n_cases} cases do", err=True)
    raise typer.Exit(1 if n_failed else 0)


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files."""
    from agent_exec.policy.schema import policy_schema  # noqa: PLC0415 - for --help

    typer.echo(json.dumps(policy_schema(), indent=2))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The settings of the other program.")],
    kind: Annotated[
        str, typer.Option("--from", help="Whose they are: opencode, claude-code or codex.")
    ],
) -> None:
    """Print a policy made from the settings of another program.

    What could not be carried over is on stderr.
    """
    from agent_exec.policy.show import imported_file, to_yaml  # noqa: PLC0415 - for --help

    imported = imported_file(str(file), kind)
    typer.echo(to_yaml(imported.content), nl=False)
    for line in imported.report:
        typer.echo(line, err=True)
