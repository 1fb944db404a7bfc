"""What the importers share: rules as they are collected, and what could not be carried over."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex

Element = str | list[str]

_NO_ID = regex(r"[^a-z0-9]+")
# What means more than itself to a shell: a pattern with it speaks of no single command.
_SHELL = regex(r"[|&;<>()$`\n]")


class Imported(NamedTuple):
    """A policy file, and a report for who has to look after it."""

    content: dict[str, Any]
    """As `agent_exec.policy.file` has it."""
    report: tuple[str, ...]
    """What was not carried over, or means something else here."""


class Collected:
    """A policy in the making.

    Args:
        source: Whose settings they are.
        default: The verdict where no rule covers a command.
    """

    def __init__(self, source: str, default: str) -> None:
        self.report: list[str] = []
        self.default = default
        self._source = source
        self._rules: list[dict[str, Any]] = []
        self._ids: set[str] = set()

    def add(
        self,
        verdict: str,
        origin: str,
        *,
        command: Sequence[Element] | None = None,
        effects: Sequence[str] | None = None,
        paths: Sequence[str] | None = None,
        because: str | None = None,
        examples: dict[str, list[str]] | None = None,
    ) -> None:
        """One rule. `origin`: what it was, as it stood there."""
        rule: dict[str, Any] = {"id": self._id(verdict, origin)}
        if effects is not None:
            rule["effects"] = list(effects)
        if paths is not None:
            rule["paths"] = list(paths)
        if command is not None:
            rule["command"] = list(command)
        rule |= {
            "verdict": verdict,
            "because": because or f"{self._source} has {verdict} for {origin}",
        }
        if examples:
            rule["examples"] = examples
        self._rules.append(rule)

    def forget(self) -> None:
        """Drop the rules so far."""
        self._rules.clear()
        self._ids.clear()

    def leave(self, origin: str, why: str) -> None:
        """Say that something was not carried over."""
        self.report.append(f"not carried over: {origin}: {why}")

    def note(self, origin: str, what: str) -> None:
        """Say that something means a little else here."""
        self.report.append(f"note: {origin}: {what}")

    def done(self) -> Imported:
        """The file and the report."""
        content: dict[str, Any] = {"version": 1, "default": self.default}
        if self._rules:
            content["rules"] = self._rules
        if any(rule["verdict"] == "allow" for rule in self._rules):
            self.note(
                "allow",
                "a rule that allows a command speaks of the command alone; a redirection, a "
                "variable or a wrapper around it is judged for itself",
            )
        if self.default != "allow":
            self.note(
                "reads",
                "commands that only read are not allowed for that alone; "
                "extends: [default] would allow them",
            )
        return Imported(content, tuple(self.report))

    def _id(self, verdict: str, origin: str) -> str:
        wanted = f"{verdict}-{_NO_ID.sub('-', origin.lower()).strip('-')}"[:60].rstrip("-")
        made, number = wanted, 2
        while made in self._ids:
            made, number = f"{wanted}-{number}", number + 1
        self._ids.add(made)
        return made


class Words(NamedTuple):
    """A pattern of text, as the beginning of an argument vector."""

    words: list[str]
    exact: bool
    """Nothing may follow."""
    gaps: bool
    """Anything may stand between the words."""


def words_of(pattern: str) -> Words | str:
    """A pattern with ``*`` to words; or why it cannot be.

    ``git status*``, ``git status *`` and ``git status:*`` say the same here: words end at
    blanks.
    """
    text = re.sub(r":\*$", " *", pattern.strip())
    if _SHELL.search(text):
        return "it is about the text of several commands, which are judged one by one here"
    exact = not text.endswith("*")
    try:
        words = shlex.split(text.rstrip("*"))
    except ValueError as error:
        return f"its quotes do not close: {error}"
    gaps = "*" in words
    words = [word for word in words if word != "*"]
    if not words:
        return "it names no program"
    if any(char in word for word in words for char in "*?"):
        return "a rule names whole words, and this has a star within one"
    if "=" in words[0]:
        return "variables before a command are judged by what they do"
    return Words(words, exact, gaps)


def add_text_rule(collected: Collected, verdict: str, pattern: str, origin: str) -> None:
    """A rule from a pattern of text; or the reason why there is none."""
    found = words_of(pattern)
    if isinstance(found, str):
        collected.leave(origin, found)
        return
    if verdict == "allow" and found.gaps:
        collected.leave(origin, "to allow, words have to be known one after another")
        return
    if verdict == "allow" and found.exact:
        collected.leave(
            origin,
            "it allows these words and no more; a rule of ours would allow any words after them",
        )
        return
    if verdict != "allow" and found.exact:
        collected.note(origin, "more words after these are covered, too")
    collected.add(verdict, origin, command=found.words)


def as_mapping(value: object, what: str) -> dict[str, Any]:
    """`value`, a mapping with keys that are strings.

    Raises:
        PolicyError: It is none.
    """
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    raise PolicyError(f"{what} is no JSON object")
