"""A template that the kernel holds, and the calls that are made with it."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from agent_exec.launch import kernel_abi as abi
from agent_exec.launch.system_call import Memory, SystemCall
from agent_exec.model.action import Action
from agent_exec.template.directory import FIRST_FD

_CWD = -100
_LINK_SIZE = 64


class KernelTemplate:
    """The descriptor of one spawn_template_create(2). It closes with the last reference.

    While it is open the kernel refuses (ETXTBSY) whoever would write to the file.
    """

    __slots__ = ("_call", "_calls", "fd")

    def __init__(self, call: SystemCall, calls: abi.Calls, fd: int) -> None:
        self._call = call
        self._calls = calls
        self.fd = fd
        """Close-on-exec, at least 3."""

    @classmethod
    def create(
        cls, call: SystemCall, calls: abi.Calls, *, path: bytes | None = None, execfd: int = -1
    ) -> KernelTemplate:
        """Make one of an absolute path, or of a descriptor that can be read.

        Raises:
            OSError: What the call answered; ENOSYS, too, where what it has returned is no
                template: the number is another call's on this kernel.
        """
        memory = Memory()
        filename = 0 if path is None else memory.place(path + b"\0")
        words = memory.place(abi.create_args(filename=filename, execfd=execfd))
        fd = call(abi.CREATE, words, abi.CREATE_SIZE)
        if fd < 0:
            raise OSError(-fd, os.strerror(-fd))
        if _link(call, calls, fd) != abi.LINK:  # not ours to close
            raise OSError(errno.ENOSYS, "another system call has this number")
        if fd >= FIRST_FD:
            return cls(call, calls, fd)
        try:  # 0, 1 and 2 are the child's
            return cls(call, calls, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FD))
        finally:
            call(calls.close, fd)

    def spawn(
        self,
        argv: tuple[bytes, ...],
        envp: tuple[bytes, ...],
        actions: tuple[Action, ...],
        *,
        inherit_fds: bool = False,
    ) -> tuple[int, int]:
        """Start a child; blocks until it has executed the file, or has ended.

        Returns:
            tuple[int, int]: Its pid and pidfd. Whether it is the program is not told.

        Raises:
            OSError: There is no child.
        """
        memory = Memory()
        pidfd = memory.place(struct.pack("=i", -1))
        words = abi.spawn_args(
            pidfd=pidfd,
            argv=memory.place(abi.words(argv, memory.place)),
            envp=memory.place(abi.words(envp, memory.place)),
            actions=memory.place(abi.actions(actions, memory.place)),
            actions_len=len(actions),
            flags=abi.SPAWN_INHERIT_FDS if inherit_fds else 0,
        )
        pid = self._call(abi.SPAWN, self.fd, memory.place(words), abi.SPAWN_SIZE)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        (stored,) = struct.unpack("=i", memory.read(pidfd, 4))
        return pid, stored

    def ended(self, pidfd: int, *, reap: bool) -> abi.Ended | None:
        """How the child behind `pidfd` has ended, if it has. Never waits.

        Raises:
            OSError: ECHILD when somebody else's wait(2) was quicker.
        """
        memory = Memory()
        info = memory.place(bytes(abi.SIGINFO_SIZE))
        options = os.WEXITED | os.WNOHANG | (0 if reap else os.WNOWAIT)
        answer = self._call(self._calls.waitid, os.P_PIDFD, pidfd, info, options, 0)
        if answer < 0:
            raise OSError(-answer, os.strerror(-answer))
        ended = abi.read_siginfo(memory.read(info, abi.SIGINFO_SIZE))
        return ended if ended.pid else None

    def __del__(self) -> None:
        self._call(self._calls.close, self.fd)


def _link(call: SystemCall, calls: abi.Calls, fd: int) -> bytes:
    memory = Memory()
    path = memory.place(b"/proc/self/fd/%d\0" % fd)
    text = memory.place(bytes(_LINK_SIZE))
    size = call(calls.readlinkat, _CWD, path, text, _LINK_SIZE)
    return memory.read(text, size) if size > 0 else b""
