"""Policy files, one after another, to one: what the later says counts.

Takes and gives plain values that `agent_exec.policy.file` has found right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent_exec.errors import PolicyError

# What every policy starts from. Its rules are those of its files alone.
BASE: Mapping[str, Any] = {
    "default": "ask",
    "route": {"shell": "fallback", "program": "/usr/bin/bash", "verdict": "ask"},
    "launcher": "auto",
    "programs": {
        "path": ["/usr/local/bin", "/usr/bin", "/bin"],
        "trust": {"owners": ["root", "self"], "writable_by": "owner"},
    },
    "templates": {"hot_after": 2, "max_per_worktree": 32, "on_update": "recreate"},
    "env": {"inherit": ["HOME", "LANG", "LC_*", "TERM", "TZ", "USER"], "set": {}, "from_call": []},
    "limits": {
        "timeout_s": 120.0,
        "max_timeout_s": 600.0,
        "output_bytes": 1_048_576,
        "concurrent": 16,
    },
    "processes": {"survivors": "kill"},
    "sandbox": {},
    "sessions": {},
    "redact": [],
    "audit": {},
}
_LISTS_OF_FILES = frozenset({"version", "extends", "disable", "rules"})


def merge(files: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """One policy of (name, content), the base of all first.

    Mappings are merged key by key, to any depth; a list or a word replaces what was there.
    Rules are added, in order, but for those that a later file disables.

    Raises:
        PolicyError: A rule id stands there twice, or what is disabled is not there.
    """
    merged: dict[str, Any] = _copy(BASE)
    rules: dict[str, Mapping[str, Any]] = {}
    for name, content in files:
        for id_ in content.get("disable", []):
            if id_ not in rules:
                known = ", ".join(sorted(rules)) or "none"
                raise PolicyError(
                    f"{name}: disable: no rule {id_} is inherited; there are: {known}"
                )
            del rules[id_]
        for rule in content.get("rules", []):
            if rule["id"] in rules:
                raise PolicyError(f"{name}: rules: the id {rule['id']} is taken; ids are unique")
            rules[rule["id"]] = rule
        _lay_over(
            merged, {key: value for key, value in content.items() if key not in _LISTS_OF_FILES}
        )
    merged["rules"] = list(rules.values())
    return merged


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if value is None:
            continue
        if isinstance(value, Mapping) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = _copy(value)


def _copy(value: Any) -> Any:  # noqa: ANN401 - what stands in a file
    if isinstance(value, Mapping):
        return {key: _copy(each) for key, each in value.items()}
    return list(value) if isinstance(value, list) else value
