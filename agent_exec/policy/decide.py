"""A policy, an analysis and its facts to a decision. Pure.

The strictest verdict counts, over every command of a call and every command inside. A rule
that asks or denies covers a command as soon as one of its effects is of a kind and on a path
that the rule names. A rule that allows covers effects, not commands: a command is allowed
when each of its effects is covered by some rule that allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

from agent_exec.model.analysis import Analysed
from agent_exec.model.decision import Decision, Executor, Route, Ruling, Verdict, strictest
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import Command
from agent_exec.model.rights import Rights
from agent_exec.named_tuple import NamedTuple
from agent_exec.named_tuple import new as _new
from agent_exec.policy.coverage import Seen, allows_command, covers, tightens
from agent_exec.policy.facts import Facts, Program, absolute
from agent_exec.policy.git_harden import GIT, can_be_hardened, git_folder, hardening
from agent_exec.policy.policy import Policy, Rule
from agent_exec.policy.quiet import can_be_quiet, quiet
from agent_exec.policy.reasons import hint, says, shown
from agent_exec.policy.rights import above_ceiling, rights_of
from agent_exec.policy.seen import here_of, see

# Programs of our own: a call of them would be judged by another policy than this.
_OURSELVES = ("agent-exec",)
_OURS = Executor.OURS
_DIRECT = Route.DIRECT
_ALLOW = Verdict.ALLOW
_MOST_REASONS = 20


class Planned(NamedTuple):
    """How a call would run, when it may."""

    route: Route
    reason: str | None = None
    """Why a shell is needed."""
    complete: bool = True
    """Are all commands known?"""
    nothing: bool = False
    """Is it known that it runs nothing?"""


def decide(
    policy: Policy,
    analysed: Sequence[Analysed],
    facts: Facts,
    *,
    cwd: str,
    planned: Planned,
    executor: Executor = Executor.OURS,
) -> Decision:
    """The verdict on one call. Never raises.

    Args:
        policy: That applies.
        analysed: Its commands, and those inside.
        facts: What `agent_exec.policy.look` found for these.
        cwd: Where commands work that name no other directory.
        planned: How it would run.
        executor: Who would run it.
    """
    route, reason, complete, nothing = planned
    sandbox, direct = policy.sandbox, route is _DIRECT
    # The variables of hardening reach what we start, not what a shell or a host starts.
    ours = executor is _OURS and direct
    confined = executor is _OURS and not sandbox.nothing_withheld
    rulings: list[Ruling] = []
    verdicts: list[Verdict] = []
    because: list[str] = []
    for family in _families(analysed):
        hardened = ours and can_be_hardened(family)
        hushed = can_be_quiet(family) if ours else frozenset()
        granted = []  # every effect of a command and of those inside, as if it may run
        for found in family:
            program, effects = see(
                policy, found, facts, cwd, executor, hardened=hardened, hushed=hushed
            )
            granted.append((found, program, effects))
        variables = _variables(family, facts, cwd) if hardened else ()
        if hushed:
            variables += quiet(hushed)
        rights = rights_of(sandbox, granted, direct=direct) if confined else None
        for found, program, effects in granted:
            ruling = _rule(policy, found, program, effects, cwd, variables, rights)
            rulings.append(ruling)
            verdicts.append(ruling.verdict)
            because += ruling.because
            variables, rights = (), None  # of the whole family: the first has them
    if not direct or not complete:
        verdicts.append(policy.shell)
        why = f"it needs a real shell: {reason}"
        because.append(why if policy.shell is not _ALLOW else f"{why}; which is allowed")
    if not rulings and nothing:
        because.append("nothing would run")
    elif not rulings:
        verdicts.append(strictest(policy.default, Verdict.ASK))
        because.append("no command was found in it")
    verdict = strictest(*verdicts)
    reasons = _reasons(rulings, verdict, because)
    rights = _of_shell(policy, rulings) if confined and not direct else None
    decision = (verdict, route, reason, tuple(rulings), reasons, None, None, None, rights)
    return _new(Decision, decision)


def _of_shell(policy: Policy, rulings: Sequence[Ruling]) -> Rights:
    """Those of one shell that does what every command says."""
    rights = [ruling.rights for ruling in rulings if ruling.rights is not None]
    if not rights:
        doubt = Effect(EffectKind.UNKNOWN, because="no command was found in it")
        nobody = Analysed(Command((), None), None, (), (doubt,))
        granted = [(nobody, None, [Seen(doubt, (), None, own=True)])]
        rights = [rights_of(policy.sandbox, granted, direct=False)]
    return reduce(Rights.united, rights)


def _families(analysed: Sequence[Analysed]) -> Sequence[Sequence[Analysed]]:
    """Each command of the call itself, with those inside; they inherit its variables."""
    if len(analysed) == 1:
        return (analysed,)
    begins = [index for index, found in enumerate(analysed) if found.of is None]
    return [analysed[begin:end] for begin, end in pairwise([*begins, len(analysed)])]


def _variables(family: Sequence[Analysed], facts: Facts, cwd: str) -> tuple[tuple[str, str], ...]:
    folders = [git_folder(found, here_of(found, cwd)) for found in family if found.name[:1] == GIT]
    return hardening([facts.git[folder] for folder in folders if folder in facts.git])


def _reasons(
    rulings: Sequence[Ruling], verdict: Verdict, because: Sequence[str]
) -> tuple[str, ...]:
    """Those of the commands that gave the verdict, without repetition."""
    if len(rulings) == 1 and rulings[0].verdict is verdict:
        return tuple(because if len(because) == 1 else dict.fromkeys(because))[:_MOST_REASONS]
    decisive = [
        reason for ruling in rulings if ruling.verdict is verdict for reason in ruling.because
    ]
    others = because[sum(len(ruling.because) for ruling in rulings) :]
    return tuple(dict.fromkeys([*decisive, *others]))[:_MOST_REASONS]


def _rule(
    policy: Policy,
    found: Analysed,
    program: Program | None,
    effects: Sequence[Seen],
    cwd: str,
    variables: tuple[tuple[str, str], ...],
    rights: Rights | None,
) -> Ruling:
    verdict, rules, because = _verdict(policy, found, program, effects)
    if not policy.sandbox.network:
        above = above_ceiling(policy.sandbox, effects)
        if above is not None and verdict is not Verdict.DENY:
            verdict, rules, because = Verdict.DENY, (), (f"{shown(found)}: {above}",)
    command, of, name, _, _, _, _, _ = found
    done = found.effects
    if len(effects) > len(done):
        done = tuple([seen.effect for seen in effects])
    path = None if program is None else program.path
    here = cwd if command.cwd is None else absolute(command.cwd, cwd)
    ruling = (command.argv, path, of, verdict, done, rules, because, variables, name, here, rights)
    return _new(Ruling, ruling)


def _verdict(
    policy: Policy,
    found: Analysed,
    program: Program | None,
    effects: Sequence[Seen],
) -> tuple[Verdict, tuple[str, ...], tuple[str, ...]]:
    """The verdict, the ids of the rules that gave it, and its reasons."""
    strict = []
    for rule in policy.tightens:
        if tightens(rule, found, program, effects):
            strict.append(rule)
    allows = []
    for rule in policy.allows:
        if rule.command is None or allows_command(rule, found, program):
            allows.append(rule)
    open_ = []
    for seen in effects:
        if not _is_allowed(seen, allows):
            open_.append(seen)
    verdict = strictest(*[rule.verdict for rule in strict]) if strict else _ALLOW
    by_default = bool(open_) or not allows
    if by_default:
        verdict = strictest(verdict, policy.default)
    ourselves = found.name[:1] == _OURSELVES
    if ourselves:
        verdict = strictest(verdict, Verdict.ASK)
    if verdict is _ALLOW:
        if len(allows) == 1:
            return _ALLOW, (allows[0].id,), (allows[0].because,)
        used = _used(allows, effects)
        return _ALLOW, _ids(used), tuple([rule.because for rule in used])
    decisive = [rule for rule in strict if rule.verdict is verdict]
    because = [f"{shown(found)}: {rule.because}" for rule in decisive]
    if by_default and verdict is policy.default:
        because += [f"{shown(found)} {says(seen)}{hint(policy, seen)}" for seen in open_]
        if not open_:
            because.append(f"{shown(found)}: no rule covers it")
    if ourselves:
        because.append("a call of agent-exec itself is never allowed by a rule")
    return verdict, _ids(decisive), tuple(dict.fromkeys(because))


def _used(allows: Sequence[Rule], effects: Sequence[Seen]) -> Sequence[Rule]:
    """Those of the rules that cover anything; the first where there is nothing to cover."""
    return [rule for rule in allows if any(covers(rule, seen) for seen in effects)] or allows[:1]


def _ids(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple([rule.id for rule in rules])


def _is_allowed(seen: Seen, allows: Sequence[Rule]) -> bool:
    # An inner command is judged by itself.
    if seen.effect.argv is not None:
        return True
    for rule in allows:
        if covers(rule, seen):
            return True
    return False
