"""What the repository that a git command works in would have it run. Reads, never writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent_exec.policy.facts import GitFacts
from agent_exec.policy.git_config import MOST_BYTES, read_config
from agent_exec.policy.git_keys import is_answered

_MOST_LEVELS = 100
_MOST_MODULES = 200


class _UnreadableError(Exception):
    """The reason is its message."""


def look_git(cwd: str) -> GitFacts:
    """The facts for a command in `cwd` (absolute). Never raises."""
    try:
        return _facts(cwd)
    except _UnreadableError as reason:
        return GitFacts((), str(reason))
    except (OSError, ValueError) as error:
        return GitFacts((), f"the repository cannot be looked at: {error}")


def _facts(cwd: str) -> GitFacts:
    found = _git_dir(os.path.realpath(cwd))
    if found is None:
        return GitFacts((), None)
    git_dir, by_file = found
    common = _common(git_dir)
    keys: dict[str, None] = {}
    for file in _configurations(git_dir, common):
        for key, _ in _read(file):
            if by_file and key == "core.worktree":
                continue  # of a submodule: where we come from
            if not is_answered(key):
                raise _UnreadableError(f"{file} sets {key}, which may run something")
            keys[key] = None
    return GitFacts(tuple(keys), None)


def _git_dir(folder: str) -> tuple[str, bool] | None:
    """The directory of the repository, and whether a ``.git`` file led to it."""
    for _ in range(_MOST_LEVELS):
        place = os.path.join(folder, ".git")
        if os.path.isdir(place):
            return os.path.realpath(place), False
        if os.path.isfile(place):
            return _linked(place, folder), True
        if os.path.isfile(f"{folder}/HEAD") and os.path.isdir(f"{folder}/objects"):
            raise _UnreadableError(f"{folder} is a bare repository")
        if folder == "/":
            return None
        folder = os.path.dirname(folder)
    raise _UnreadableError("too many directories above")


def _linked(file: str, folder: str) -> str:
    text = _text(file)
    if not text.startswith("gitdir:"):
        raise _UnreadableError(f"{file} is no link to a repository")
    return os.path.realpath(os.path.join(folder, text.removeprefix("gitdir:").strip()))


def _common(git_dir: str) -> str:
    file = f"{git_dir}/commondir"
    if not os.path.isfile(file):
        return git_dir
    return os.path.realpath(os.path.join(git_dir, _text(file).strip()))


def _configurations(git_dir: str, common: str) -> Iterator[str]:
    """Of the repository, of its work tree, and of the submodules that status looks into."""
    for file in dict.fromkeys((f"{common}/config", f"{git_dir}/config.worktree")):
        if os.path.lexists(file):
            yield file
    modules = f"{common}/modules"
    if os.path.isdir(modules):
        for count, (folder, folders, files) in enumerate(os.walk(modules)):
            if count > _MOST_MODULES:
                raise _UnreadableError("too many submodules")
            if "HEAD" in files and "config" in files:
                yield f"{folder}/config"
                folders[:] = [name for name in folders if name == "modules"]


def _read(file: str) -> tuple[tuple[str, str], ...]:
    found = read_config(_text(file))
    if found is None:
        raise _UnreadableError(f"{file} is no configuration that we understand")
    if "/modules/" in file:
        return tuple(each for each in found if each[0] != "core.worktree")
    return found


def _text(file: str) -> str:
    with Path(file).open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _UnreadableError(f"{file} is too large")
    return content.decode("utf-8", "surrogateescape")
