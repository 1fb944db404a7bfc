"""The tools that an adapter offers to a model."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from agent_exec import ExecTool


class Definition(NamedTuple):
    """One tool as every framework wants to know it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema, valid under the strict modes of all vendors."""


def definitions() -> list[Definition]:
    """`exec` first, and those that go on with what it has started in the background."""
    return [
        Definition(each["name"], each["description"], each["parameters"])
        for each in ExecTool.definition("openai")
    ]


def definition(name: str) -> Definition:
    """That of one tool.

    Raises:
        ValueError: There is none of that name.
    """
    found = {each.name: each for each in definitions()}
    if name not in found:
        raise ValueError(f"there is no tool {name!r}; there are {', '.join(found)}")
    return found[name]


def owner_of(given: str | None) -> str:
    """Whose the background sessions of an adapter are: of no other, where nobody is given."""
    return f"adapter-{secrets.token_hex(8)}" if given is None else given
