"""Which importer reads what, and the examples that its rules keep here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.policy.build import build
from agent_exec.policy.examples import WORKTREE, why_not_covered
from agent_exec.policy.importing.claude_code import import_claude_code
from agent_exec.policy.importing.codex import import_codex
from agent_exec.policy.importing.opencode import import_opencode
from agent_exec.policy.importing.rules import Imported
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.merge import merge
from agent_exec.policy.source import Source

IMPORTERS: dict[str, Callable[[str, str], Imported]] = {
    "opencode": import_opencode,
    "claude-code": import_claude_code,
    "codex": import_codex,
}


def import_policy(text: bytes, name: str, kind: str) -> Imported:
    """A policy from the settings of another program.

    Args:
        text: UTF-8.
        name: Of the file, for messages.
        kind: One of `IMPORTERS`.

    Raises:
        PolicyError: They cannot be read; or `kind` is none.
    """
    importer = IMPORTERS.get(kind)
    if importer is None:
        raise PolicyError(f"there is no importer {kind!r}; there are {', '.join(IMPORTERS)}")
    try:
        imported = importer(text.decode("utf-8-sig"), name)
    except UnicodeDecodeError:
        raise PolicyError(f"{name}: this is no UTF-8") from None
    return _with_true_examples(imported, name)


def _with_true_examples(imported: Imported, name: str) -> Imported:
    """Without the examples that say otherwise than the rules do here."""
    report = list(imported.report)
    source = Source(name, imported.content, {}, name)
    policy = build(name, merge([source]), worktree=WORKTREE, environ={})
    rules = {rule.id: rule for rule in (*policy.allows, *policy.tightens)}
    tables = load_tables()
    entries: list[dict[str, Any]] = []
    for entry in imported.content.get("rules", []):
        kept: dict[str, list[str]] = {}
        for key, texts in entry.get("examples", {}).items():
            for text in texts:
                why = why_not_covered(rules[entry["id"]], text, policy, tables)
                if (why is None) is (key == "match"):
                    kept.setdefault(key, []).append(text)
                else:
                    example = f"{key} {text!r} of {entry['id']}"
                    report.append(f"not carried over: {example}: {why or 'it is covered here'}")
        entries.append({**entry, "examples": kept} if kept else _without_examples(entry))
    content = {**imported.content, "rules": entries} if entries else imported.content
    return Imported(content, tuple(report))


def _without_examples(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "examples"}
