"""Policies and commands made by hand, for tests of single steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent_exec.model.analysis import Analysed
from agent_exec.model.decision import Decision, Executor, Route
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import Command
from agent_exec.policy.build import build
from agent_exec.policy.decide import Planned, decide
from agent_exec.policy.facts import Facts, GitFacts, Program, absolute, program_key
from agent_exec.policy.merge import merge
from agent_exec.policy.policy import Policy
from agent_exec.policy.read_file import read_policy
from agent_exec.policy.source import Source

WORKTREE = "/work-tree"
HERE = Planned(Route.DIRECT)


def source(**content: Any) -> Source:
    """A policy file with this content."""
    return Source("test.yaml", {"version": 1, **content}, {}, "test.yaml")


def policy(*rules: dict[str, Any], **content: Any) -> Policy:
    """A policy with these rules; an id and a reason are added."""
    numbered = [
        {"id": f"r{index}", "because": "so it is", **rule} for index, rule in enumerate(rules)
    ]
    merged = merge([source(rules=numbered, **content)])
    return build("test.yaml", merged, worktree=WORKTREE, environ={})


def written(text: str) -> Source:
    """A policy file with this text."""
    return read_policy(text.encode(), "p.yaml")


def effect(kind: str, path: str | None = None) -> Effect:
    """One effect, with no reason of its own."""
    return Effect(EffectKind(kind), path)


def command(words: str, *effects: Effect, **fields: Any) -> Analysed:
    """A command of these words that does this; its name is its first word."""
    argv = tuple(words.split())
    named = fields.pop("name", argv[:1])
    of, own = fields.pop("of", None), fields.pop("own", -1)
    made = Command(argv, None, **fields)
    return Analysed(made, of, named, tuple(effects), rest=len(named), own=own)


def facts(
    *found: Analysed, links: dict[str, str] | None = None, distrusted: tuple[str, ...] = ()
) -> Facts:
    """As if every path were real but for `links`, and every program in /usr/bin."""
    paths: dict[str, tuple[str, ...]] = {}
    programs: dict[str, Program | None] = {}
    for each in found:
        here = each.command.cwd or WORKTREE
        for one in each.effects:
            if one.path is not None:
                named = absolute(one.path, here)
                paths[named] = ((links or {}).get(named, _plain(named)),)
        if each.command.argv:
            name = each.command.argv[0]
            path = absolute(name, here) if "/" in name else f"/usr/bin/{name}"
            why = "it lies in the worktree" if name in distrusted else None
            programs[program_key(name, here)] = Program(path, _plain(path), why)
    git = {each.command.cwd or WORKTREE: GitFacts((), None) for each in found}
    return Facts(paths, paths, programs, {}, {}, git)


def judged(
    by: Policy,
    *found: Analysed,
    links: dict[str, str] | None = None,
    distrusted: tuple[str, ...] = (),
    planned: Planned = HERE,
    executor: Executor = Executor.OURS,
) -> Decision:
    """The decision on some commands."""
    known = facts(*found, links=links, distrusted=distrusted)
    return decide(by, found, known, cwd=WORKTREE, planned=planned, executor=executor)


def _plain(path: str) -> str:
    parts: list[str] = []
    for part in Path(path).parts[1:]:
        if part == ".." and parts:
            parts.pop()
        elif part != "..":
            parts.append(part)
    return "/" + "/".join(parts)
