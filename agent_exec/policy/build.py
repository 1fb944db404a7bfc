"""A merged policy to the one that is applied, for one worktree and one user."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.model.decision import Verdict
from agent_exec.model.effect import EffectKind
from agent_exec.policy.outputs import outputs_folder
from agent_exec.policy.paths import make_path_set, normal
from agent_exec.policy.policy import (
    Environment,
    Limits,
    Pattern,
    Policy,
    Rule,
    SessionLimits,
    Templates,
    Trust,
)
from agent_exec.policy.sandbox import build_sandbox

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/opt",
    "/etc/os-release",
    "/etc/alternatives",
)
_INHERITED_PATH = "inherit"
_TOOLCHAINS = ("~/.cargo", "~/.rustup", "~/.pyenv", "~/.nvm", "~/.local", "~/go", "~/.cache")


def build(
    name: str,
    merged: Mapping[str, Any],
    *,
    worktree: str,
    environ: Mapping[str, str],
    network_said: str = "sandbox.network",
) -> Policy:
    """The policy `merged`.

    Args:
        name: Of its file, for messages.
        merged: See `agent_exec.policy.merge`.
        worktree: Absolute, without links.
        environ: Ours: its PATH is that of a policy which inherits it.
        network_said: Where ``sandbox.network`` stands, for messages.

    Raises:
        PolicyError: A user that it names does not exist here.
    """
    named = _named_roots(worktree, environ)
    rules = [_rule(rule, named) for rule in merged["rules"]]
    route, programs, env = merged["route"], merged["programs"], merged["env"]
    limits, templates = merged["limits"], merged["templates"]
    default = Verdict(merged["default"])
    return Policy(
        name=name,
        default=default,
        allows=tuple(rule for rule in rules if rule.verdict is Verdict.ALLOW),
        tightens=tuple(rule for rule in rules if rule.verdict is not Verdict.ALLOW),
        shell=Verdict.DENY if route["shell"] == "never" else Verdict(route["verdict"]),
        always_shell=route["shell"] == "always",
        shell_program=route["program"],
        launcher=merged["launcher"],
        path=_search_path(programs["path"], environ),
        trust=Trust(
            frozenset(_user(owner, name) for owner in programs["trust"]["owners"]),
            others_may_write=programs["trust"]["writable_by"] == "anybody",
        ),
        environment=Environment(
            tuple(env["inherit"]), tuple(env["set"].items()), tuple(env["from_call"])
        ),
        limits=Limits(
            timeout_s=float(limits["timeout_s"]),
            max_timeout_s=float(limits["max_timeout_s"]),
            output_bytes=limits["output_bytes"],
            concurrent=limits["concurrent"],
            processes=_number(limits["processes"]),
            memory_mib=_number(limits["memory_mib"]),
            file_mib=_number(limits["file_mib"]),
            open_files=_number(limits["open_files"]),
        ),
        templates=Templates(
            templates["hot_after"],
            templates["max_per_worktree"],
            templates["on_update"],
            templates["deny_write"],
        ),
        sessions=SessionLimits(merged["sessions"]["max"], float(merged["sessions"]["idle_s"])),
        survivors=merged["processes"]["survivors"],
        worktree=worktree,
        sandbox=build_sandbox(merged["sandbox"], named, worktree=worktree, said=network_said),
        protect=tuple(merged["sandbox"]["protect"]),
        redact=tuple(merged["redact"]),
        keep_days=merged["audit"]["keep_days"],
    )


def _number(value: int | str) -> int | None:
    return None if isinstance(value, str) else value


def _search_path(words: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    folders: list[str] = []
    for word in words:
        inherited = environ.get("PATH", os.defpath).split(os.pathsep)
        folders += filter(os.path.isabs, inherited) if word == _INHERITED_PATH else [word]
    return tuple(folders)


def _named_roots(worktree: str, environ: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    home = os.path.expanduser("~")
    tmp = {os.path.realpath(folder) for folder in ("/tmp", "/var/tmp")}
    return {
        "worktree": (worktree,),
        # Outputs were shown to whoever reads them there, but for what was left out.
        "system": _real((*_SYSTEM, outputs_folder(environ, worktree))),
        "tmp": tuple(sorted(tmp)),
        "toolchains": _real(os.path.expanduser(folder) for folder in _TOOLCHAINS),
        "home": (os.path.realpath(home),),
    }


def _real(folders: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(os.path.realpath, folders)))


def _rule(source: Mapping[str, Any], named: Mapping[str, tuple[str, ...]]) -> Rule:
    effects, paths, command = source.get("effects"), source.get("paths"), source.get("command")
    return Rule(
        source["id"],
        Verdict(source["verdict"]),
        source["because"],
        None if effects is None else frozenset(map(EffectKind, effects)),
        None if paths is None else make_path_set(map(_expanded, paths), named),
        None if command is None else _pattern(command, named["worktree"][0]),
    )


def _pattern(command: Sequence[str | list[str]], worktree: str) -> Pattern:
    first, *rest = [frozenset([each] if isinstance(each, str) else each) for each in command]
    # A program that is named by a path: relative to the worktree, as found, and without links.
    named = {_program_path(name, worktree) for name in first if "/" in name}
    real = {os.path.realpath(name) for name in named}
    return (first | named | real, *rest)


def _program_path(name: str, worktree: str) -> str:
    return normal(os.path.join(worktree, os.path.expanduser(name)))


def _expanded(word: str) -> str:
    if word.startswith("~"):
        word = os.path.expanduser(word)
    return os.path.realpath(word) if word.startswith("/") else word


def _user(owner: str | int, name: str) -> int:
    if owner == "self":
        return os.geteuid()
    if isinstance(owner, int):
        return owner
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise PolicyError(f"{name}: programs.trust.owners: there is no user {owner}") from None
