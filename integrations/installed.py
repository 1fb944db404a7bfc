"""What installs have changed in other programs' files, so that it can be taken back.

The record lies with our secrets: it holds these files as they were. It is the one place that
`agent-exec uninstall` has to look in.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from agent_exec import InvalidCall
from agent_exec.daemon.places import Folder, Places

_MODE = 0o644

TakeBack = Callable[[str, bytes | None], str | None]
"""Our entries out of a text that somebody has changed since; with the file as it was before us
(None: there was none). None: nothing of any worth is left of it."""


class Change(NamedTuple):
    """One file that an install has written."""

    host: str
    """Such as ``claude-code``: it is `agent_exec.integrations.claude_code`."""
    path: str
    """Absolute; links followed."""
    before: bytes | None
    """None: it was not there."""
    after: bytes
    folders: tuple[str, ...] = ()
    """Made for it, outermost first."""

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return {
            "host": self.host,
            "path": self.path,
            "before": None if self.before is None else base64.b64encode(self.before).decode(),
            "after": base64.b64encode(self.after).decode(),
            "folders": list(self.folders),
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Change:
        """From the record.

        Raises:
            KeyError, TypeError, ValueError: It stands there otherwise than we write it.
        """
        before = shown["before"]
        return cls(
            _text(shown["host"]),
            _text(shown["path"]),
            None if before is None else base64.b64decode(before),
            base64.b64decode(shown["after"]),
            tuple(map(_text, shown["folders"])),
        )


def read_file(path: str) -> bytes | None:
    """What is in a file; None: it is not there.

    Raises:
        InvalidCall: It is there, and cannot be read.
    """
    try:
        # Not waited for, should it be a pipe.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidCall(f"{path}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise InvalidCall(f"{path} is no file; move it away")
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise InvalidCall(f"{path}: {error.strerror}") from None
    finally:
        os.close(fd)


def record_change(
    path: str,
    before: bytes | None,
    after: bytes,
    *,
    host: str,
    environ: Mapping[str, str] | None = None,
) -> Change:
    """Write `after` to `path`, and remember how to take that back.

    Args:
        path: A file of another program; a link is followed, its directories are made.
        before: What was read from it; None: it was not there.
        after: What is to be in it.
        host: Whose install it is.
        environ: Says where the record is; ours by default.

    Raises:
        InvalidCall: The file is not as it was read any more, or cannot be written.
    """
    path = os.path.realpath(path)
    with _record(environ) as record:
        change = Change(host, path, before, after, _missing(os.path.dirname(path)))
        # First: a change that is not recorded could not be taken back.
        _save(record, [*_load(record), change])
        try:
            if read_file(path) != before:
                raise InvalidCall(f"{path} has just been changed by somebody else; try again")
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            except OSError as error:
                raise InvalidCall(f"{path}: {error.strerror}") from None
            _write(path, after)
        except InvalidCall:
            _remove_empty(change.folders)
            _save(record, _load(record)[:-1])
            raise
    return change


def changes(
    *, host: str | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Change, ...]:
    """What is recorded, of `host` or of all, the oldest first."""
    secrets = Places.find(os.environ if environ is None else environ).secrets
    if not os.path.isdir(secrets):
        return ()  # and none is made to look into it
    with _record(environ) as record:
        return tuple([one for one in _load(record) if host in (None, one.host)])


@contextmanager
def nothing(*, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Nothing is recorded, and nobody changes that until the end of the block.

    Raises:
        InvalidCall: Something is.
    """
    with _record(environ) as record:
        if left := _load(record):
            raise InvalidCall(
                f"{left[-1].path} has just been installed; run `agent-exec uninstall --purge` again"
            )
        yield


def undo(
    change: Change, take_back: TakeBack, *, environ: Mapping[str, str] | None = None
) -> str | None:
    """Take `change` back, and forget it.

    A file that is as we left it becomes what it was before, byte for byte; of one that was
    changed since, `take_back` removes what is ours.

    Returns:
        What was done, for people; None when nothing of ours was there any more, or somebody
        else has just taken it back.

    Raises:
        InvalidCall: The file cannot be read or written; the change stays recorded.
    """
    with _record(environ) as record:
        left = _load(record)
        if change not in left:
            return None
        found = read_file(change.path)
        restored = _restored(change, found, take_back)
        if restored == found:
            done = None
        elif restored is None:
            _unlink(change.path)
            done = f"removed {change.path}"
        else:
            _write(change.path, restored)
            as_before = "as it was" if restored == change.before else "without our entry"
            done = f"{change.path} is {as_before}"
        _remove_empty(change.folders)
        left.remove(change)
        _save(record, left)
    return done


def forget(change: Change, *, environ: Mapping[str, str] | None = None) -> None:
    """Take `change` off the record, and leave its file as it is."""
    with _record(environ) as record:
        left = _load(record)
        if change in left:
            left.remove(change)
        _save(record, left)


def _restored(change: Change, found: bytes | None, take_back: TakeBack) -> bytes | None:
    if found == change.after:
        return change.before
    if found is None or found == change.before:
        return found
    try:
        text = found.decode()
    except UnicodeDecodeError:
        raise InvalidCall(f"{change.path} is no text any more; remove our entry by hand") from None
    left = take_back(text, change.before)
    return None if left is None else left.encode()


def _missing(folder: str) -> tuple[str, ...]:
    found: list[str] = []
    while not os.path.exists(folder):
        found.insert(0, folder)
        folder = os.path.dirname(folder)
    return tuple(found)


def _remove_empty(folders: tuple[str, ...]) -> None:
    """Those that we have made, outermost first, unless somebody has put something there."""
    for folder in reversed(folders):
        with suppress(OSError):
            os.rmdir(folder)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidCall(f"{path}: {error.strerror}") from None


def _write(path: str, content: bytes, mode: int = _MODE) -> None:
    """In one step, and whole or not at all; a file that is there keeps its mode.

    Raises:
        InvalidCall: It cannot be written.
    """
    draft = f"{path}.agent_exec-{os.urandom(4).hex()}"
    try:
        with suppress(FileNotFoundError):
            mode = os.stat(path).st_mode & 0o7777
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
            os.replace(draft, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft)
            raise
    except OSError as error:
        raise InvalidCall(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def _record(environ: Mapping[str, str] | None) -> Iterator[str]:
    """The path of the record, which nobody else changes meanwhile."""
    places = Places.find(os.environ if environ is None else environ)
    while True:
        with Folder(places.secrets, make=True) as folder:
            fcntl.flock(folder.fd, fcntl.LOCK_EX)
            if _is_still(folder):
                yield os.path.join(places.secrets, "installed.json")
                return


def _is_still(folder: Folder) -> bool:
    """Not so after a purge, for which we have waited."""
    try:
        return os.path.samestat(os.fstat(folder.fd), os.stat(folder.path))
    except FileNotFoundError:
        return False


def _load(record: str) -> list[Change]:
    content = read_file(record)
    if content is None:
        return []
    try:
        return [Change.from_json(one) for one in json.loads(content)["changes"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidCall(f"{record} cannot be understood ({error!r}); move it away") from None


def _save(record: str, left: list[Change]) -> None:
    if not left:
        _unlink(record)
        return
    content = json.dumps({"version": 1, "changes": [one.to_json() for one in left]})
    _write(record, content.encode(), 0o600)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value
