"""The facts that a decision rests on: real paths, and what programs are. Reads, never writes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.policy.facts import Facts, GitFacts, Program, program_key
from agent_exec.policy.look_git import look_git
from agent_exec.policy.policy import Trust

# What xargs splits at, or takes for quotes; also at every other blank of any locale.
_NOT_PLAIN = re.compile(r"[\s'\"\\]")
_MOST_NAMES = 50_000
_GLOB = re.compile(r"[*?\[]")


def look(
    analysed: Sequence[Analysed], *, cwd: str, worktree: str, path: Sequence[str], trust: Trust
) -> Facts:
    """Find out what `analysed` rests on. Never raises: what cannot be seen is not there.

    Args:
        analysed: The commands of one call.
        cwd: Absolute; where commands work that name no other directory.
        worktree: Absolute, without links; no program is looked up in it.
        path: Directories where names of programs are looked up.
        trust: When a program is what its name says.
    """
    paths: dict[str, str] = {}
    programs: dict[str, Program | None] = {}
    plain: dict[str, bool] = {}
    git: dict[str, GitFacts] = {}
    for found in analysed:
        command = found.command
        here = cwd if command.cwd is None else os.path.join(cwd, command.cwd)
        for effect in found.effects:
            if effect.path is not None:
                named = absolute(effect.path, here)
                if named not in paths:
                    paths[named] = _real(named, itself=effect.kind is EffectKind.DELETE)
        for folder in found.plain:
            named = absolute(folder, here)
            if named not in plain:
                plain[named] = _has_plain_names(named)
        if found.name[:1] == ("git",):
            for folder in git_folders(found, here):
                if folder not in git:
                    git[folder] = look_git(folder)
        if command.argv and not command.builtin:
            key = program_key(command.argv[0], here)
            if key not in programs:
                programs[key] = _program(command.argv[0], here, worktree, path, trust)
    return Facts(paths, programs, plain, git)


def absolute(path: str, cwd: str) -> str:
    """As `Facts.paths` has it: `path` as it was named, made absolute, dots and links kept."""
    return os.path.join(cwd, path)


def git_folders(found: Analysed, here: str) -> tuple[str, ...]:
    """Where a call of git works: the directories of its ``-C``, one after the other."""
    folder = here
    words = iter(found.command.argv[1 : found.rest])
    for word in words:
        if word == "-C":
            folder = absolute(next(words, ""), folder)
        elif word.startswith("-C"):
            folder = absolute(word[2:], folder)
    return (folder,)


def _real(named: str, *, itself: bool) -> str:
    glob = _GLOB.search(named)
    if glob is not None:
        # Beneath the last directory that is named in full.
        return os.path.realpath(named[: glob.start()].rpartition("/")[0] or "/")
    if itself:
        folder, _, name = named.rstrip("/").rpartition("/")
        if name not in ("", ".", ".."):
            return os.path.join(os.path.realpath(folder or "/"), name)
    return os.path.realpath(named)


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


def _program(
    name: str, cwd: str, worktree: str, path: Sequence[str], trust: Trust
) -> Program | None:
    folders = [folder for folder in path if os.path.isabs(folder)]
    candidates: Iterable[str]
    if "/" in name:
        candidates = [os.path.join(cwd, name)]
    else:
        candidates = (f"{folder}/{name}" for folder in folders)
    for candidate in candidates:
        try:
            status = os.stat(candidate)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode) and os.access(candidate, os.X_OK):
            real = os.path.realpath(candidate)
            return Program(
                candidate, real, _distrusted(name, real, status, worktree, folders, trust)
            )
    return None


def _distrusted(
    name: str,
    real: str,
    status: os.stat_result,
    worktree: str,
    folders: Sequence[str],
    trust: Trust,
) -> str | None:
    if _is_beneath(real, worktree):
        return "it lies in the worktree"
    if "/" in name and not any(_is_beneath(real, os.path.realpath(each)) for each in folders):
        return "it lies where no programs are looked up"
    for place, seen in ((real, status), *_folders_of(real)):
        if seen is None:
            return f"{place} cannot be looked at"
        if seen.st_uid not in trust.owners:
            return f"{place} belongs to user {seen.st_uid}"
        others = stat.S_IMODE(seen.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
        if others and not trust.others_may_write:
            return f"others than its owner may write {place}"
    return None


def _folders_of(real: str) -> Iterator[tuple[str, os.stat_result | None]]:
    """Whoever may write one of these may put another program there."""
    folder = os.path.dirname(real)
    while True:
        try:
            yield folder, os.stat(folder)
        except OSError:
            yield folder, None
        if folder == "/":
            return
        folder = os.path.dirname(folder)


def _is_beneath(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
