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
from agent_exec.policy.facts import Facts, Program, program_key
from agent_exec.policy.git_harden import hardening, only_reads
from agent_exec.policy.git_keys import is_harmless
from agent_exec.policy.look import absolute, git_folders
from agent_exec.policy.policy import Pattern, Policy, Rule

_ON_FILES = frozenset({EffectKind.READ, EffectKind.WRITE, EffectKind.DELETE, EffectKind.EXECUTE})
# Programs of our own: a call of them would be judged by another policy than this.
_OURS = "agent-exec"
_GIT = ("git",)
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
    rulings = tuple([_rule(policy, found, facts, cwd, executor) for found in analysed])
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
    if not any(found.name[:1] == _GIT for found in analysed):
        return rulings
    made = list(rulings)
    begins = [index for index, found in enumerate(analysed) if found.of is None]
    for begin, end in zip(begins, [*begins[1:], len(analysed)], strict=True):
        family = analysed[begin:end]
        if only_reads(family):
            known = [
                facts.git[folder]
                for found in family
                if found.name[:1] == _GIT
                for folder in git_folders(found, _here(found, cwd))
                if folder in facts.git
            ]
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


def _rule(policy: Policy, found: Analysed, facts: Facts, cwd: str, executor: Executor) -> Ruling:
    command = found.command
    here = _here(found, cwd)
    program = _program_of(found, facts, here)
    effects = _effects(found, program, facts, here)
    verdict, rules, because = _verdict(policy, found, program, effects)
    if verdict is Verdict.ALLOW and found.name[:1] == _GIT:
        problem = _git_problem(found, facts, here, executor)
        if problem is not None:
            verdict, rules, because = Verdict.ASK, (), (problem,)
    return Ruling(
        command.argv,
        None if program is None else program.path,
        found.of,
        verdict,
        tuple([seen.effect for seen in effects]),
        rules,
        because,
    )


def _git_problem(found: Analysed, facts: Facts, here: str, executor: Executor) -> str | None:
    """Why a call of git that only reads may run something all the same."""
    for folder in git_folders(found, here):
        known = facts.git.get(folder)
        if known is None or known.problem is not None:
            return f"git in {folder}: {known.problem if known else 'nobody has looked'}"
        if executor is Executor.HOST and any(not is_harmless(key) for key in known.keys):
            return f"git in {folder} may run what the configuration of the repository says"
    return None


class _Seen(NamedTuple):
    """An effect, and where its path leads. `real` is None where no path is known."""

    effect: Effect
    real: str | None


def _program_of(found: Analysed, facts: Facts, here: str) -> Program | None:
    command = found.command
    if not command.argv or command.builtin:
        return None
    return facts.programs.get(program_key(command.argv[0], here))


def _effects(found: Analysed, program: Program | None, facts: Facts, here: str) -> list[_Seen]:
    effects = list(found.effects)
    if program is not None and program.distrusted is not None:
        because = f"{program.path} is run, and {program.distrusted}"
        effects.append(Effect(EffectKind.EXECUTE, program.path, because=because))
    for folder in found.plain:
        if not facts.plain.get(absolute(folder, here), False):
            because = f"names of files beneath {folder} may be split into other words"
            effects.append(Effect(EffectKind.UNKNOWN, because=because))
    seen = []
    for effect in effects:
        real = None
        if effect.path is not None:
            named = absolute(effect.path, here)
            real = program.real if program and named == program.path else facts.paths.get(named)
        seen.append(_Seen(effect, real))
    return seen


