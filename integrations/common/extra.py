"""The extra that brings a framework, and the versions of it that an adapter is tested with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import NamedTuple


class Requirement(NamedTuple):
    """A distribution that an extra installs, from `least` on and before `below`."""

    name: str
    least: str
    below: str

    def __str__(self) -> str:
        return f"{self.name}>={self.least},<{self.below}"


EXTRAS = {
    "ag2": (Requirement("ag2", "1.2.1", "2"),),
    "agent-framework": (Requirement("agent-framework-core", "1.23", "2"),),
    "autogen": (Requirement("autogen-core", "0.7.5", "0.8"),),
    "deepagents": (Requirement("deepagents", "0.7.32", "0.8"),),
    "inspect-ai": (Requirement("inspect-ai", "0.3.285", "0.4"),),
    "langchain": (
        Requirement("langchain", "1.5.2", "2"),
        Requirement("langchain-core", "1.8.3", "2"),
        Requirement("langgraph", "1.2.24", "2"),
    ),
    "openai-agents": (Requirement("openai-agents", "0.24", "0.25"),),
    "pydantic-ai": (Requirement("pydantic-ai-slim", "2.68", "3"),),
    "ray": (Requirement("ray", "2.50", "3"),),
}


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around the imports of an adapter: they find the framework, in a version that is known.

    Raises:
        ImportError: They do not; one line that names the extra and the versions.
    """
    for requirement in EXTRAS[extra]:
        found = _version(requirement.name)
        if found is None:
            raise _missing(extra, f"{requirement.name} is not installed")
        if not _release(requirement.least) <= _release(found) < _release(requirement.below):
            raise _missing(extra, f"{requirement.name} {found} is installed")
    try:
        yield
    except ImportError as error:
        raise _missing(extra, str(error)) from error


def _missing(extra: str, why: str) -> ImportError:
    wanted = ", ".join(map(str, EXTRAS[extra]))
    return ImportError(
        f"{why}; this adapter needs {wanted}: pip install 'agent-exec[{extra}]'",
        name=f"agent_exec.integrations.{extra.replace('-', '_')}",
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with: a pre-release counts as what it precedes."""
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
