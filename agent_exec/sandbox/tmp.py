"""Temp directories of calls.

    FOLDER/lock            held while a folder of an owner is made, and while others are swept
    FOLDER/PID-RANDOM/lock held for as long as that owner lives
    FOLDER/PID-RANDOM/N/   one temp directory

What an owner that was killed has left is removed by the next one that makes its folder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

MODE = 0o700
"""Of a temp directory."""


class TmpFolders:
    """Of one owner. Safe from any thread, and in a forked child, which is an owner of its own.

    Args:
        folders: Absolute; the first that can be had is made when it is first needed.
    """

    def __init__(self, *folders: str) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._pid = 0
        self._held = -1
        self._own = ""
        self._beneath = "/"
        """How the paths begin that are made in it."""
        self._count = 0

    def make(self) -> str:
        """An empty directory, the absolute path of it, without links.

        Raises:
            OSError: It cannot be had; or the folder is not ours, or others may write to it.
        """
        with self._lock:
            if self._pid != os.getpid():
                self._begin()
            try:
                return self._made()
            except FileNotFoundError:
                # Somebody has removed all of it, as a purge does.
                self._begin()
                return self._made()

    def owns(self, made: str) -> bool:
        """Was it made by us, in this process, and not before `close`?"""
        return made.startswith(self._beneath) and self._pid == os.getpid()

    def close(self) -> None:
        """Remove all of it. What is taken later is made anew."""
        with self._lock:
            if self._pid == os.getpid():
                remove(self._own)
            if self._held >= 0:
                os.close(self._held)
            self._pid, self._held, self._own = 0, -1, ""

    def _made(self) -> str:
        self._count += 1
        made = f"{self._own}/{self._count}"
        os.mkdir(made, MODE)
        return made

    def _begin(self) -> None:
        if self._held >= 0:  # of the process that we were forked from, or of what was removed
            os.close(self._held)
            self._held = -1
        *others, last = self._folders
        for folder in others:
            try:
                self._begin_in(folder)
            except OSError:  # a home directory that is not there, or may only be read
                continue
            return
        self._begin_in(last)

    def _begin_in(self, place: str) -> None:
        with _Swept(place) as folder:
            own = f"{folder}/{os.getpid():x}-{os.urandom(4).hex()}"
            os.mkdir(own, 0o700)
            held = _locked(f"{own}/lock", wait=False)
        if held is None:
            # Who removes our state has removed the lock of all owners, too.
            raise BlockingIOError(errno.EAGAIN, "swept by somebody else", own)
        self._own, self._beneath = own, f"{own}/"
        self._held, self._pid = held, os.getpid()


class _Swept:
    """The folder of all owners, locked, without what belongs to nobody."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._held = -1

    def __enter__(self) -> str:
        os.makedirs(self._folder, 0o700, exist_ok=True)
        folder = os.path.realpath(self._folder)
        status = os.stat(folder)
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"{folder} is not ours alone")
        held = _locked(f"{folder}/lock", wait=True)
        assert held is not None, "it waits"
        self._held = held
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        self._sweep(entry.path)
        except BaseException:
            os.close(held)
            raise
        return folder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._held)

    @staticmethod
    def _sweep(owned: str) -> None:
        try:
            held = _locked(f"{owned}/lock", wait=False)
        except OSError:
            return  # its owner has just removed it, or nobody may look into it
        if held is not None:
            remove(owned)
            os.close(held)


def _locked(path: str, *, wait: bool) -> int | None:
    """A descriptor that holds the lock; None when somebody else does."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd


def emptied(folder: str) -> bool:
    """Remove what is in it; False when it is gone, not as it was made, or could not be emptied."""
    try:
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or stat.S_IMODE(status.st_mode) != MODE:
            return False
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                remove(entry.path)
            else:
                os.unlink(entry.path)
        return not os.listdir(folder)
    except OSError:
        return False


def remove(folder: str) -> None:
    """All of it that can be removed; the rest is left to who sweeps next."""
    with suppress(OSError):  # most are empty, and a tenth of the work is enough
        os.rmdir(folder)
        return
    from shutil import rmtree  # noqa: PLC0415 - most temp directories hold no directory

    def open_up(_call: Callable[..., object], path: str, _error: object) -> None:
        # A directory of ours that nobody may look into.
        with suppress(OSError):
            above = os.path.dirname(path)
            os.chmod(above, 0o700, follow_symlinks=True)
            if os.path.isdir(path) and not os.path.islink(path):
                os.chmod(path, 0o700)

    for _ in range(2):
        rmtree(folder, onerror=open_up)
        if not os.path.lexists(folder):
            return
