"""What may happen with a request, and why."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from agent_exec.model.call import ToolCall
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import ExecRequest
from agent_exec.model.rights import Rights


class Verdict(StrEnum):
    """May it run? Declared from the weakest to the strictest."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


_ALLOW, _ASK, _DENY = Verdict


class Route(StrEnum):
    """How it runs."""

    DIRECT = "direct"
    """Each command is exec'd by us."""
    SHELL = "shell"
    """The text goes to ``bash -c``."""


class Executor(StrEnum):
    """Who runs it."""

    OURS = "ours"
    HOST = "host"
    """Only the judgement is ours: nothing may rest on our environment, hardening or sandbox."""


class Ruling(NamedTuple):
    """The verdict on one command."""

    argv: tuple[str, ...]
    program: str | None
    """Absolute path; None for a builtin, and where none was found."""
    of: int | None
    """Index of the command that would run it."""
    verdict: Verdict
    effects: tuple[Effect, ...]
    rules: tuple[str, ...]
    """Ids of the rules that gave the verdict; empty: no rule covers it."""
    because: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    """What keeps it, and all that it runs, from running more than was judged."""
    name: tuple[str, ...] = ()
    """Of the program and its sub-command, as its table has them; empty: it has none."""
    cwd: str | None = None
    """Where it works: absolute, perhaps with links; None: where the call does."""
    rights: Rights | None = None
    """Of a command of the call itself, with all inside. None: nothing is withheld from it."""

    def to_json(self) -> dict[str, object]:
        """One of the ``commands`` of ``check --json``."""
        return {
            "argv": list(self.argv),
            "program": self.program,
            "of": self.of,
            "verdict": self.verdict.value,
            "effects": [_effect_to_json(effect) for effect in self.effects],
            "rules": list(self.rules),
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """What `to_json` has kept; reasons are not among it."""
        return cls(
            tuple(shown["argv"]),
            shown["program"],
            shown["of"],
            Verdict(shown["verdict"]),
            tuple([_effect_from_json(effect) for effect in shown["effects"]]),
            tuple(shown["rules"]),
            (),
        )


class Decision(NamedTuple):
    """A verdict on one call, with everything that gave it."""

    verdict: Verdict
    route: Route | None
    route_reason: str | None = None
    """Why a shell is needed; None on the direct route."""
    commands: tuple[Ruling, ...] = ()
    because: tuple[str, ...] = ()
    error: str | None = None
    """The call cannot be understood."""
    call: ToolCall | None = None
    """What was decided on, where that is to be run later (`ExecTool.decide`)."""
    seal: str | None = None
    """Digest of the call and the files that an approval rests on; None where none is needed."""
    rights: Rights | None = None
    """Of a shell that runs all of it. None on the direct route, where every command has its
    own, and where nothing is withheld."""

    def to_json(self) -> dict[str, object]:
        """The object of ``check --json``, without its ``id``; and the call, if it is kept."""
        kept: dict[str, object] = {}
        if self.call is not None:
            kept = {"call": self.call.to_json(), "seal": self.seal}
        return kept | {
            "verdict": self.verdict.value,
            "route": None if self.route is None else self.route.value,
            "route_reason": self.route_reason,
            "commands": [command.to_json() for command in self.commands],
            "because": list(self.because),
            "error": self.error,
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """What `to_json` has kept: made into JSON again, it is the same.

        Raises:
            KeyError, TypeError, ValueError: It is no such object.
        """
        return cls(
            Verdict(shown["verdict"]),
            None if shown["route"] is None else Route(shown["route"]),
            shown["route_reason"],
            tuple([Ruling.from_json(command) for command in shown["commands"]]),
            tuple(shown["because"]),
            shown["error"],
            ToolCall.from_json(shown["call"]) if "call" in shown else None,
            shown.get("seal"),
        )


class Grant(NamedTuple):
    """Proof that a request may run. It holds the request: what was approved is what runs."""

    request: ExecRequest
    decision: Decision
    programs: Mapping[str, str] = MappingProxyType({})
    """Absolute path -> which file was approved there; empty: a rule allows it."""


def strictest(*verdicts: Verdict) -> Verdict:
    """Of several; ALLOW of none."""
    if _DENY in verdicts:
        return _DENY
    return _ASK if _ASK in verdicts else _ALLOW


def _effect_to_json(effect: Effect) -> dict[str, object]:
    shown: dict[str, object] = {"kind": effect.kind.value}
    if effect.path is not None:
        shown["path"] = effect.path
    if effect.argv is not None:
        shown["argv"] = list(effect.argv)
    return shown


def _effect_from_json(shown: Mapping[str, Any]) -> Effect:
    argv = shown.get("argv")
    return Effect(
        EffectKind(shown["kind"]), shown.get("path"), None if argv is None else tuple(argv)
    )
