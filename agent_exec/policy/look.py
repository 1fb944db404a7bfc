"""The facts that a decision rests on: real paths, and what programs are. Reads, never writes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.named_tuple import new as _new
from agent_exec.policy.eyes import Eyes
from agent_exec.policy.facts import Facts, GitFacts, Program, absolute, program_key
from agent_exec.policy.git_harden import GIT, git_folder
from agent_exec.policy.look_git import look_git
from agent_exec.policy.look_path import real_names, real_path
from agent_exec.policy.look_program import Programs
from agent_exec.regex import regex

# What xargs splits at, or takes for quotes; also at every other blank of any locale.
_NOT_PLAIN = regex(r"[\s'\"\\]")
_DELETE = EffectKind.DELETE
_MOST_NAMES = 50_000
_MOST_MATCHES = 4096
# Which characters one stands for depends on the locale of who expands it: any will do.
_BRACKETS = regex(r"\[[!^]?\]?[^\]/]*\]")


def look(
    analysed: Sequence[Analysed], known: Programs, *, cwd: str, eyes: Eyes | None = None
) -> Facts:
    """Find out what `analysed` rests on. Never raises: what cannot be seen is not there.

    Args:
        analysed: The commands of one call.
        known: Those of the worktree and its policy.
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
        command, _, name, effects, _, _, plain_below, closed_below = found
        here = cwd if command.cwd is None else absolute(command.cwd, cwd)
        # The kernel begins there, too: the child's directory is opened before.
        seen = cwd if here == cwd else "/"
        for kind, path, _, _ in effects:
            if path is not None:
                named = absolute(path, here)
                removed = kind is _DELETE
                kept = entries if removed else paths
                if named not in kept:
                    start = "/" if path[:1] == "/" else seen
                    kept[named] = _all_real(named, start, eyes, itself=removed)
        for folder in plain_below:
            named = absolute(folder, here)
            if named not in plain:
                eyes.lose()
                plain[named] = _has_plain_names(named)
        for folder in closed_below:
            named = absolute(folder, here)
            if named not in links:
                eyes.lose()
                links[named] = _links(named)
        if name[:1] == GIT:
            folder = git_folder(found, here)
            if folder not in git:
                git[folder] = look_git(folder, eyes)
        if command.argv and not command.builtin:
            first = command.argv[0]
            key = program_key(first, here)
            if key not in programs:
                programs[key] = known.find(first, here, eyes)
    return _new(Facts, (paths, entries, programs, plain, links, git))


def _links(named: str) -> tuple[str, ...]:
    try:
        return real_names(named)
    except (OSError, ValueError):
        return ()


def _all_real(named: str, start: str, eyes: Eyes, *, itself: bool) -> tuple[str, ...]:
    try:
        if not ("*" in named or "?" in named or "[" in named):
            if itself:
                return (_real(named, start, eyes, itself=True),)
            return (real_path(named, start, eyes),)
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
