"""Policy files, one after another, to one: what the later says counts.

Takes and gives plain values that `agent_exec.policy.file` has found right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.policy.source import Source

# What every policy starts from. Its rules are those of its files alone.
BASE: Mapping[str, Any] = {
    "default": "ask",
    "route": {"shell": "fallback", "program": "/usr/bin/bash", "verdict": "ask"},
    "launcher": "auto",
    "programs": {
        "path": ["/usr/local/bin", "/usr/bin", "/bin"],
        "trust": {"owners": ["root", "self"], "writable_by": "owner"},
    },
    "templates": {
        "hot_after": 2,
        "max_per_worktree": 32,
        "on_update": "recreate",
        "deny_write": False,
    },
    "env": {"inherit": ["HOME", "LANG", "LC_*", "TERM", "TZ", "USER"], "set": {}, "from_call": []},
    "limits": {
        "timeout_s": 120.0,
        "max_timeout_s": 600.0,
        "output_bytes": 1_048_576,
        "processes": 256,
        "memory_mib": 4096,
        "file_mib": "none",
        "open_files": "none",
        "concurrent": 16,
    },
    "processes": {"survivors": "kill"},
    "sandbox": {
        "read": ["worktree", "system", "toolchains"],
        "write": ["tmp"],
        "network": "allow",
        "protect": [
            *(".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir"),
            *(".git/modules", ".git/info/attributes", ".gitconfig", ".envrc", ".mcp.json"),
            *(".claude", ".opencode", ".vscode"),
        ],
        "require": ["landlock", "seccomp"],
    },
    "sessions": {"max": 8, "idle_s": 1800.0},
    "redact": [],
    "audit": {"keep_days": 30},
}
_LISTS_OF_FILES = frozenset({"version", "extends", "disable", "rules"})


def merge(sources: Sequence[Source]) -> dict[str, Any]:
    """One policy of several files, the base of all first.

    Mappings are merged key by key, to any depth; a list or a word replaces what was there.
    Rules are added, in order, but for those that a later file disables.

    Raises:
        PolicyError: A rule id stands there twice, or what is disabled is not there.
    """
    merged: dict[str, Any] = _copy(BASE)
    rules: dict[str, Mapping[str, Any]] = {}
    for source in sources:
        content = source.content
        for index, id_ in enumerate(content.get("disable", [])):
            if id_ not in rules:
                raise PolicyError(_not_inherited(id_, rules, source.where("disable", index)))
            del rules[id_]
        for index, rule in enumerate(content.get("rules", [])):
            id_ = rule["id"]
            if id_ in rules:
                where = source.where("rules", index, "id")
                raise PolicyError(
                    f"{where}: the id {id_} is taken; to replace that rule, disable it"
                )
            rules[id_] = rule
        own = {key: value for key, value in content.items() if key not in _LISTS_OF_FILES}
        _lay_over(merged, own)
    limits = merged["limits"]
    limits["timeout_s"] = min(limits["timeout_s"], limits["max_timeout_s"])
    merged["rules"] = list(rules.values())
    return merged


def _not_inherited(id_: str, rules: Iterable[str], where: str) -> str:
    import difflib  # noqa: PLC0415 - for a mistake only

    near = difflib.get_close_matches(id_, list(rules), n=1)
    if near:
        return f"{where}: disable: no rule {id_} is inherited; did you mean {near[0]}?"
    known = ", ".join(sorted(rules)) or "none"
    return f"{where}: disable: no rule {id_} is inherited; there are: {known}"


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
