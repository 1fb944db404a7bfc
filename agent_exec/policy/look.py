"""The facts that a decision rests on: real paths, and what programs are. Reads, never writes."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Mapping, Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.eyes import Eyes
from agent_exec.policy.facts import (
    Facts,
    GitFacts,
    Program,
    absolute,
    program_key,
)
from agent_exec.policy.git_harden import git_folder, is_git
from agent_exec.policy.look_git import look_git
from agent_exec.policy.look_path import real_names, real_path
from agent_exec.policy.paths import is_beneath
from agent_exec.policy.policy import Trust

# What xargs splits at, or takes for quotes; also at every other blank of any locale.
_NOT_PLAIN = re.compile(r"[\s'\"\\]")
_MOST_NAMES = 50_000
_MOST_MATCHES = 4096
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_GLOB = re.compile(r"[*?\[]")
# Which characters one stands for depends on the locale of who expands it: any will do.
_BRACKETS = re.compile(r"\[[!^]?\]?[^\]/]*\]")


class LookSettings(NamedTuple):
    """What `look` goes by. Made once, by `make_settings`."""

    worktree: str
    """Absolute, without links."""
    folders: tuple[str, ...]
    """Where names of programs are looked up; none is in the worktree."""
    real_folders: Mapping[str, str]
    """Of each of these, the path without links."""
    chains: Mapping[str, tuple[str, ...]]
    """Of each of those, itself and every directory above it."""
    trust: Trust


def make_settings(path: Sequence[str], worktree: str, trust: Trust) -> LookSettings:
    """Those for calls in `worktree`.

    Args:
        path: Directories where names of programs are looked up. Those in the worktree are
            left out, for who works there could put any program there; unless all are, as
            where the worktree is the system.
        worktree: Absolute, without links.
        trust: When a program is what its name says.
    """
    folders = [folder for folder in path if os.path.isabs(folder)]
    outside = [each for each in folders if not is_beneath(os.path.realpath(each), worktree)]
    kept = outside or folders
    real = {folder: os.path.realpath(folder) for folder in kept}
    chains = {folder: _chain(folder) for folder in real.values()}
    return LookSettings(worktree, tuple(kept), real, chains, trust)


def look(
    analysed: Sequence[Analysed], settings: LookSettings, *, cwd: str, eyes: Eyes | None = None
) -> Facts:
    """Find out what `analysed` rests on. Never raises: what cannot be seen is not there.

    Args:
        analysed: The commands of one call.
        settings: Of the worktree and its policy.
        cwd: Absolute, without links; where commands work that name no other directory.
        eyes: What looks.
    """
    eyes = Eyes() if eyes is None else eyes
    paths: dict[str, tuple[str, ...]] = {}
    entries: dict[str, tuple[str, ...]] = {}
    programs: dict[str, Program | None] = {}
    plain: dict[str, bool] = {}
    links: dict[str, tuple[str, ...]] = {}
    git: dict[str, GitFacts] = {}
    for found in analysed:
        command = found.command
        here = cwd if command.cwd is None else absolute(command.cwd, cwd)
        for kind, path, *_ in found.effects:
            if path is not None:
                named = absolute(path, here)
                removed = kind is EffectKind.DELETE
                known = entries if removed else paths
                if named not in known:
                    # The kernel begins there, too: the child's directory is opened before.
                    start = cwd if here == cwd and not path.startswith("/") else "/"
                    known[named] = _all_real(named, start, eyes, itself=removed)
        for folder in found.plain:
            named = absolute(folder, here)
            if named not in plain:
                eyes.lose()
                plain[named] = _has_plain_names(named)
        for folder in found.closed:
            named = absolute(folder, here)
            if named not in links:
                eyes.lose()
                links[named] = _links(named)
        if is_git(found):
            folder = git_folder(found, here)
            if folder not in git:
                git[folder] = look_git(folder, eyes)
        if command.argv and not command.builtin:
            key = program_key(command.argv[0], here)
            if key not in programs:
                programs[key] = _program(command.argv[0], here, settings, eyes)
    return Facts(paths, entries, programs, plain, links, git)


def _links(named: str) -> tuple[str, ...]:
    try:
        return real_names(named)
    except (OSError, ValueError):
        return ()


def _all_real(named: str, start: str, eyes: Eyes, *, itself: bool) -> tuple[str, ...]:
    try:
        if _GLOB.search(named) is None:
            return (_real(named, start, eyes, itself=itself),)
        eyes.lose()
        # A file may also be called so.
        real = {_real(named, start, eyes, itself=itself): None}
        for match in glob.iglob(_BRACKETS.sub("?", named)):
            real[_real(match, start, eyes, itself=itself)] = None
            if len(real) > _MOST_MATCHES:
                return ()
        return tuple(real)
    except (OSError, ValueError, RecursionError, re.error):
        return ()


def _real(named: str, start: str, eyes: Eyes, *, itself: bool) -> str:
    if itself:
        # With a slash at the end the kernel follows a link.
        folder, _, name = named.rpartition("/")
        if name not in ("", ".", ".."):
            return f"{real_path(folder or '/', start, eyes).rstrip('/')}/{name}"
    return real_path(named, start, eyes)


def _has_plain_names(named: str) -> bool:
    """False also where there are too many to look at."""
    left = _MOST_NAMES
    if _NOT_PLAIN.search(named):
        return False
    for _folder, folders, files in os.walk(named):
        left -= len(folders) + len(files)
        if left < 0 or any(map(_NOT_PLAIN.search, (*folders, *files))):
            return False
    return True


def _program(name: str, cwd: str, settings: LookSettings, eyes: Eyes) -> Program | None:
    if "/" in name:
        return _at(absolute(name, cwd), None, settings, eyes)
    for folder in settings.folders:
        found = _at(f"{folder}/{name}", settings.real_folders[folder], settings, eyes)
        if found is not None:
            return found
    return None


def _at(candidate: str, folder: str | None, settings: LookSettings, eyes: Eyes) -> Program | None:
    """The program there, if there is one. `folder`: where it lies, if that is known."""
    try:
        # The first question, because most answers are no, and lstat would raise.
        if not eyes.may_execute(candidate):
            return None
        status = eyes.lstat(candidate)
        is_link = stat.S_ISLNK(status.st_mode)
        if is_link:
            status = eyes.stat(candidate)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    above, _, name = candidate.rpartition("/")
    if folder is None:
        folder = real_path(above or "/", eyes=eyes)
    real = (
        real_path(candidate, eyes=eyes)
        if is_link or name in ("", ".", "..")
        else f"{folder.rstrip('/')}/{name}"
    )
    return Program(candidate, real, _distrusted(folder, real, status, settings, eyes))


def _distrusted(
    folder: str, real: str, status: os.stat_result, settings: LookSettings, eyes: Eyes
) -> str | None:
    if is_beneath(real, settings.worktree):
        return "it lies in the worktree"
    if folder not in settings.chains:
        return "it lies where no programs are looked up"
    trust = settings.trust
    because = _distrusted_place(real, status, trust)
    if because is not None:
        return because
    above = real[: real.rfind("/")] or "/"
    # Whoever may write one of these may put another program there.
    chain = settings.chains.get(above) or _chain(above)
    try:
        for place in chain if above == folder else (*chain, *settings.chains[folder]):
            seen = eyes.stat(place)
            if seen.st_uid in trust.owners and not seen.st_mode & _OTHERS_MAY_WRITE:
                continue
            because = _distrusted_place(place, seen, trust)
            if because is not None:
                return because
    except OSError:
        return f"{place} cannot be looked at"
    return None


def _distrusted_place(place: str, seen: os.stat_result, trust: Trust) -> str | None:
    if seen.st_uid not in trust.owners:
        return f"{place} belongs to user {seen.st_uid}"
    mode = seen.st_mode
    if not mode & _OTHERS_MAY_WRITE or trust.others_may_write:
        return None
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        # There nobody may replace what belongs to another, as in /tmp.
        return None
    return f"others than its owner may write {place}"


def _chain(folder: str) -> tuple[str, ...]:
    """`folder` and every directory above it."""
    chain = [folder]
    while chain[-1] != "/":
        chain.append(os.path.dirname(chain[-1]))
    return tuple(chain)
