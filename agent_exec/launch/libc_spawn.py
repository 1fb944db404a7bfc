"""posix_spawn(3) by ctypes: what `os.posix_spawn` has, and fchdir and closefrom.

`os.posix_spawn` cannot change the directory, and `subprocess` cannot give a signal that
the parent ignores its default action without running Python in the child. libc can do
both; this module only calls it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# Larger than any libc's posix_spawn_file_actions_t, posix_spawnattr_t and sigset_t
# (glibc 2.36, x86-64: 80, 336 and 128 bytes).
_Opaque = ctypes.c_uint64 * 128

_SETSIGDEF = 0x04
_SETSIGMASK = 0x08
_SETSID = 0x0400 if sys.platform == "darwin" else 0x80

ALL_SIGNALS = frozenset(range(1, 65))
# glibc's child sets its own two signals to ignored unless told otherwise.
_LIBC_SIGNALS = frozenset({32, 33})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What libc does in the child, in this order, before it executes the program."""

    session: bool
    default: Collection[int]
    """Signals that get their default action; caught ones do anyway."""
    blocked: Collection[int] | None
    """The signal mask; None for that of the calling thread."""
    cwd: int | None
    """Directory to work in; None for the parent's."""
    moves: Sequence[tuple[int, int]]
    """(from, to): no `to` is the `from` of another."""
    closes: Sequence[int]
    close_from: int | None
    """Everything from this descriptor on is closed; None for nothing."""


def _signal_set(signals: Collection[int]) -> ctypes.Array[ctypes.c_uint64]:
    # Bit n-1 is signal n in every libc's sigset_t. sigaddset(3) would refuse 32 and 33.
    bits = _Opaque()
    for signum in signals:
        bits[0] |= 1 << (signum - 1)
    return bits


class LibcSpawn:
    """The posix_spawn family of the libc that Python runs on.

    Source:
        posix_spawn(3). addfchdir_np: glibc 2.29, musl 1.1.24, macOS 10.15.
        addclosefrom_np: glibc 2.34.
    """

    def __init__(self) -> None:
        # CDLL lets go of the interpreter lock for each call: posix_spawn(3) returns when
        # the child has exec'd, which a slow file system can delay.
        self._libc = ctypes.CDLL(None)

    @property
    def has_fchdir(self) -> bool:
        """Whether `Setup.cwd` can be had."""
        return hasattr(self._libc, "posix_spawn_file_actions_addfchdir_np")

    @property
    def has_close_from(self) -> bool:
        """Whether `Setup.close_from` can be had."""
        return hasattr(self._libc, "posix_spawn_file_actions_addclosefrom_np")

    def spawn(
        self, program: bytes, argv: Sequence[bytes], envp: Sequence[bytes], setup: Setup
    ) -> int:
        """Start `program`; return its pid, whoever calls this waits for it.

        Raises:
            OSError: With the errno of the clone, of `setup` or of the exec: libc does not
                tell which. No process is left behind.
        """
        actions, attributes = _Opaque(), _Opaque()
        pid = ctypes.c_int()
        self._call("posix_spawn_file_actions_init", actions)
        try:
            self._call("posix_spawnattr_init", attributes)
            try:
                self._fill_actions(actions, setup)
                self._fill_attributes(attributes, setup)
                self._call(
                    "posix_spawn",
                    ctypes.byref(pid),
                    program,
                    actions,
                    attributes,
                    (ctypes.c_char_p * (len(argv) + 1))(*argv),
                    (ctypes.c_char_p * (len(envp) + 1))(*envp),
                )
            finally:
                self._call("posix_spawnattr_destroy", attributes)
        finally:
            self._call("posix_spawn_file_actions_destroy", actions)
        return pid.value

    def _fill_actions(self, actions: ctypes.Array[ctypes.c_uint64], setup: Setup) -> None:
        if setup.cwd is not None:  # first: its descriptor may be the target of a move
            self._call("posix_spawn_file_actions_addfchdir_np", actions, setup.cwd)
        for source, target in setup.moves:
            self._call("posix_spawn_file_actions_adddup2", actions, source, target)
        for fd in setup.closes:
            self._call("posix_spawn_file_actions_addclose", actions, fd)
        if setup.close_from is not None:
            self._call("posix_spawn_file_actions_addclosefrom_np", actions, setup.close_from)

    def _fill_attributes(self, attributes: ctypes.Array[ctypes.c_uint64], setup: Setup) -> None:
        flags = _SETSIGDEF
        default = _signal_set({*setup.default, *_LIBC_SIGNALS})
        self._call("posix_spawnattr_setsigdefault", attributes, default)
        if setup.blocked is not None:
            flags |= _SETSIGMASK
            self._call("posix_spawnattr_setsigmask", attributes, _signal_set(setup.blocked))
        if setup.session:
            flags |= _SETSID
        self._call("posix_spawnattr_setflags", attributes, ctypes.c_short(flags))

    def _call(self, function: str, *arguments: object) -> None:
        error = int(getattr(self._libc, function)(*arguments))
        if error != 0:
            raise OSError(error, os.strerror(error))
