"""The examples of rules: unit tests that stand in the policy, checked when it is read.

They say the same on every machine: programs that a name names are taken to be there and to
be what they say, and the worktree is a directory that does not exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from agent_exec.errors import PolicyError
from agent_exec.model.analysis import Analysed
from agent_exec.model.decision import Verdict
from agent_exec.policy.analyse import analyse
from agent_exec.policy.build import build
from agent_exec.policy.coverage import allows_command, covers, tightens
from agent_exec.policy.facts import Facts, Program, absolute, program_key
from agent_exec.policy.load import load_sources
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.look import look
from agent_exec.policy.look_program import Programs
from agent_exec.policy.merge import merge
from agent_exec.policy.paths import normal
from agent_exec.policy.policy import Policy, Rule
from agent_exec.policy.reasons import says
from agent_exec.policy.seen import see
from agent_exec.policy.source import Source
from agent_exec.policy.tables import Tables
from agent_exec.shell.reading import Scope, read

WORKTREE = "/home/agent-exec-examples/worktree"
_FOLDER = "/usr/bin"


def check_examples(sources: Sequence[Source]) -> None:
    """Hold every rule of some files to its examples.

    Raises:
        PolicyError: Some disagree; the message has each, with its place.
    """
    tables = load_tables()
    wrong = [message for source in sources for message in _disagreements(source, tables)]
    if wrong:
        raise PolicyError("\n".join(wrong))


def count_examples(name: str) -> int:
    """How many examples a policy has, its bases included; all are checked.

    Raises:
        PolicyError: It is wrong, or some disagree.
    """
    sources = load_sources(name)
    check_examples(sources)
    return sum(
        len(texts)
        for source in sources
        for rule in source.content.get("rules", [])
        for texts in rule.get("examples", {}).values()
    )


def _disagreements(source: Source, tables: Tables) -> Iterator[str]:
    # Alone, as a rule is read; what other rules say makes no difference to it.
    policy = build(source.shown, merge([_without_disable(source)]), worktree=WORKTREE, environ={})
    rules = {rule.id: rule for rule in (*policy.allows, *policy.tightens)}
    for index, entry in enumerate(source.content.get("rules", [])):
        examples = entry.get("examples") or {}
        for key in ("match", "not_match"):
            for at, text in enumerate(examples.get(key) or []):
                wrong = _wrong(rules[entry["id"]], text, policy, tables, covered=key == "match")
                if wrong is not None:
                    where = source.where("rules", index, "examples", key, at)
                    yield f"{where}: rule {entry['id']}: {text!r} {wrong}"


def _without_disable(source: Source) -> Source:
    content = {key: value for key, value in source.content.items() if key != "disable"}
    return source._replace(content=content)


def _wrong(rule: Rule, text: str, policy: Policy, tables: Tables, *, covered: bool) -> str | None:
    """How an example disagrees with its rule; None when it does not."""
    why_not = why_not_covered(rule, text, policy, tables)
    if covered:
        return None if why_not is None else f"is not covered, though it is to match: {why_not}"
    return None if why_not is not None else "is covered, though it is not to match"


def why_not_covered(rule: Rule, text: str, policy: Policy, tables: Tables) -> str | None:
    """Why `rule` does not cover a shell text; None when it does.

    One that asks or denies covers a text when it covers any command of it. One that allows
    covers it when it alone would be enough.
    """
    environment = {"HOME": os.path.expanduser("~"), "LC_ALL": "C.UTF-8"}
    reading = read(text, Scope.of_call(environment, WORKTREE))
    analysed = analyse(reading.commands, tables, cwd=WORKTREE, variables=environment)
    if not analysed:
        return "there is no command in it"
    facts = _facts(analysed, policy)
    if rule.verdict is not Verdict.ALLOW:
        if any(_is_tightened(rule, found, policy, facts) for found in analysed):
            return None
        return "no command in it, and nothing that they do, is what the rule names"
    if not reading.complete:
        return f"it needs a real shell: {reading.needs_bash}"
    for found in analysed:
        why = _why_not_allowed(rule, found, policy, facts)
        if why is not None:
            return why
    return None


def _is_tightened(rule: Rule, found: Analysed, policy: Policy, facts: Facts) -> bool:
    program, effects = see(policy, found, facts, WORKTREE)
    return tightens(rule, found, program, effects)


def _why_not_allowed(rule: Rule, found: Analysed, policy: Policy, facts: Facts) -> str | None:
    program, effects = see(policy, found, facts, WORKTREE)
    name = " ".join(found.name)
    if not allows_command(rule, found, program):
        return f"{name} is another command"
    for seen in effects:
        if seen.effect.argv is None and not covers(rule, seen):
            return f"{name} {says(seen)}"
    return None


def _facts(analysed: Sequence[Analysed], policy: Policy) -> Facts:
    facts = look(analysed, Programs((), WORKTREE, policy.trust), cwd=WORKTREE)
    programs: dict[str, Program | None] = {}
    for found in analysed:
        argv = found.command.argv
        if argv and not found.command.builtin:
            here = absolute(found.command.cwd or "", WORKTREE).rstrip("/")
            programs[program_key(argv[0], here)] = _program(argv[0], here)
    return facts._replace(programs=programs)


def _program(name: str, here: str) -> Program:
    if "/" not in name:
        return Program(f"{_FOLDER}/{name}", f"{_FOLDER}/{name}", None)
    path = normal(absolute(name, here))
    distrusted = None if path.startswith("/usr/") else "it lies where no programs are looked up"
    return Program(path, path, distrusted)
