"""What may happen with a request, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from agent_exec.model.request import ExecRequest


class Verdict(StrEnum):
    """May it run? Declared from the weakest to the strictest."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Route(StrEnum):
    """How it runs."""

    DIRECT = "direct"
    """Each command is exec'd by us."""
    SHELL = "shell"
    """The text goes to ``bash -c``."""


class Decision(NamedTuple):
    """A verdict on one request, with its reasons."""

    request: ExecRequest
    verdict: Verdict
    route: Route
    because: tuple[str, ...]


class Grant(NamedTuple):
    """Proof that a request may run. It holds the request: what was approved is what runs."""

    request: ExecRequest
    decision: Decision
