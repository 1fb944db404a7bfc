"""Appends records: whole lines, from any thread and process, and never in the way of a call."""

from __future__ import annotations

import os
import stat
import threading
import time
from contextlib import suppress

from agent_exec.runtime.audit.files import MOST_BYTES, file_name, remove_old

_MOST_FILES = 10_000
# After a failure (a full disk, a folder that is gone), the next try is that much later.
_REST_S = 5.0
_DAY_S = 24 * 3600


class AuditWriter:
    """Writes one line for each record, at once and by one write(2).

    A line stands between two newlines, so that what was left of a writer that was killed, or of
    a full disk, is a line by itself. A record that has been written survives us.

    Args:
        folder: Where the files are; made (0700) when it is not there.
        keep_days: How many days they are kept.
        most_bytes: Of one file.
    """

    def __init__(self, folder: str, keep_days: int, *, most_bytes: int = MOST_BYTES) -> None:
        self._fd: int | None = None
        self._folder = folder
        self._keep_days = keep_days
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._day = ""
        self._day_ends = 0.0
        self._number = 0
        self._rests_until = 0.0
        self.lost = 0
        """Records that could not be written."""
        self.why = ""
        """Of the last of these."""

    def write(self, line: bytes, now: float) -> None:
        """Append a record. Never raises, never waits for another process.

        Args:
            line: JSON, without a newline.
            now: Seconds since the epoch.
        """
        if os.getpid() != self._pid:
            # Forked: a thread that is not here may have held the lock.
            self._pid, self._lock = os.getpid(), threading.Lock()
        with self._lock:
            try:
                if now >= self._rests_until:
                    self._append(b"\n%b\n" % line, now)
                    return
            except OSError as error:
                self._rests_until = now + _REST_S
                self.why = f"{self._folder}: {error.strerror}"
                self._close()
            self.lost += 1

    def close(self) -> None:
        """Close the file; the next record opens it again."""
        with self._lock:
            self._close()

    def __del__(self) -> None:
        # Of a tool that nobody has closed.
        self._close()

    def _append(self, text: bytes, now: float) -> None:
        # The clock may also be set back.
        if self._fd is None or not self._day_ends - _DAY_S <= now < self._day_ends:
            day = time.strftime("%Y-%m-%d", time.gmtime(now))
            self._day_ends = (now // _DAY_S + 1) * _DAY_S
            self._close()
            if day != self._day:
                self._day, self._number = day, 0
                self._fd = self._open()
                # What cannot be removed is in no record's way, and is tried again tomorrow.
                with suppress(OSError):
                    remove_old(self._folder, day, self._keep_days)
            else:
                self._fd = self._open()
        found = os.fstat(self._fd)
        if not found.st_nlink:
            # Somebody has removed it: what is appended to it now, nobody would ever read.
            self._close()
            self._number = 0
            self._fd = self._open()
        # Others append to it, too.
        elif found.st_size >= self._most_bytes and self._number < _MOST_FILES:
            self._close()
            self._number += 1
            self._fd = self._open()
        written = os.write(self._fd, text)
        if written < len(text):
            raise OSError(0, "no room for a whole record")

    def _open(self) -> int:
        """The first file of the day, from ours on, that has room."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            path = os.path.join(self._folder, file_name(self._day, self._number))
            fd = os.open(path, flags | os.O_NONBLOCK, 0o600)
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                os.close(fd)
                raise OSError(0, f"{path} is no file")
            if status.st_size < self._most_bytes or self._number >= _MOST_FILES:
                return fd
            os.close(fd)
            self._number += 1

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)
