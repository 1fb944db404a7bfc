"""opencode's ``permission`` to a policy. There the last pattern that matches counts."""

from __future__ import annotations

from agent_exec.policy.importing.json_text import read_json
from agent_exec.policy.importing.rules import (
    Collected,
    Imported,
    add_text_rule,
    as_mapping,
    words_of,
)

_RANKS = {"allow": 0, "ask": 1, "deny": 2}
_SHELL_TOOLS = ("bash", "shell", "exec")


def import_opencode(text: str, name: str) -> Imported:
    """A policy that says what ``opencode.json`` says of commands.

    Raises:
        PolicyError: It is no JSON, or no settings of opencode.
    """
    settings = as_mapping(read_json(text, name), name)
    permission = settings.get("permission", {})
    collected = Collected("opencode", "ask")
    if isinstance(permission, str):
        permission = {"*": permission}
    everything = as_mapping(permission, f"{name}: permission")
    if isinstance(everything.get("*"), str):
        collected.default = _verdict(everything["*"], collected, "permission.*")
    for key, value in everything.items():
        if key in _SHELL_TOOLS:
            _commands(value, key, collected)
        elif key != "*":
            collected.leave(
                f"permission.{key}", "it is about another tool than the one for commands"
            )
    if collected.default == "allow":
        collected.note("default", "what no rule names is allowed, whatever it is")
    return collected.done()


def _commands(value: object, key: str, collected: Collected) -> None:
    if isinstance(value, str):
        collected.default = _verdict(value, collected, f"permission.{key}")
        return
    patterns = as_mapping(value, f"permission.{key}")
    before: list[tuple[str, str]] = []
    for pattern, word in patterns.items():
        origin = f"permission.{key} {pattern!r}"
        verdict = _verdict(word, collected, origin)
        if pattern.strip() == "*":
            for earlier, _ in before:
                collected.leave(f"permission.{key} {earlier!r}", f"{origin} stands after it")
            collected.forget()
            collected.default = verdict
            before = []
            continue
        weakened = [each for each, other in before if _weakens(pattern, verdict, each, other)]
        if weakened:
            collected.leave(
                origin, f"the stricter {weakened[0]!r} covers it; here the strictest rule counts"
            )
            continue
        before.append((pattern, verdict))
        add_text_rule(collected, verdict, pattern, origin)


def _weakens(pattern: str, verdict: str, earlier: str, other: str) -> bool:
    """Would a later, weaker pattern have made an exception from an earlier one?"""
    if _RANKS[verdict] >= _RANKS[other]:
        return False
    ours, theirs = words_of(pattern), words_of(earlier)
    if isinstance(ours, str) or isinstance(theirs, str):
        return False
    shorter = min(len(ours.words), len(theirs.words))
    return ours.words[:shorter] == theirs.words[:shorter]


def _verdict(word: object, collected: Collected, origin: str) -> str:
    if isinstance(word, str) and word in _RANKS:
        return word
    collected.leave(origin, f"{word!r} is no verdict; ask is taken")
    return "ask"
