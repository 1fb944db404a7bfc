"""A report as a folder of documentation: a page in Markdown, its charts, and the JSON."""

from __future__ import annotations

from pathlib import Path

from agent_exec.bench.agent_tools.chart import draw_parts, draw_throughput
from agent_exec.bench.agent_tools.report import AgentBenchReport, write_json
from agent_exec.bench.agent_tools.rows import Rows, tables_of
from agent_exec.bench.agent_tools.table import head_of

NAME = "agent-tools"


def write_page(report: AgentBenchReport, folder: Path, command: str) -> Path:
    """Write ``agent-tools.md``, ``.json``, ``.png`` and ``.svg`` to `folder`; the page's path.

    Args:
        command: What made it, to be shown.

    Raises:
        Unsupported: matplotlib is not installed.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [draw_throughput(report, folder / NAME)]
    if report.part_figures:
        pictures.append(draw_parts(report, folder / f"{NAME}-parts"))
    write_json(report, folder / f"{NAME}.json")
    page = folder / f"{NAME}.md"
    page.write_text(_render(report, command, pictures), "utf-8")
    return page


def _render(report: AgentBenchReport, command: str, pictures: list[tuple[Path, Path]]) -> str:
    parts = [
        "# Agents that call tools: measured",
        "How to read it: [`bench agent-tools`](../reference/bench-agent-tools.md).",
        f"Made {report.started:%Y-%m-%d} by:",
        f"```console\n$ {command}\n```",
        "\n".join(f"* {line}" for line in head_of(report)),
    ]
    parts += [
        f"![{_words_of(png)}]({png.name})\n\n[The same as SVG]({svg.name})" for png, svg in pictures
    ]
    parts += [f"## {table.title}\n\n{_table(table)}" for table in tables_of(report)]
    for title, lines in (("Skipped", report.skipped), ("Void", report.failures)):
        if lines:
            parts.append(f"## {title}\n\n" + "\n".join(f"* {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def _words_of(picture: Path) -> str:
    return "where the time of one call goes" if "parts" in picture.name else "calls per second"


def _table(table: Rows) -> str:
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
