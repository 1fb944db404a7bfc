"""The tools of an `ExecTool` that an adapter offers to a model."""

from __future__ import annotations

from typing import Any, NamedTuple

from agent_exec import ExecTool

_SERVED = ("exec",)


class Definition(NamedTuple):
    """One tool as every framework wants to know it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema, valid under the strict modes of all vendors."""


def definitions(tool: ExecTool) -> list[Definition]:
    """Those that can be called, `exec` first."""
    return [
        Definition(each["name"], each["description"], each["parameters"])
        for each in tool.definition("openai")
        if each["name"] in _SERVED
    ]
