"""``agent-exec schema``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def schema(
    dialect: Annotated[
        str, typer.Option("--for", help="openai, anthropic, mcp or gemini.")
    ] = "openai",
) -> None:
    """Print the tools as a vendor wants them defined: a list, as JSON."""
    from agent_exec.schema.definition import definitions  # noqa: PLC0415 - pydantic is slow

    print(json.dumps(definitions(dialect), indent=2, ensure_ascii=False))
