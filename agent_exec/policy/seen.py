"""The effects of a command, with what the facts add to them."""

from __future__ import annotations

from collections.abc import Container, Iterator

from agent_exec.model.analysis import Analysed
from agent_exec.model.decision import Executor
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.named_tuple import new as _new
from agent_exec.policy.coverage import Seen
from agent_exec.policy.facts import Facts, Program, absolute, program_key
from agent_exec.policy.git_harden import GIT, git_folder, runs_nothing
from agent_exec.policy.git_keys import is_harmless
from agent_exec.policy.paths import is_protected
from agent_exec.policy.policy import Policy
from agent_exec.policy.quiet import QUIET, key_of

_DELETE = EffectKind.DELETE
_CHANGES = frozenset({EffectKind.WRITE, _DELETE})


def see(
    policy: Policy,
    found: Analysed,
    facts: Facts,
    cwd: str,
    executor: Executor = Executor.OURS,
    *,
    hardened: bool = True,
    hushed: Container[tuple[str, ...]] = QUIET,
) -> tuple[Program | None, list[Seen]]:
    """The program of a command, and everything that it does.

    Args:
        policy: Says what is protected.
        found: The command.
        facts: What `agent_exec.policy.look` found.
        cwd: Where commands work that name no other directory.
        executor: Who would run it.
        hardened: Would it get the variables of `agent_exec.policy.git_harden`?
        hushed: Those of `agent_exec.policy.quiet` that would get its variables.
    """
    command, _, name, effects, _, n_own, plain, closed = found
    here = cwd if command.cwd is None else absolute(command.cwd, cwd)
    paths, entries, programs, has_plain_names, links, _ = facts
    program = None
    if command.argv and not command.builtin:
        program = programs.get(program_key(command.argv[0], here))
    left = len(effects) if n_own < 0 else n_own
    seen = []
    changes = []
    for effect in effects:
        left -= 1
        kind, path, _, _ = effect
        if path is None:
            seen.append(Seen(effect, (), None, left >= 0))
            continue
        named = absolute(path, here)
        if kind is _DELETE:
            real = entries.get(named, ())
        elif program is not None and named == program.path:
            real = (program.real,)
        else:
            real = paths.get(named, ())
        seen.append(_new(Seen, (effect, real, named, left >= 0)))
        if kind in _CHANGES:
            changes.append(seen[-1])
    if program is not None and program.distrusted is not None:
        because = f"{program.path} is run, and {program.distrusted}"
        effect = Effect(EffectKind.EXECUTE, program.path, because=because)
        seen.append(Seen(effect, (program.real,), program.path, own=True))
    elif program is None and executor is Executor.HOST and command.argv and not command.builtin:
        because = f"{command.argv[0]} is not where programs are looked up"
        seen.append(_without_path(EffectKind.UNKNOWN, because))
    for folder in plain:
        if not has_plain_names.get(absolute(folder, here), False):
            because = f"names of files beneath {folder} may be split into other words"
            seen.append(_without_path(EffectKind.UNKNOWN, because))
    for folder in closed:
        named = absolute(folder, here)
        leads = links.get(named, ())
        if not leads:
            because = f"links beneath {folder} may lead out of it"
            seen.append(_without_path(EffectKind.READ, because))
        elif len(leads) > 1:
            effect = Effect(EffectKind.READ, folder, because="links beneath it lead there")
            seen.append(Seen(effect, leads[1:], named, own=False))
    key = key_of(name)
    if key == GIT:
        seen += _run_by_git(found, facts, here, hardened=hardened)
    elif key in QUIET and key not in hushed and runs_nothing(found):
        because = f"{name[0]} may ask whom the directory or its maker names"
        seen.append(_without_path(EffectKind.NETWORK, because))
    for changed in changes:
        if any(is_protected(real, policy.protect, policy.worktree) for real in changed.real):
            because = f"{changed.effect.path} is run, or obeyed, by other programs later"
            seen.append(_without_path(EffectKind.EXECUTE, because))
    return program, seen


def here_of(found: Analysed, cwd: str) -> str:
    """Where a command works."""
    return cwd if found.command.cwd is None else absolute(found.command.cwd, cwd)


def _without_path(kind: EffectKind, because: str, *, own: bool = False) -> Seen:
    return Seen(Effect(kind, because=because), (), None, own)


def _run_by_git(found: Analysed, facts: Facts, here: str, *, hardened: bool) -> Iterator[Seen]:
    """What git may run because the configuration of a repository says so."""
    # Who allows a commit allows its hooks; who allows a status does not.
    own = any(effect.kind is EffectKind.EXECUTE for effect in found.effects)
    folder = git_folder(found, here)
    known = facts.git.get(folder)
    if known is None or known.problem is not None:
        problem = "nobody has looked at it" if known is None else known.problem
        yield _without_path(EffectKind.EXECUTE, f"git in {folder}: {problem}", own=own)
    elif not hardened and not all(map(is_harmless, known.keys)):
        because = f"git in {folder} may run what the configuration of the repository says"
        yield _without_path(EffectKind.EXECUTE, because, own=own)
