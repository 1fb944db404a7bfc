"""Claude Code's ``permissions`` to a policy. There deny comes before ask before allow."""

from __future__ import annotations

import re

from agent_exec.policy.importing.json_text import read_json
from agent_exec.policy.importing.rules import Collected, Imported, add_text_rule, as_mapping
from agent_exec.regex import regex

_RULE = regex(r"(?P<tool>[A-Za-z_][\w-]*)(?:\((?P<inside>.*)\))?", re.DOTALL)
_FILES = {"Read": ["read"], "Edit": ["write", "delete"], "Write": ["write", "delete"]}
_MODES = {"default": "ask", "dontAsk": "deny"}


def import_claude_code(text: str, name: str) -> Imported:
    """A policy that says what ``settings.json`` says of commands and files.

    Raises:
        PolicyError: It is no JSON, or no settings of Claude Code.
    """
    settings = as_mapping(read_json(text, name), name)
    permissions = as_mapping(settings.get("permissions", {}), f"{name}: permissions")
    collected = Collected("Claude Code", "ask")
    for key, value in permissions.items():
        if key in ("deny", "ask", "allow"):
            rules = value if isinstance(value, list) else [value]
            for rule in rules:
                _rule(rule, key, collected)
        elif key == "defaultMode" and value in _MODES:
            collected.default = _MODES[value]
        else:
            collected.leave(f"permissions.{key}", "it has no counterpart here")
    return collected.done()


def _rule(rule: object, verdict: str, collected: Collected) -> None:
    found = _RULE.fullmatch(rule) if isinstance(rule, str) else None
    origin = f"permissions.{verdict} {rule!r}"
    if found is None:
        collected.leave(origin, "it is no rule")
        return
    tool, inside = found["tool"], found["inside"]
    if tool == "Bash":
        if inside is None or inside.strip() in ("*", ":*"):
            collected.add(verdict, f"{rule}")
        else:
            add_text_rule(collected, verdict, inside, origin)
    elif tool in _FILES and inside is not None:
        _file_rule(tool, inside, verdict, origin, collected)
    else:
        collected.leave(origin, "it is about another tool than the one for commands")


def _file_rule(tool: str, inside: str, verdict: str, origin: str, collected: Collected) -> None:
    path = re.sub(r"/\*\*$", "", inside)
    if path.startswith("//"):
        path = path[1:]
    elif not path.startswith("~/"):
        collected.leave(
            origin,
            "it is relative to the project, of which a rule names the whole, or by a pattern",
        )
        return
    if any(char in path for char in "*?[") or path in ("", "/"):
        collected.leave(origin, "paths of a rule are directories and files, not patterns")
        return
    collected.add(verdict, origin, effects=_FILES[tool], paths=[path])
