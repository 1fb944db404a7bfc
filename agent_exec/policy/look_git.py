"""What the repository that a git command works in would have it run. Reads, never writes.

Finds the repository as git does; where git might find another, that is a problem. Reads what
the repository sets, and the repositories inside it do, which git visits with their own
configuration. What the user or the system sets is trusted as programs are.

Source: gitrepository-layout(5); git's setup.c, is_git_directory() and
setup_git_directory_gently_1().
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from agent_exec.policy import git_config, git_index
from agent_exec.policy.facts import GitFacts
from agent_exec.policy.git_keys import is_answered, names_a_file

_MOST_LEVELS = 100
_MOST_REPOSITORIES = 200
_HEAD = re.compile(rb"ref:\s*refs/|[0-9a-f]{40}")
_EXPANDED = ("~", "%", ":")
"""What paths in a configuration begin with that are not what they say."""
_OBJECT_FORMAT = "extensions.objectformat"
_HASH_SIZES = {"sha1": 20, "sha256": 32}


class _UnclearError(Exception):
    """The reason is its message."""


def look_git(cwd: str) -> GitFacts:
    """The facts for a command in `cwd` (absolute). Never raises."""
    try:
        found = _find(os.path.realpath(cwd))
        keys = {} if found is None else dict.fromkeys(_keys(*found))
    except _UnclearError as reason:
        return GitFacts((), str(reason))
    except (OSError, ValueError) as error:
        return GitFacts((), f"the repository cannot be looked at: {error}")
    return GitFacts(tuple(keys), None)


def _find(folder: str) -> tuple[str, str] | None:
    """The work tree and the directory of its repository."""
    for _ in range(_MOST_LEVELS):
        repository = _repository_of(folder)
        if repository is not None:
            return folder, repository
        if _looks_bare(folder):
            raise _UnclearError(f"{folder} looks like a repository without a work tree")
        if folder == "/":
            return None
        folder = os.path.dirname(folder)
    raise _UnclearError("too many directories above")


def _repository_of(folder: str) -> str | None:
    """What ``.git`` in `folder` is or leads to."""
    place = f"{folder}/.git"
    try:
        status = os.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.lexists(place):
            raise _UnclearError(f"{place} leads nowhere") from None
        return None
    if stat.S_ISDIR(status.st_mode):
        repository = place
    else:
        text = _read(place, git_config.MOST_BYTES)
        if not text.startswith(b"gitdir: "):
            raise _UnclearError(f"{place} is no link to a repository")
        target = os.fsdecode(text.removeprefix(b"gitdir: ").rstrip(b"\r\n"))
        repository = os.path.join(folder, target)
    if not _is_repository(repository):
        raise _UnclearError(f"{place} is no repository that we understand")
    return os.path.realpath(repository)


def _is_repository(folder: str) -> bool:
    common = _common(folder)
    if not all(os.access(f"{common}/{name}", os.X_OK) for name in ("objects", "refs")):
        return False
    head = f"{folder}/HEAD"
    if os.path.islink(head):
        return os.readlink(head).startswith("refs/")
    return os.path.isfile(head) and _HEAD.match(_read(head, 4096)) is not None


def _looks_bare(folder: str) -> bool:
    if not os.path.lexists(f"{folder}/HEAD"):
        return False
    has_objects = os.path.lexists(f"{folder}/objects") and os.path.lexists(f"{folder}/refs")
    return has_objects or os.path.lexists(f"{folder}/commondir")


def _common(repository: str) -> str:
    file = f"{repository}/commondir"
    if not os.path.lexists(file):
        return repository
    return os.path.join(repository, os.fsdecode(_read(file, 4096).rstrip(b"\r\n")))


def _keys(folder: str, repository: str) -> Iterator[str]:
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
        for file, key, value in _settings(repository):
            _check(file, key, value, folder, repository)
            if key == _OBJECT_FORMAT:
                hash_size = _HASH_SIZES.get(value.lower(), 0)
            yield key
        for path in _inner(repository, hash_size):
            inner = os.path.join(folder, os.fsdecode(path))
            found = _repository_of(inner)
            if found is not None:
                waiting.append((inner, found))


def _settings(repository: str) -> Iterator[tuple[str, str, str]]:
    """(file, key, value) of everything that the files of a repository set."""
    for file in (f"{_common(repository)}/config", f"{repository}/config.worktree"):
        if not os.path.lexists(file):
            continue
        text = _read(file, git_config.MOST_BYTES).decode("utf-8", "surrogateescape")
        found = git_config.read_config(text)
        if found is None:
            raise _UnclearError(f"{file} is no configuration that we understand")
        for key, value in found:
            yield file, key, value


def _check(file: str, key: str, value: str, folder: str, repository: str) -> None:
    """Complain of a setting that a hardened command may obey, to our harm."""
    if key == "core.worktree":
        # Of a submodule: it leads back to where the command works.
        fine = os.path.realpath(os.path.join(repository, value)) == os.path.realpath(folder)
    elif names_a_file(key):
        top = os.path.realpath(folder)
        inside = os.path.realpath(os.path.join(top, value)).startswith(f"{top}/")
        fine = inside and value[0] not in _EXPANDED
    elif key == "diff.submodule":
        fine = value != "diff"  # which starts another git in each of them
    else:
        fine = is_answered(key)
    if not fine:
        raise _UnclearError(f"{file} sets {key}, which may run or read something else")


def _inner(repository: str, hash_size: int) -> tuple[bytes, ...]:
    file = f"{repository}/index"
    if not os.path.lexists(file):
        return ()
    content = _read(file, git_index.MOST_BYTES)
    # An index may be in two files, or name directories of which it does not say what is in them.
    if b"link" in content and any(n.startswith("sharedindex.") for n in os.listdir(repository)):
        raise _UnclearError(f"{file} is split")
    links = git_index.inner_repositories(content, hash_size=hash_size)
    if links is None:
        raise _UnclearError(f"{file} is no index that we understand")
    return links


def _read(file: str, most: int) -> bytes:
    """All of a regular file. One that is no file would keep us waiting."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _UnclearError(f"{file} is no regular file")
        content = opened.read(most + 1)
    if len(content) > most:
        raise _UnclearError(f"{file} is too large")
    return content
