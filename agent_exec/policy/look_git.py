"""What the repository that a git command works in would have it run. Reads, never writes.

Finds the repository as git does; where git might find another, that is a problem. Reads what
the repository sets, and the repositories inside it do, which git visits with their own
configuration. What the user or the system sets is trusted as programs are.

Source: gitrepository-layout(5); git's setup.c, is_git_directory() and
setup_git_directory_gently_1().
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from agent_exec.policy import git_config, git_index
from agent_exec.policy.eyes import Eyes
from agent_exec.policy.facts import GitFacts
from agent_exec.policy.git_keys import is_answered, names_a_file
from agent_exec.regex import regex

_MOST_LEVELS = 100
_MOST_REPOSITORIES = 200
_HEAD = regex(rb"ref:\s*refs/|[0-9a-f]{40}")
_EXPANDED = ("~", "%", ":")
"""What paths in a configuration begin with that are not what they say."""
_OBJECT_FORMAT = "extensions.objectformat"
_HASH_SIZES = {"sha1": 20, "sha256": 32}


class _UnclearError(Exception):
    """The reason is its message."""


def look_git(cwd: str, eyes: Eyes | None = None) -> GitFacts:
    """The facts for a command in `cwd` (absolute), as `eyes` see them. Never raises."""
    eyes = Eyes() if eyes is None else eyes
    try:
        found = _find(eyes.realpath(cwd), eyes)
        keys = {} if found is None else dict.fromkeys(_keys(*found, eyes))
    except _UnclearError as reason:
        return GitFacts((), str(reason))
    except (OSError, ValueError) as error:
        return GitFacts((), f"the repository cannot be looked at: {error}")
    return GitFacts(tuple(keys), None)


def _find(folder: str, eyes: Eyes) -> tuple[str, str] | None:
    """The work tree and the directory of its repository."""
    for _ in range(_MOST_LEVELS):
        repository = _repository_of(folder, eyes)
        if repository is not None:
            return folder, repository
        if _looks_bare(folder, eyes):
            raise _UnclearError(f"{folder} looks like a repository without a work tree")
        if folder == "/":
            return None
        folder = os.path.dirname(folder)
    raise _UnclearError("too many directories above")


def _repository_of(folder: str, eyes: Eyes) -> str | None:
    """What ``.git`` in `folder` is or leads to."""
    place = f"{folder}/.git"
    try:
        status = eyes.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        if eyes.is_there(place):
            raise _UnclearError(f"{place} leads nowhere") from None
        return None
    if stat.S_ISDIR(status.mode):
        repository = place
    else:
        text = _read(place, git_config.MOST_BYTES, eyes)
        if not text.startswith(b"gitdir: "):
            raise _UnclearError(f"{place} is no link to a repository")
        target = os.fsdecode(text.removeprefix(b"gitdir: ").rstrip(b"\r\n"))
        repository = os.path.join(folder, target)
    if not _is_repository(repository, eyes):
        raise _UnclearError(f"{place} is no repository that we understand")
    return eyes.realpath(repository)


def _is_repository(folder: str, eyes: Eyes) -> bool:
    common = _common(folder, eyes)
    if not all(eyes.may_execute(f"{common}/{name}") for name in ("objects", "refs")):
        return False
    head = f"{folder}/HEAD"
    try:
        mode = eyes.lstat(head).mode
    except OSError:
        return False
    if stat.S_ISLNK(mode):
        return (eyes.link(head) or "").startswith("refs/")
    return stat.S_ISREG(mode) and _HEAD.match(_read(head, 4096, eyes)) is not None


def _looks_bare(folder: str, eyes: Eyes) -> bool:
    if not eyes.is_there(f"{folder}/HEAD"):
        return False
    has_objects = eyes.is_there(f"{folder}/objects") and eyes.is_there(f"{folder}/refs")
    return has_objects or eyes.is_there(f"{folder}/commondir")


def _common(repository: str, eyes: Eyes) -> str:
    file = f"{repository}/commondir"
    if not eyes.is_there(file):
        return repository
    return os.path.join(repository, os.fsdecode(_read(file, 4096, eyes).rstrip(b"\r\n")))


def _keys(folder: str, repository: str, eyes: Eyes) -> Iterator[str]:
    """Of a repository, and of those that its index names."""
    waiting = [(folder, repository)]
    seen: set[str] = set()
    while waiting:
        folder, repository = waiting.pop()
        if repository in seen:
            continue
        seen.add(repository)
        if len(seen) > _MOST_REPOSITORIES:
            raise _UnclearError("too many repositories inside the repository")
        hash_size = _HASH_SIZES["sha1"]
        for file, key, value in _settings(repository, eyes):
            _check(file, key, value, folder, repository, eyes)
            if key == _OBJECT_FORMAT:
                hash_size = _HASH_SIZES.get(value.lower(), 0)
            yield key
        for path in _inner(repository, hash_size, eyes):
            inner = os.path.join(folder, os.fsdecode(path))
            found = _repository_of(inner, eyes)
            if found is not None:
                waiting.append((inner, found))


def _settings(repository: str, eyes: Eyes) -> Iterator[tuple[str, str, str]]:
    """(file, key, value) of everything that the files of a repository set."""
    for file in (f"{_common(repository, eyes)}/config", f"{repository}/config.worktree"):
        if not eyes.is_there(file):
            continue
        text = _read(file, git_config.MOST_BYTES, eyes).decode("utf-8", "surrogateescape")
        found = git_config.read_config(text)
        if found is None:
            raise _UnclearError(f"{file} is no configuration that we understand")
        for key, value in found:
            yield file, key, value


def _check(file: str, key: str, value: str, folder: str, repository: str, eyes: Eyes) -> None:
    """Complain of a setting that a hardened command may obey, to our harm."""
    if key == "core.worktree":
        # Of a submodule: it leads back to where the command works.
        fine = eyes.realpath(os.path.join(repository, value)) == eyes.realpath(folder)
    elif names_a_file(key):
        top = eyes.realpath(folder)
        inside = eyes.realpath(os.path.join(top, value)).startswith(f"{top}/")
        fine = inside and value[0] not in _EXPANDED
    elif key == "diff.submodule":
        fine = value != "diff"  # which starts another git in each of them
    else:
        fine = is_answered(key)
    if not fine:
        raise _UnclearError(f"{file} sets {key}, which may run or read something else")


def _inner(repository: str, hash_size: int, eyes: Eyes) -> tuple[bytes, ...]:
    file = f"{repository}/index"
    if not eyes.is_there(file):
        return ()
    content = _read(file, git_index.MOST_BYTES, eyes)
    # An index may be in two files, or name directories of which it does not say what is in them.
    if b"link" in content:
        eyes.lose()
        if any(name.startswith("sharedindex.") for name in os.listdir(repository)):
            raise _UnclearError(f"{file} is split")
    links = git_index.inner_repositories(content, hash_size=hash_size)
    if links is None:
        raise _UnclearError(f"{file} is no index that we understand")
    return links


def _read(file: str, most: int, eyes: Eyes) -> bytes:
    """All of a regular file. One that is no file would keep us waiting."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        eyes.lose()
        raise
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        eyes.opened(file, status)
        if not stat.S_ISREG(status.st_mode):
            raise _UnclearError(f"{file} is no regular file")
        content = opened.read(most + 1)
    if len(content) > most:
        raise _UnclearError(f"{file} is too large")
    return content
