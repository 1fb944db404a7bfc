"""Our entry in a settings file of Claude Code: put in, found, taken out."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from agent_exec import InvalidCall
from agent_exec.integrations.json_edit import drop, put, read

TIMEOUT_S = 30
"""The hook itself gives up earlier; see `hook.LATE_S`."""
_AT = ("hooks", "PreToolUse")


def settings_path(scope: str, project: str, home: str) -> str:
    """The file of a scope.

    Raises:
        InvalidCall: There is no such scope.
    """
    files = {
        "project": os.path.join(project, ".claude", "settings.json"),
        "local": os.path.join(project, ".claude", "settings.local.json"),
        "user": os.path.join(home, ".claude", "settings.json"),
    }
    if scope not in files:
        raise InvalidCall(f"scope is {scope!r}, and has to be one of {', '.join(files)}")
    return files[scope]


def with_ours(text: str, words: Sequence[str], name: str) -> str:
    """`text` with an entry that runs `words` before the Bash tool; as it is, if there is one.

    Raises:
        InvalidCall: It is no JSON, or its hooks are none.
    """
    if text.strip() and _ours(text, name):
        return text
    entry = {
        "matcher": "Bash",
        "hooks": [{"type": "command", "command": shlex.join(words), "timeout": TIMEOUT_S}],
    }
    found = read(text, name) if text.strip() else {}
    hooks = found.get("hooks", {}) if isinstance(found, dict) else {}
    groups = hooks.get("PreToolUse", []) if isinstance(hooks, dict) else []
    at = len(groups) if isinstance(groups, list) else 0
    return put(text, (*_AT, at), entry, name)


def take_back(text: str, before: bytes | None) -> str | None:
    """See `agent_exec.integrations.installed.TakeBack`."""
    name = "the settings"
    while places := _ours(text, name):
        group, at = places[-1]
        text = drop(text, (*_AT, group, "hooks", at), name)
        if not read(text, name)["hooks"]["PreToolUse"][group]["hooks"]:
            text = drop(text, (*_AT, group), name)
    had = _content(before)
    for path in (_AT, _AT[:1]):
        if _at(read(text, name), path) in ([], {}) and _at(had, path) is None:
            text = drop(text, path, name)
    return None if before is None and read(text, name) == {} else text


def other_rules(text: str) -> bool:
    """Whether there are rules on Bash that the rewritten command would not match."""
    permissions = _at(_content(text.encode()), ("permissions",))
    if not isinstance(permissions, dict):
        return False
    rules = [*_list(permissions.get("deny")), *_list(permissions.get("ask"))]
    return any(isinstance(rule, str) and rule.startswith("Bash(") for rule in rules)


def _ours(text: str, name: str) -> list[tuple[int, int]]:
    """Where our commands are: the group, and the place in it."""
    groups = _list(_at(read(text, name), _AT))
    return [
        (number, at)
        for number, group in enumerate(groups)
        if isinstance(group, dict)
        for at, hook in enumerate(_list(group.get("hooks")))
        if isinstance(hook, dict) and _is_ours(hook.get("command"))
    ]


def _is_ours(command: object) -> bool:
    if not isinstance(command, str):
        return False
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return ("hook", "claude-code") in pairwise(words) and (
        os.path.basename(words[0]) == "agent-exec" or "agent_exec" in words
    )


def _at(value: Any, path: Sequence[str]) -> Any:  # noqa: ANN401 - JSON is anything
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _content(text: bytes | None) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return {} if text is None else json.loads(text)
    except ValueError:
        return {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
