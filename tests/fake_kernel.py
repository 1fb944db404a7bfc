"""The RFC's two system calls, done with ordinary processes; a kernel for `KernelLauncher`.

`FakeKernel.call` takes the place of `agent_exec.launch.system_call.system_call`. What it does is
written from the RFC's description and not with the launcher's encoder: it reads
the structures from memory itself, at the offsets of the header, refuses in the order of the
kernel, and has the faults of version 1:

* a child that fails between spawn and exec has the status of one killed by signal 127, 126 or 1;
* FCHDIR refuses an O_PATH directory, and so does DUP2 to its own number; signal sets are 8 bytes;
* every error of the check before a spawn is ESTALE.

One fault it has not: `comm` and AT_EXECFN are empty with the RFC, and here those that
execveat(2) gives.

While a template is open a child is parked on the file, so that writers meet ETXTBSY.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.launch.park import Parker
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.action import Action, OpenHow
from agent_exec.model.plan import Executable, Identity, SpawnPlan
from agent_exec.template.pin import _ask_kernel, _is_memfd, _is_noexec

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_FLAGS = 0x100 | 0x4000 | signal.SIGCHLD  # CLONE_VM, CLONE_VFORK
_MAX_ACTIONS = 256
_MACHINE = 18
_X86 = os.uname().machine == "x86_64"
_CLOSE, _READLINKAT, _WAITID = (3, 267, 247) if _X86 else (57, 78, 95)


@dataclass
class _Template:
    fd: int
    path: bytes | None
    key: Identity
    credentials: bytes
    held: Executable
    """What the child that keeps writers off is known by."""


class _SetupError(Exception):
    """What fails in the child."""


def _refuse(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class FakeKernel:
    """`call` does what the kernel would; `spawned` counts its children."""

    def __init__(self) -> None:
        self.spawned = 0
        self.before_spawn: Callable[[], None] = lambda: None
        """Called where another process might change something: after our check of the call."""
        self.refusing: dict[int, int] = {}
        """Calls that are answered by an errno."""
        self._templates: dict[tuple[int, int], _Template] = {}
        self._failed: dict[int, int] = {}  # pid to what v1 does_exit with
        self._starter = VforkLauncher()
        self._parker = Parker()

    def call(self, number: int, *arguments: int) -> int:
        """One system call."""
        handlers: dict[int, Callable[..., int]] = {
            472: self._create,
            473: self._spawn,
            _CLOSE: self._close,
            _READLINKAT: self._readlinkat,
            _WAITID: self._waitid,
        }
        if number in self.refusing:
            return -self.refusing[number]
        try:
            return handlers[number](*arguments)
        except OSError as error:
            return -(error.errno or errno.EIO)

    # spawn_template_create

    def _create(self, address: int, size: int) -> int:
        words = _structure(address, size, 72)
        flags, execfd, exec_flags, filename, actions, actions_len, *reserved = struct.unpack(
            "=QiIQQQ4Q", words
        )
        if flags & ~1 or exec_flags or actions or actions_len or any(reserved):
            raise _refuse(errno.EINVAL)
        if (filename != 0) == (execfd >= 0):
            raise _refuse(errno.EINVAL)
        path = _path(filename) if filename else None
        fd = _open_path(path) if path is not None else _copy(execfd)
        try:
            _check_executable(fd, path)
            _check_format(fd)
            held = self._executable(fd)
            self._parker.hold(held)
        except (OSError, TemplateError, LaunchError) as error:
            os.close(fd)
            raise _refuse(error.errno or errno.EIO) from error
        made = os.memfd_create("fake", os.MFD_CLOEXEC if flags & 1 else 0)
        self._templates[_inode(made)] = _Template(fd, path, held.identity, held.credentials, held)
        return made

    def _executable(self, fd: int) -> Executable:
        return Executable(
            fd=fd,
            path=None,
            identity=Identity.of(os.fstat(fd)),
            script=False,
            credentials=self._starter.credentials(),
        )

    # spawn_template_spawn

    def _spawn(self, template_fd: int, address: int, size: int) -> int:
        if size < 80:
            raise _refuse(errno.EINVAL)
        if size > 4096:
            raise _refuse(errno.E2BIG)
        template = self._templates.get(_inode(template_fd))
        if template is None:
            raise _refuse(errno.EINVAL)
        if template.credentials != self._starter.credentials():
            raise _refuse(errno.EACCES)
        flags, pidfd, argv, envp, actions, actions_len, *reserved = struct.unpack(
            "=6Q4Q", _structure(address, size, 80)
        )
        if flags & ~1 or not pidfd or any(reserved):
            raise _refuse(errno.EINVAL)
        wanted = _read_actions(actions, actions_len)
        self.before_spawn()
        _revalidate(template)
        _read(pidfd, 4)  # EFAULT before there is a child
        self.spawned += 1
        try:
            pid, made = self._child(template, argv, envp, wanted, inherit=bool(flags & 1))
        except _SetupError as failure:
            pid, made = self._failed_child(failure.args[0])
        ctypes.memmove(pidfd, struct.pack("=i", made), 4)
        return pid

    def _child(
        self, template: _Template, argv: int, envp: int, wanted: list[_Raw], *, inherit: bool
    ) -> tuple[int, int]:
        try:
            plan = SpawnPlan(
                executable=self._executable(template.fd),
                argv=_words(argv) if argv else (b"",),
                envp=_words(envp) if envp else (),
                actions=_to_run(wanted),
                inherit_fds=inherit,
            )
            child = self._starter.spawn(plan)
        except LaunchError as error:
            if error.step is Step.SPAWN and error.action is None:
                raise _refuse(error.errno) from error
            raise _SetupError(error.errno) from error
        except OSError as error:  # what the child would have read
            raise _SetupError(error.errno) from error
        assert child.pidfd is not None
        return child.pid, child.pidfd

    def _failed_child(self, number: int) -> tuple[int, int]:
        code = {errno.ENOENT: 127, errno.EACCES: 126, errno.ENOEXEC: 126}.get(number, 1)
        pid = _unexecuted()
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self._failed[pid] = code
        return pid, os.pidfd_open(pid)

    # The other calls of a client

    def _waitid(self, kind: int, id_: int, info: int, options: int, _rusage: int) -> int:
        ended = os.waitid(kind, id_, options)
        if ended is None:
            ctypes.memset(info, 0, 128)
            return 0
        code, status = ended.si_code, ended.si_status
        if ended.si_pid in self._failed:
            code, status = os.CLD_KILLED, self._failed[ended.si_pid]
            if not options & os.WNOWAIT:
                del self._failed[ended.si_pid]
        words = struct.pack(
            "=iiiiiIi", signal.SIGCHLD, 0, code, 0, ended.si_pid, ended.si_uid, status
        )
        ctypes.memmove(info, words, len(words))
        return 0

    def _readlinkat(self, _dirfd: int, path: int, text: int, size: int) -> int:
        name = _string(path)
        link = os.fsencode(os.readlink(name))
        if _inode(int(name.rpartition(b"/")[2])) in self._templates:
            link = b"anon_inode:spawn_template"
        ctypes.memmove(text, link, min(size, len(link)))
        return min(size, len(link))

    def _close(self, fd: int) -> int:
        inode = _inode(fd)
        os.close(fd)
        if inode in self._templates and not _is_open(inode):
            template = self._templates.pop(inode)
            self._parker.release(template.held)
            os.close(template.fd)
            if not self._templates:
                self._parker.close()
                self._parker = Parker()
        return 0


# Memory, where a bad address is EFAULT


class _Vector(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


def _read(address: int, size: int) -> bytes:
    data = ctypes.create_string_buffer(size)
    there, here = (_Vector(place, size) for place in (address, ctypes.addressof(data)))
    copied = _LIBC.process_vm_readv(os.getpid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    if copied != size:
        raise _refuse(errno.EFAULT)
    return data.raw


def _structure(address: int, size: int, known: int) -> bytes:
    if size < known:
        raise _refuse(errno.EINVAL)
    if size > 4096:
        raise _refuse(errno.E2BIG)
    data = _read(address, size)
    if any(data[known:]):
        raise _refuse(errno.E2BIG)
    return data[:known]


def _string(address: int, most: int = 1 << 20) -> bytes:
    if not address:
        raise _refuse(errno.EFAULT)
    _read(address, 1)
    return ctypes.string_at(address)[:most]


def _words(address: int) -> tuple[bytes, ...]:
    found = []
    while pointer := struct.unpack("=Q", _read(address, 8))[0]:
        found.append(_string(pointer))
        address += 8
    return tuple(found)


# Executables


def _path(address: int) -> bytes:
    path = _string(address)
    if len(path) >= 4096 or not path.startswith(b"/"):
        raise _refuse(errno.EINVAL)
    return path


def _open_path(path: bytes) -> int:
    return _above_stdio(os.open(path, os.O_PATH | os.O_CLOEXEC))


def _copy(execfd: int) -> int:
    mode = fcntl.fcntl(execfd, fcntl.F_GETFL)
    if mode & os.O_PATH:
        raise _refuse(errno.EBADF)
    if stat.S_ISREG(os.fstat(execfd).st_mode) and mode & os.O_ACCMODE and not _is_memfd(execfd):
        raise _refuse(errno.ETXTBSY)
    return fcntl.fcntl(execfd, fcntl.F_DUPFD_CLOEXEC, 3)


def _above_stdio(fd: int) -> int:
    """`fd` out of the way of 0, 1 and 2."""
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


def _check_executable(fd: int, path: bytes | None) -> None:
    status = os.fstat(fd)
    name = f"/proc/self/fd/{fd}"
    if not stat.S_ISREG(status.st_mode) or not os.access(name, os.X_OK, effective_ids=True):
        raise _refuse(errno.EACCES)
    if _is_noexec(fd if path is None else path):
        raise _refuse(errno.EACCES)
    answer = _ask_kernel(fd)
    if answer:
        raise _refuse(answer)


def _check_format(fd: int) -> None:
    if not os.access(f"/proc/self/fd/{fd}", os.R_OK, effective_ids=True):
        return  # a kernel reads it all the same
    with open("/proc/self/exe", "rb") as ours, open(f"/proc/self/fd/{fd}", "rb") as theirs:
        expected, found = ours.read(64), theirs.read(64)
    kind = found[16:18]
    if (
        len(found) < 64
        or found[:6] != expected[:6]
        or found[_MACHINE : _MACHINE + 2] != expected[_MACHINE : _MACHINE + 2]
        or struct.unpack("=H", kind)[0] not in (2, 3)
    ):
        raise _refuse(errno.ENOEXEC)


def _revalidate(template: _Template) -> None:
    try:
        seen = [os.fstat(template.fd)]
        if template.path is not None:
            seen.append(os.stat(template.path))
            if not os.access(template.path, os.X_OK, effective_ids=True):
                raise _refuse(errno.EACCES)
        noexec = _is_noexec(template.fd if template.path is None else template.path)
    except OSError as error:
        raise _refuse(errno.ESTALE) from error
    if noexec or any(Identity.of(status) != template.key for status in seen):
        raise _refuse(errno.ESTALE)


# Actions

_Raw = tuple[int, int, int, int, int]


def _read_actions(address: int, count: int) -> list[_Raw]:
    if count > _MAX_ACTIONS:
        raise _refuse(errno.E2BIG)
    if not count:
        return []
    if not address:
        raise _refuse(errno.EINVAL)
    data = _read(address, 24 * count)
    found = list(struct.iter_unpack("=IIiiQ", data))
    if not all(_is_well_formed(*one) for one in found):
        raise _refuse(errno.EINVAL)
    return found


def _is_well_formed(kind: int, flags: int, fd: int, newfd: int, arg: int) -> bool:
    match kind:
        case 0:
            return fd >= 0 and not (flags or newfd or arg)
        case 1:
            return fd >= 0 and newfd >= 0 and not (flags & ~os.O_CLOEXEC or arg)
        case 2:
            return fd >= 0 and not (flags or newfd or arg)
        case 3:
            return fd >= -100 and newfd >= 0 and not flags and bool(arg)
        case 4:
            return fd >= 0 and (newfd == -1 or newfd >= fd) and not (flags & ~6 or arg)
        case 5 | 6:
            return bool(arg) and not (fd or newfd or flags)
        case _:
            return False


def _to_run(wanted: list[_Raw]) -> tuple[Action, ...]:
    """For the C core; what only version 1 refuses is refused here."""
    path_only: dict[int, bool] = {}
    made = []
    for kind, flags, fd, newfd, arg in wanted:
        given: Any = None
        if kind in (1, 2):
            known = path_only.get(fd)
            is_path_only = _is_path_only(fd) if known is None else known
            if is_path_only and (kind == 2 or fd == newfd):
                raise _SetupError(errno.EBADF)
            if kind == 1:
                path_only[newfd] = is_path_only
        if kind == 3:
            path, how_flags, mode, resolve = struct.unpack("=4Q", _read(arg, 32))
            given = OpenHow(_string(path), how_flags, mode, resolve)
            path_only[newfd] = bool(how_flags & os.O_PATH)
        if kind in (5, 6):
            pointer, size = struct.unpack("=QQ", _read(arg, 16))
            if size != 8:
                raise _SetupError(errno.EINVAL)
            bits = struct.unpack("=Q", _read(pointer, 8))[0]
            given = frozenset(n for n in range(1, 65) if bits >> (n - 1) & 1)
        made.append(Action(kind, flags, fd, newfd, given))
    return tuple(made)


def _is_path_only(fd: int) -> bool:
    try:
        return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH)
    except OSError:
        return False


# Processes


def _inode(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _is_open(inode: tuple[int, int]) -> bool:
    for name in os.listdir("/proc/self/fd"):
        try:
            if _inode(int(name)) == inode:
                return True
        except OSError:  # that of the listing
            continue
    return False


def _unexecuted() -> int:
    """A child that ends, having executed nothing, neither a file nor an instruction of Python.

    The C library's clone(2) ends it with what the function returns that it is given.
    """
    stack = ctypes.create_string_buffer(65536)
    top = (ctypes.addressof(stack) + len(stack)) & ~63
    function = ctypes.cast(_LIBC.abs, ctypes.c_void_p)
    pid: int = _LIBC.clone(function, ctypes.c_void_p(top), _CLONE_FLAGS, ctypes.c_void_p(99))
    if pid < 0:
        raise _refuse(ctypes.get_errno())
    return pid
