"""A flag that one thread raises and another can see in poll(2) or an event loop."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Flag:
    """Down at first. `fd` is readable while the flag is up; it belongs to the flag.

    Any thread may call any of these; after `close` they do nothing.

    Raises:
        OSError: EMFILE or ENFILE, from the constructor.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.fd, self._other = os.pipe()
        self._open = True
        os.set_blocking(self.fd, False)
        os.set_blocking(self._other, False)

    def up(self) -> None:
        """Raise the flag."""
        with self._lock:
            if self._open:
                with suppress(BlockingIOError):  # full: it is up
                    os.write(self._other, b"\0")

    def down(self) -> None:
        """Lower it again."""
        with self._lock:
            if self._open:
                with suppress(BlockingIOError):
                    while os.read(self.fd, 64):
                        pass

    def close(self) -> None:
        """Close both ends."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self.fd)
                os.close(self._other)
