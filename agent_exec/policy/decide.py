"""A policy, an analysis and its facts to a decision. Pure.

The strictest verdict counts, over every command of a call and every command inside. A rule
that asks or denies covers a command as soon as one of its effects is of a kind and on a path
that the rule names. A rule that allows covers effects, not commands: a command is allowed
when each of its effects is covered by some rule that allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agent_exec.model.analysis import Analysed
from agent_exec.model.decision import Decision, Executor, Route, Ruling, Verdict, strictest
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.coverage import Seen, allows_command, covers, is_on_files, tightens
from agent_exec.policy.facts import Facts, Program, absolute, program_key
from agent_exec.policy.git_harden import (
    can_be_hardened,
    git_folder,
    hardening,
    is_git,
    runs_nothing,
)
from agent_exec.policy.git_keys import is_harmless
from agent_exec.policy.paths import is_protected
from agent_exec.policy.policy import Policy, Rule

# Programs of our own: a call of them would be judged by another policy than this.
_OURS = ("agent-exec",)
_CHANGES = frozenset({EffectKind.WRITE, EffectKind.DELETE})
_MOST_REASONS = 20


class Planned(NamedTuple):
    """How a call would run, when it may."""

    route: Route
    reason: str | None = None
    """Why a shell is needed."""
    complete: bool = True
    """Are all commands known?"""


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
    # The variables of hardening reach what we start, not what a shell starts.
    hardened = executor is Executor.OURS and planned.route is Route.DIRECT
    rulings = tuple(
        [_rule(policy, found, facts, cwd, executor, hardened=hardened) for found in analysed]
    )
    rulings = _hardened(rulings, analysed, facts, cwd)
    verdicts = [ruling.verdict for ruling in rulings]
    because = [reason for ruling in rulings for reason in ruling.because]
    if planned.route is Route.SHELL or not planned.complete:
        verdicts.append(policy.shell)
        why = f"it needs a real shell: {planned.reason}"
        because.append(why if policy.shell is not Verdict.ALLOW else f"{why}; which is allowed")
    if not rulings:
        verdicts.append(strictest(policy.default, Verdict.ASK))
        because.append("no command was found in it")
    verdict = strictest(*verdicts)
    return Decision(
        verdict,
        planned.route,
        planned.reason,
        rulings,
        _reasons(rulings, verdict, because),
    )


def _hardened(
    rulings: tuple[Ruling, ...], analysed: Sequence[Analysed], facts: Facts, cwd: str
) -> tuple[Ruling, ...]:
    """With variables for the commands of the call itself; those inside inherit them."""
    if not any(map(is_git, analysed)):
        return rulings
    made = list(rulings)
    begins = [index for index, found in enumerate(analysed) if found.of is None]
    for begin, end in zip(begins, [*begins[1:], len(analysed)], strict=True):
        family = analysed[begin:end]
        if can_be_hardened(family):
            folders = [git_folder(found, _here(found, cwd)) for found in family if is_git(found)]
            known = [facts.git[folder] for folder in folders if folder in facts.git]
            made[begin] = made[begin]._replace(variables=hardening(known))
    return tuple(made)


def _here(found: Analysed, cwd: str) -> str:
    return cwd if found.command.cwd is None else absolute(found.command.cwd, cwd)


def _reasons(
    rulings: Sequence[Ruling], verdict: Verdict, because: Sequence[str]
) -> tuple[str, ...]:
    """Those of the commands that gave the verdict, without repetition."""
    decisive = [
        reason for ruling in rulings if ruling.verdict is verdict for reason in ruling.because
    ]
    others = because[sum(len(ruling.because) for ruling in rulings) :]
    return tuple(dict.fromkeys([*decisive, *others]))[:_MOST_REASONS]


def _rule(
    policy: Policy,
    found: Analysed,
    facts: Facts,
    cwd: str,
    executor: Executor,
    *,
    hardened: bool,
) -> Ruling:
    command = found.command
    program, effects = seen_of(policy, found, facts, cwd)
    verdict, rules, because = _verdict(policy, found, program, effects, executor)
    if verdict is Verdict.ALLOW:
        why = _why_not(found, program, facts, _here(found, cwd), executor, hardened=hardened)
        if why is not None:
            verdict, rules, because = Verdict.ASK, (), (why,)
    return Ruling(
        command.argv,
        None if program is None else program.path,
        found.of,
        verdict,
        tuple([seen.effect for seen in effects]),
        rules,
        because,
    )


def seen_of(
    policy: Policy, found: Analysed, facts: Facts, cwd: str
) -> tuple[Program | None, list[Seen]]:
    """The program of a command, and its effects with what the facts add to them."""
    here = _here(found, cwd)
    program = _program_of(found, facts, here)
    return program, _effects(policy, found, program, facts, here)


def _why_not(
    found: Analysed,
    program: Program | None,
    facts: Facts,
    here: str,
    executor: Executor,
    *,
    hardened: bool,
) -> str | None:
    """Why an allowed command is asked about: for what we cannot keep it from."""
    ours = executor is Executor.OURS
    if is_git(found) and runs_nothing(found):
        folder = git_folder(found, here)
        known = facts.git.get(folder)
        if known is None or known.problem is not None:
            return f"git in {folder}: {known.problem if known else 'nobody has looked at it'}"
        if not hardened and not all(map(is_harmless, known.keys)):
            return f"git in {folder} may run what the configuration of the repository says"
    if not ours and program is None and found.command.argv and not found.command.builtin:
        return f"{found.command.argv[0]} is not where programs are looked up"
    return None


def _program_of(found: Analysed, facts: Facts, here: str) -> Program | None:
    command = found.command
    if not command.argv or command.builtin:
        return None
    return facts.programs.get(program_key(command.argv[0], here))


def _effects(
    policy: Policy, found: Analysed, program: Program | None, facts: Facts, here: str
) -> list[Seen]:
    effects = found.effects
    own = len(effects) if found.own < 0 else found.own
    seen = [
        _seen(effect, program, facts, here, own=index < own) for index, effect in enumerate(effects)
    ]
    if program is not None and program.distrusted is not None:
        because = f"{program.path} is run, and {program.distrusted}"
        effect = Effect(EffectKind.EXECUTE, program.path, because=because)
        seen.append(Seen(effect, (program.real,), program.path, own=True))
    for folder in found.plain:
        if not facts.plain.get(absolute(folder, here), False):
            because = f"names of files beneath {folder} may be split into other words"
            seen.append(Seen(Effect(EffectKind.UNKNOWN, because=because), (), None, own=False))
    seen += [
        _run_later(each)
        for each in seen
        if each.effect.kind in _CHANGES
        and any(is_protected(real, policy.protect, policy.worktree) for real in each.real)
    ]
    return seen


def _seen(effect: Effect, program: Program | None, facts: Facts, here: str, *, own: bool) -> Seen:
    if effect.path is None:
        return Seen(effect, (), None, own)
    named = absolute(effect.path, here)
    if effect.kind is EffectKind.DELETE:
        return Seen(effect, facts.entries.get(named, ()), named, own)
    if program is not None and named == program.path:
        return Seen(effect, (program.real,), named, own)
    return Seen(effect, facts.paths.get(named, ()), named, own)


def _run_later(seen: Seen) -> Seen:
    """Of a file that something else runs or obeys, out of our sight."""
    because = f"{seen.effect.path} is run, or obeyed, by other programs later"
    return Seen(Effect(EffectKind.EXECUTE, because=because), (), None, own=False)


def _verdict(
    policy: Policy,
    found: Analysed,
    program: Program | None,
    effects: Sequence[Seen],
    executor: Executor,
) -> tuple[Verdict, tuple[str, ...], tuple[str, ...]]:
    """The verdict, the ids of the rules that gave it, and its reasons."""
    strict = [rule for rule in policy.tightens if tightens(rule, found, program, effects)]
    ours = executor is Executor.OURS
    allows = [
        rule for rule in policy.allows if allows_command(rule, found, program, missing_is_fine=ours)
    ]
    open_ = [seen for seen in effects if not _is_allowed(seen, allows)]
    verdict = strictest(*(rule.verdict for rule in strict))
    by_default = bool(open_) or not allows
    if by_default:
        verdict = strictest(verdict, policy.default)
    if found.name[:1] == _OURS:
        verdict = strictest(verdict, Verdict.ASK)
    if verdict is Verdict.ALLOW:
        used = [rule for rule in allows if any(covers(rule, seen) for seen in effects)]
        used = used or allows[:1]
        return verdict, _ids(used), tuple(rule.because for rule in used)
    decisive = [rule for rule in strict if rule.verdict is verdict]
    because = [f"{_shown(found)}: {rule.because}" for rule in decisive]
    if by_default and verdict is policy.default:
        because += [f"{_shown(found)} {says(seen)}{_hint(policy, seen)}" for seen in open_]
        if not open_:
            because.append(f"{_shown(found)}: no rule covers it")
    if found.name[:1] == _OURS:
        because.append("a call of agent-exec itself is never allowed by a rule")
    return verdict, _ids(decisive), tuple(dict.fromkeys(because))


def _ids(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(rule.id for rule in rules)


def _is_allowed(seen: Seen, allows: Sequence[Rule]) -> bool:
    # An inner command is judged by itself.
    return seen.effect.argv is not None or any(covers(rule, seen) for rule in allows)


def _shown(found: Analysed) -> str:
    return " ".join(found.name) or "a redirection"


_VERBS = {
    EffectKind.READ: "reads",
    EffectKind.WRITE: "writes",
    EffectKind.DELETE: "deletes",
    EffectKind.EXECUTE: "runs",
    EffectKind.NETWORK: "uses the network",
    EffectKind.STATE: "changes more than files",
    EffectKind.PRIVILEGE: "gains or changes rights",
    EffectKind.UNKNOWN: "may do anything",
}


def says(seen: Seen) -> str:
    """What an effect is, in words for people."""
    effect = seen.effect
    text = _VERBS[effect.kind]
    if is_on_files(effect.kind):
        if effect.path is None:
            text += "" if effect.because else " what nobody can name beforehand"
        else:
            text += f" {effect.path}"
            elsewhere = [real for real in seen.real if real != seen.named]
            text += f" ({elsewhere[0]})" if elsewhere else ""
    return f"{text}: {effect.because}" if effect.because else text


def _hint(policy: Policy, seen: Seen) -> str:
    """Where the same would be allowed."""
    kind = seen.effect.kind
    if not is_on_files(kind):
        return ""
    places = [
        word
        for rule in policy.allows
        if rule.command is None and rule.paths is not None
        if rule.effects is None or kind in rule.effects
        for word in rule.paths.words
    ]
    return f"; allowed beneath {', '.join(dict.fromkeys(places))}" if places else ""
