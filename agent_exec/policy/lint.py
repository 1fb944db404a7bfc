"""What is allowed to stand in a policy, and yet is hardly what was meant."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.load import SHIPPED, load_sources
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.merge import merge
from agent_exec.policy.source import Source
from agent_exec.policy.tables import Tables

_ON_FILES = frozenset({"read", "write", "delete", "execute"})
_RANKS = {"allow": 0, "ask": 1, "deny": 2}


class Warned(NamedTuple):
    """One warning. `where` is ``FILE:LINE:COLUMN``."""

    where: str
    message: str


def lint(name: str) -> tuple[Warned, ...]:
    """Warnings about the policy `name` and about those of its files that are not shipped.

    Raises:
        PolicyError: It is wrong.
    """
    sources = load_sources(name)
    merge(sources)
    own = [source for source in sources if source.name not in SHIPPED] or [sources[-1]]
    tables = load_tables()
    return tuple(
        warning for source in own for warning in _warnings(source, _rules_of(sources), tables)
    )


def _rules_of(sources: Sequence[Source]) -> list[Mapping[str, Any]]:
    return list(merge(sources)["rules"])


def _warnings(
    source: Source, rules: Sequence[Mapping[str, Any]], tables: Tables
) -> Iterator[Warned]:
    for index, rule in enumerate(source.content.get("rules", [])):
        where = source.where("rules", index)
        for message in (
            *_command(rule, tables),
            *_paths(rule),
            *_reach(rule),
            *_never_decides(rule, rules),
        ):
            yield Warned(where, f"rule {rule['id']}: {message}")
    yield from _settings(source)


def _command(rule: Mapping[str, Any], tables: Tables) -> Iterator[str]:
    pattern: list[list[str]] = [
        [each] if isinstance(each, str) else each for each in rule.get("command") or []
    ]
    if not pattern:
        return
    for name in pattern[0]:
        if any(char.isspace() for char in name):
            words = ", ".join(name.split())
            yield f"can never match: no program is called {name!r}; write [{words}]"
        elif any(char in name for char in "*?["):
            yield f"can never match: {name!r} is a whole word, not a pattern"
        elif name.startswith("-"):
            yield f"can never match: {name!r} is no program"
    for name in pattern[0]:
        table = tables.get(name)
        if len(pattern) < 2 or table is None or not table.commands:
            continue
        for word in pattern[1]:
            if word.startswith("-") or word in table.commands:
                continue
            near = difflib.get_close_matches(word, list(table.commands), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{name} has no sub-command {word} that is known{hint}"


def _paths(rule: Mapping[str, Any]) -> Iterator[str]:
    paths, effects = rule.get("paths"), rule.get("effects")
    if paths is None:
        return
    if effects is not None and _ON_FILES.isdisjoint(effects):
        what = "paths say nothing" if rule["verdict"] == "allow" else "can never match"
        yield f"{what}: effects of the kind {', '.join(effects)} have no path"
    if rule["verdict"] != "allow":
        return
    for path in paths:
        if path.startswith(("/", "~")) and not os.path.lexists(os.path.expanduser(path)):
            yield f"there is no {path} on this machine"


def _reach(rule: Mapping[str, Any]) -> Iterator[str]:
    if rule["verdict"] != "allow" or rule.get("command") is not None:
        return
    effects, paths = rule.get("effects"), rule.get("paths")
    if effects is None and paths is None:
        yield "allows everything that no other rule asks about or denies"
        return
    for kind in ("unknown", "privilege"):
        if kind in (effects or []):
            yield f"allows effects of the kind {kind} of every command"


def _never_decides(rule: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rank = _RANKS[rule["verdict"]]
    for other in rules:
        if other["id"] == rule["id"] or not _is_wider(other, rule):
            continue
        if _RANKS[other["verdict"]] > rank:
            yield f"never decides: {other['id']} is stricter, and covers all that it covers"
        elif _RANKS[other["verdict"]] == rank and not _is_wider(rule, other):
            yield f"adds nothing: {other['id']} says the same of more"


def _is_wider(other: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Does `other` cover all that `rule` does? False also where it is hard to tell."""
    for key in ("effects", "paths"):
        theirs, ours = other.get(key), rule.get(key)
        if theirs is not None and (ours is None or not set(ours) <= set(theirs)):
            return False
    theirs, ours = other.get("command"), rule.get("command")
    if theirs is None:
        return True
    if ours is None or len(theirs) > len(ours):
        return False
    return all(_set(word) <= _set(may_be) for word, may_be in zip(ours, theirs, strict=False))


def _set(element: str | list[str]) -> set[str]:
    return {element} if isinstance(element, str) else set(element)


def _settings(source: Source) -> Iterator[Warned]:
    content = source.content
    limits = content.get("limits") or {}
    if limits.get("timeout_s", 0) > limits.get("max_timeout_s", float("inf")):
        where = source.where("limits", "timeout_s")
        yield Warned(where, "limits.timeout_s is above max_timeout_s, which counts")