def _verdict(
    policy: Policy, found: Analysed, program: Program | None, effects: Sequence[_Seen]
) -> tuple[Verdict, tuple[str, ...], tuple[str, ...]]:
    """The verdict, the ids of the rules that gave it, and its reasons."""
    strict = [rule for rule in policy.tightens if _tightens(rule, found, program, effects)]
    allows = [rule for rule in policy.allows if _may_allow(rule, found, program)]
    open_ = [seen for seen in effects if not _is_allowed(seen, allows)]
    verdict = strictest(*(rule.verdict for rule in strict))
    by_default = bool(open_) or not allows
    if by_default:
        verdict = strictest(verdict, policy.default)
    if found.name and found.name[0] == _OURS:
        verdict = strictest(verdict, Verdict.ASK)
        return verdict, (), ("a call of agent-exec itself is never allowed by a rule",)
    if verdict is Verdict.ALLOW:
        used = [rule for rule in allows if any(_covers(rule, seen) for seen in effects)]
        used = used or allows[:1]
        return verdict, _ids(used), tuple(rule.because for rule in used)
    decisive = [rule for rule in strict if rule.verdict is verdict]
    because = [f"{_shown(found)}: {rule.because}" for rule in decisive]
    if by_default and verdict is policy.default:
        because += [f"{_shown(found)} {_says(seen)}{_hint(policy, seen)}" for seen in open_]
        if not open_:
            because.append(f"{_shown(found)}: no rule covers it")
    return verdict, _ids(decisive), tuple(dict.fromkeys(because))


def _ids(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(rule.id for rule in rules)


def _tightens(
    rule: Rule, found: Analysed, program: Program | None, effects: Sequence[_Seen]
) -> bool:
    if rule.command is not None and not _names(rule.command, found, program):
        return False
    if rule.effects is None and rule.paths is None:
        return True
    return any(_is_judged(seen.effect) and _touches(rule, seen) for seen in effects)


def _touches(rule: Rule, seen: _Seen) -> bool:
    if rule.effects is not None and seen.effect.kind not in rule.effects:
        return False
    if rule.paths is None:
        return True
    return seen.real is not None and rule.paths.holds(seen.real)


def _may_allow(rule: Rule, found: Analysed, program: Program | None) -> bool:
    if rule.command is None:
        return True
    trusted = program is None or program.distrusted is None or "/" in next(iter(rule.command[0]))
    return trusted and _begins(rule.command, found, program)


def _is_judged(effect: Effect) -> bool:
    """An inner command is judged by itself."""
    return effect.argv is None


def _is_allowed(seen: _Seen, allows: Sequence[Rule]) -> bool:
    return not _is_judged(seen.effect) or any(_covers(rule, seen) for rule in allows)


def _covers(rule: Rule, seen: _Seen) -> bool:
    if rule.effects is not None and seen.effect.kind not in rule.effects:
        return False
    if rule.paths is None or seen.effect.kind not in _ON_FILES:
        return True
    return seen.real is not None and rule.paths.holds(seen.real)


def _begins(pattern: Pattern, found: Analysed, program: Program | None) -> bool:
    """Is a command one that `pattern` is the beginning of? To allow: to the letter."""
    words = _words(found, program, pattern)
    return len(words) >= len(pattern) and all(
        word in may_be for word, may_be in zip(words, pattern, strict=False)
    )


def _names(pattern: Pattern, found: Analysed, program: Program | None) -> bool:
    """Does a command mean `pattern`, whatever options stand between? To ask or deny."""
    words = iter(_words(found, program, pattern))
    if next(words, None) not in pattern[0]:
        return False
    return all(any(word in may_be for word in words) for may_be in pattern[1:])


def _words(found: Analysed, program: Program | None, pattern: Pattern) -> list[str]:
    name = list(found.name)
    if name and program is not None and any("/" in word for word in pattern[0]):
        name[0] = program.path
    return [*name, *found.command.argv[found.rest :]]


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


def _says(seen: _Seen) -> str:
    effect = seen.effect
    text = _VERBS[effect.kind]
    if effect.kind in _ON_FILES:
        what = "what nobody can name beforehand" if effect.path is None else effect.path
        text += f" {what}"
        if seen.real is not None and effect.path is not None and seen.real != effect.path:
            text += f" ({seen.real})" if not seen.real.endswith(f"/{effect.path}") else ""
    return f"{text}: {effect.because}" if effect.because else text


def _hint(policy: Policy, seen: _Seen) -> str:
    """Where the same would be allowed."""
    kind = seen.effect.kind
    if kind not in _ON_FILES:
        return ""
    places = [
        word
        for rule in policy.allows
        if rule.command is None and rule.paths is not None
        if rule.effects is None or kind in rule.effects
        for word in rule.paths.words
    ]
    return f"; allowed beneath {', '.join(dict.fromkeys(places))}" if places else ""
