"""What a session is read and written by: two pipes, or a terminal."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from typing import Self

_ROWS, _COLUMNS = 24, 80
_SIZE = struct.Struct("HHHH")


class Wires:
    """Our ends, which do not block, and those of the children. All are at least 3.

    `output` is where we read, `input` where we write; None once it was closed, or where the
    children have an input of their own.
    """

    def __init__(self, ours: tuple[int | None, int], theirs: tuple[int | None, int]) -> None:
        self.input, self.output = ours
        self.their_input, self.their_output = theirs
        self.is_terminal = self.their_input == self.their_output
        os.set_blocking(self.output, False)
        if self.input is not None:
            os.set_blocking(self.input, False)

    @classmethod
    def pipes(cls, *, with_input: bool) -> Self:
        """One for what the children write to both outputs, and one for what they read.

        Raises:
            OSError: EMFILE, ENFILE.
        """
        output, their_output = _pair(os.pipe())
        try:
            their_input, input_ = _pair(os.pipe()) if with_input else (None, None)
        except OSError:
            os.close(output)
            os.close(their_output)
            raise
        return cls((input_, output), (their_input, their_output))

    @classmethod
    def terminal(cls) -> Self:
        """A pseudo-terminal of 24 lines and 80 columns.

        Raises:
            OSError: None can be had.
        """
        ours, theirs = _pair(os.openpty())
        fcntl.ioctl(ours, termios.TIOCSWINSZ, _SIZE.pack(_ROWS, _COLUMNS, 0, 0))
        return cls((ours, ours), (theirs, theirs))

    def resize(self, rows: int, columns: int) -> None:
        """Of a terminal. What runs in it gets SIGWINCH."""
        fcntl.ioctl(self.output, termios.TIOCSWINSZ, _SIZE.pack(rows, columns, 0, 0))

    def foreground(self) -> int:
        """The process group that a terminal would send Ctrl-C to; 0 where there is none."""
        return os.tcgetpgrp(self.output)

    def end_of_input(self) -> bytes:
        """What is typed at a terminal to end its input: Ctrl-D, as a rule."""
        assert self.their_input is not None
        key: bytes = termios.tcgetattr(self.their_input)[6][termios.VEOF]
        return key

    def read(self, most: int) -> bytes | None:
        """What is there, of `most` bytes; ``b""`` at the end, None when there is nothing now."""
        try:
            return os.read(self.output, most)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EIO:  # nobody has the terminal any more
                return b""
            raise

    def close_input(self) -> None:
        """Of pipes: the children read its end."""
        if self.input is not None:
            closed, self.input = self.input, None
            os.close(closed)

    def close_theirs(self) -> None:
        """The children are gone, or have theirs."""
        input_, output = self.their_input, self.their_output
        # Forgotten first: a fork in between must not close the number's next user.
        self.their_input, self.their_output = None, -1
        if input_ is not None and not self.is_terminal:
            os.close(input_)
        if output >= 0:
            os.close(output)

    def close(self) -> None:
        """All that is open. Idempotent."""
        self.close_theirs()
        if self.is_terminal:
            self.input = None
        self.close_input()
        if self.output >= 0:
            closed, self.output = self.output, -1
            os.close(closed)


def _pair(made: tuple[int, int]) -> tuple[int, int]:
    """Both, under numbers of at least 3: 0, 1 and 2 of an action are the child's."""
    first, second = made
    try:
        first = _above_two(first)
    except OSError:
        os.close(second)
        raise
    try:
        return first, _above_two(second)
    except OSError:
        os.close(first)
        raise


def _above_two(fd: int) -> int:
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)
