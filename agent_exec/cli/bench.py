"""``agent-exec bench``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The benchmarks.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """The benchmarks."""


@app.command()
def launch(
    quick: Annotated[bool, typer.Option(help="A minute instead of ten; for a first look.")] = False,
    rounds: Annotated[int | None, typer.Option(help="How often every method runs.")] = None,
    launches: Annotated[int | None, typer.Option(help="Launches in one round.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A method to measure; repeat.")] = None,
    program: Annotated[list[str] | None, typer.Option(help="A program to launch; repeat.")] = None,
    ballast: Annotated[bool, typer.Option(help="Measure heavy parents, too.")] = True,
    seed: Annotated[int, typer.Option(help="Of the order of methods.")] = 1,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write all figures here.")
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Draw PNG and SVG here.")] = None,
) -> None:
    """Measure what a launch costs, by our means and by everybody else's.

    The table goes to stdout, progress to stderr. Let it run alone on the machine.
    """
    from agent_exec.bench.launch import (  # noqa: PLC0415 - --help needs none of it
        LaunchBenchOptions,
        draw_chart,
        render_table,
        run_launch_benchmark,
        why_no_chart,
        write_json,
    )

    try:
        options = LaunchBenchOptions.choose(
            quick=quick,
            rounds=rounds,
            launches=launches,
            only=tuple(only or ()),
            programs=tuple(program or ()),
            ballast=ballast,
            seed=seed,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    missing = why_no_chart() if chart is not None else None
    if missing is not None:
        typer.echo(f"agent-exec: {missing}", err=True)
        chart = None
    report = run_launch_benchmark(options, tell=lambda line: typer.echo(line, err=True))
    typer.echo(render_table(report))
    if json_path is not None:
        write_json(report, json_path)
    if chart is not None:
        draw_chart(report, chart)


@app.command()
def agent_tools(
    quick: Annotated[
        bool, typer.Option(help="Some minutes instead of twenty; for a first look.")
    ] = False,
    rounds: Annotated[int | None, typer.Option(help="How often every back end runs.")] = None,
    calls: Annotated[int | None, typer.Option(help="Calls in one round.")] = None,
    preset: Annotated[list[str] | None, typer.Option(help="A set of calls; repeat.")] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Workers and calls in flight, as 4x4; repeat.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="A back end to measure; repeat.")] = None,
    size: Annotated[str, typer.Option(help="Of the sources: small, medium or large.")] = "medium",
    parts: Annotated[bool, typer.Option(help="Take single calls apart, too.")] = True,
    seed: Annotated[int, typer.Option(help="Of the order of calls and back ends.")] = 1,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write all figures here.")
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Draw PNG and SVG here.")] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a page in Markdown, charts and JSON to this folder.")
    ] = None,
) -> None:
    """Measure what the tool is worth to agents: AutoGen's, calling sixteen tools.

    The table goes to stdout, progress to stderr. Let it run alone on the machine.
    """
    from agent_exec.bench.agent_tools import (  # noqa: PLC0415 - --help needs none of it
        AgentBenchOptions,
        draw_parts,
        draw_throughput,
        render_table,
        run_agent_benchmark,
        why_no_chart,
        write_json,
        write_page,
    )

    try:
        options = AgentBenchOptions.choose(
            quick=quick,
            rounds=rounds,
            calls=calls,
            presets=tuple(preset or ()),
            splits=tuple(split or ()),
            only=tuple(only or ()),
            size=size,
            parts=parts,
            seed=seed,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    missing = why_no_chart() if chart is not None or page is not None else None
    if missing is not None:
        typer.echo(f"agent-exec: {missing}", err=True)
        chart = page = None
    report = run_agent_benchmark(options, tell=lambda line: typer.echo(line, err=True))
    typer.echo(render_table(report))
    if json_path is not None:
        write_json(report, json_path)
    if chart is not None:
        draw_throughput(report, chart)
        if report.part_figures:
            draw_parts(report, chart.with_name(f"{chart.stem}-parts"))
    if page is not None:
        write_page(report, page, shlex.join(["agent-exec", *sys.argv[1:]]))


@app.command()
def policy(
    quick: Annotated[bool, typer.Option(help="A few seconds; for a first look.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write all figures here.")
    ] = None,
) -> None:
    """Measure what a decision costs: an argv, a shell text, loading, whole processes.

    The table goes to stdout, progress to stderr.
    """
    from agent_exec.bench.policy import (  # noqa: PLC0415 - --help needs none of it
        render_table,
        run_policy_benchmark,
        write_json,
    )

    report = run_policy_benchmark(quick=quick, tell=lambda line: typer.echo(line, err=True))
    typer.echo(render_table(report))
    if json_path is not None:
        write_json(report, json_path)


@app.command()
def sandbox(
    quick: Annotated[bool, typer.Option(help="A few seconds; for a first look.")] = False,
    rounds: Annotated[int | None, typer.Option(help="How often every kind is measured.")] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write all figures here.")
    ] = None,
) -> None:
    """Measure what it costs to confine a child, beside the same launch without.

    The table goes to stdout, progress to stderr.
    """
    from agent_exec.bench.sandbox import (  # noqa: PLC0415 - --help needs none of it
        render_table,
        run_sandbox_benchmark,
        write_json,
    )
    from agent_exec.errors import Unsupported  # noqa: PLC0415

    try:
        report = run_sandbox_benchmark(
            quick=quick, rounds=rounds, tell=lambda line: typer.echo(line, err=True)
        )
    except Unsupported as error:
        typer.echo(f"agent-exec: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(render_table(report))
    if json_path is not None:
        write_json(report, json_path)
