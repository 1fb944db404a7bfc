"""The tools as each vendor wants them defined."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any

from agent_exec.errors import InvalidCall
from agent_exec.schema.arguments import TOOLS
from agent_exec.schema.result import RESULTS
from agent_exec.schema.strict import strict_schema

_ABOUT = {
    "exec": (
        " Send exactly one of argv, pipeline and command, and null for the rest. A policy decides"
        " what may run; a refusal says why and what to do instead."
    ),
}


def definitions(dialect: str) -> list[dict[str, Any]]:
    """All tools in one dialect, `exec` first.

    Args:
        dialect: ``openai``, ``anthropic``, ``mcp`` or ``gemini``.

    Raises:
        InvalidCall: There is no such dialect.
    """
    make = _DIALECTS.get(dialect)
    if make is None:
        raise InvalidCall(f"no dialect {dialect!r}; there are {', '.join(_DIALECTS)}")
    return [make(name, _description(name), strict_schema(TOOLS[name])) for name in TOOLS]


def _description(name: str) -> str:
    return cleandoc(TOOLS[name].__doc__ or "") + _ABOUT.get(name, "")


def _openai(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Of the Responses API; Chat Completions wants what is beside ``type`` under ``function``."""
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": schema,
        "strict": True,
    }


def _anthropic(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "input_schema": schema}


def _gemini(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "parametersJsonSchema": schema}


def _mcp(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    reads = name == "exec_read"
    return {
        "name": name,
        "title": _TITLES[name],
        "description": description,
        "inputSchema": schema,
        "outputSchema": strict_schema(RESULTS[name]),
        "annotations": {
            "title": _TITLES[name],
            "readOnlyHint": reads,
            "destructiveHint": not reads,
            "idempotentHint": reads,
            "openWorldHint": not reads,
        },
    }


_TITLES = {
    "exec": "Run a command",
    "exec_read": "Read from a background command",
    "exec_write": "Write to a background command",
    "exec_stop": "Stop a background command",
}
_DIALECTS: dict[str, Callable[[str, str, dict[str, Any]], dict[str, Any]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "mcp": _mcp,
    "gemini": _gemini,
}
