"""The file of what was approved for good, of one worktree. Never in the worktree itself."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.homes import state_home
from agent_exec.model.decision import Decision
from agent_exec.model.plan import Identity
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.outputs import folder_name
from agent_exec.policy.paths import is_beneath
from agent_exec.runtime.approvals.basis import Basis
from agent_exec.runtime.approvals.pattern import Wide, covered_by

_VERSION = 1
_MOST_BYTES = 16 * 1024 * 1024
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_HEAD = """\
# What runs in this worktree without being asked about again. You may edit this file, or remove
# entries (`agent-exec approvals forget ID`). An entry of `approved` stands for exactly one call,
# with the files that it had; one of `patterns` for every command that begins with its words and
# does no more, beneath its directories. Neither lifts what the policy denies. Comments of yours
# are lost when something is added.
"""


class Remembered(NamedTuple):
    """One entry."""

    id: str
    at: str
    """When: UTC, ISO 8601."""
    shown: str
    """For people."""
    basis: Mapping[str, Any] | None = None
    """Of an exact one: `Basis.to_json`."""
    wide: Wide | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        shown: dict[str, Any] = {"id": self.id, "at": self.at, "shown": self.shown}
        if self.wide is None:
            return shown | {"basis": self.basis}
        does = {kind: list(folders) for kind, folders in self.wide.does.items()}
        rules = list(self.wide.rules)
        return shown | {"words": list(self.wide.words), "does": does, "rules": rules}


class Memory:
    """What was approved for good in one worktree. Safe from any thread and process.

    Args:
        folder: Where the files of all worktrees are.
        worktree: Absolute, without links.
    """

    def __init__(self, folder: str, worktree: str) -> None:
        self.path = os.path.join(folder, f"{folder_name(worktree)}.yaml")
        self._folder = folder
        self._worktree = worktree
        self._read: tuple[object, tuple[Remembered, ...]] = (None, ())

    def covers(self, basis: Basis, decision: Decision) -> bool:
        """Was this call, with these files, or all of its commands, approved for good?

        Raises:
            PolicyError: The file cannot be read, or is not what it should be.
        """
        entries = self.entries()
        if not entries:
            return False
        wanted = basis.to_json()
        if any(entry.basis == wanted for entry in entries):
            return True
        wide = [entry.wide for entry in entries if entry.wide is not None]
        return covered_by(wide, decision, basis.cwd)

    def entries(self) -> tuple[Remembered, ...]:
        """All, the oldest first. Raises as `covers`."""
        return self._load(self._read)

    def _load(self, known: tuple[object, tuple[Remembered, ...]]) -> tuple[Remembered, ...]:
        key, text = self._contents(known[0])
        if text is None:
            return known[1] if key is not None else ()
        found = _parsed(text, self.path)
        self._read = (key, found)
        return found

    def remember(self, entry: Remembered) -> None:
        """Add an entry, for ever. Raises as `covers`."""
        self._change(lambda entries: (*entries, entry))

    def forget(self, id_: str) -> bool:
        """Remove an entry; False when there is none. Raises as `covers`."""
        gone = False

        def without(entries: tuple[Remembered, ...]) -> tuple[Remembered, ...]:
            nonlocal gone
            kept = tuple([entry for entry in entries if entry.id != id_])
            gone = len(kept) < len(entries)
            return kept

        self._change(without)
        return gone

    def _change(self, made: Callable[[tuple[Remembered, ...]], tuple[Remembered, ...]]) -> None:
        self._check_place()
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            self._check_folder()
            with _locked(f"{self.path}.lock"):
                # Not as it was known: within a tick of the clock two files may look the same.
                before = self._load((None, ()))
                after = made(before)
                if after != before:
                    self._write(after)
        except OSError as error:
            raise PolicyError(f"{self.path}: {error.strerror}") from None

    def _write(self, entries: tuple[Remembered, ...]) -> None:
        import yaml  # noqa: PLC0415 - most calls need none

        content = {
            "version": _VERSION,
            "worktree": self._worktree,
            "approved": [each.to_json() for each in entries if each.wide is None],
            "patterns": [each.to_json() for each in entries if each.wide is not None],
        }
        text = _HEAD + yaml.safe_dump(content, sort_keys=False, width=100)
        new = f"{self.path}.{os.urandom(4).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with open(os.open(new, flags, 0o600), "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(new)
            raise

    def _contents(self, known: object) -> tuple[object, bytes | None]:
        """What tells this file from another, and what is in it; None: it is the `known` one.

        The first is None where there is none.
        """
        self._check_place()
        try:
            self._check_folder()
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise PolicyError(f"{self.path}: {error.strerror}") from None
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise PolicyError(f"{self.path} is no file of ours; remove it")
            if status.st_mode & _OTHERS_WRITE:
                raise PolicyError(f"others may write {self.path}: chmod 600 it")
            key = Identity.of(status)
            if key == known:
                return key, None
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise PolicyError(f"{self.path} is larger than {_MOST_BYTES} bytes")
        return key, text

    def _check_place(self) -> None:
        # Before reading, too: a call that may write the worktree could have made the file.
        if is_beneath(os.path.realpath(self._folder), self._worktree):
            raise PolicyError(
                f"{self.path} lies in the worktree, where a call could write it; "
                "set XDG_STATE_HOME to a directory outside"
            )

    def _check_folder(self) -> None:
        """Who may write it could put another file there. Raises OSError where there is none."""
        status = os.lstat(self._folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PolicyError(f"{self._folder} is no directory of ours; remove it")
        if status.st_mode & _OTHERS_WRITE:
            raise PolicyError(f"others may write {self._folder}: chmod 700 it")


def new_entry(shown: str, *, basis: Basis | None = None, wide: Wide | None = None) -> Remembered:
    """An entry of now."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Remembered(
        os.urandom(4).hex(), at, shown, None if basis is None else basis.to_json(), wide
    )


def approvals_folder(environ: Mapping[str, str]) -> str:
    """``agent_exec/approvals`` beneath the XDG state directory."""
    return os.path.join(state_home(environ), "agent_exec", "approvals")


def _parsed(text: bytes, path: str) -> tuple[Remembered, ...]:
    import yaml  # noqa: PLC0415 - most calls need none

    try:
        content = yaml.safe_load(text)
        if content is None:
            return ()
        if content["version"] != _VERSION:
            raise PolicyError(f"{path}: version {content['version']} is not read by this release")
        exact = [
            Remembered(_text(each["id"]), _text(each["at"]), _text(each["shown"]), each["basis"])
            for each in content.get("approved") or []
        ]
        wide = [
            Remembered(_text(each["id"]), _text(each["at"]), _text(each["shown"]), wide=_wide(each))
            for each in content.get("patterns") or []
        ]
    except (
        yaml.YAMLError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise PolicyError(
            f"{path} is not as it was written ({error!r}); mend or remove it"
        ) from None
    return (*exact, *wide)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _wide(each: Mapping[str, Any]) -> Wide:
    words, does = _texts(each["words"]), each["does"]
    if not words or not isinstance(does, dict):
        raise TypeError("words is a list of words, does an object")
    return Wide(
        words,
        {_text(kind): _texts(folders) for kind, folders in does.items()},
        _texts(each["rules"]),
    )


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(map(_text, value))


@contextmanager
def _locked(path: str) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(path, flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
