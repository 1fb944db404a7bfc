"""Open an executable once, and be sure of what was opened."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import sys
import threading
from dataclasses import dataclass

from agent_exec.errors import TemplateError
from agent_exec.model.plan import Identity
from agent_exec.template import elf
from agent_exec.template.directory import FIRST_FD

_PATH_MAX = 4096
_SYS_EXECVEAT = {"x86_64": 322, "aarch64": 281}
_AT_EMPTY_PATH = 0x1000
_AT_EXECVE_CHECK = 0x10000
_CLONE_FS = 0x200


@dataclass(frozen=True, slots=True)
class Pinned:
    """An open executable. Whoever holds it closes `fd`."""

    fd: int
    path: bytes | None
    identity: Identity
    script: bool


def pin_path(path: str | bytes | os.PathLike[str]) -> Pinned:
    """Open the program at an absolute path; links are followed, the path is kept as given.

    A file that may be executed but not read is opened with O_PATH; its format is then
    found out by the launch.

    Raises:
        TemplateError: EINVAL for a path that is empty, relative, too long or holds a NUL; what
            the file system said (ENOENT, ENOTDIR, ELOOP, EACCES); EACCES for what is no
            regular file, has no execute permission or lies on a noexec mount; ETXTBSY while
            somebody has it open for writing (where the kernel can be asked: 6.14);
            ENOEXEC for what is no program of this machine; EMFILE, ENFILE.
    """
    name = os.fsencode(path)
    shown = os.fsdecode(name)
    if not name.startswith(b"/") or b"\0" in name:
        raise TemplateError(shown, errno.EINVAL, "a template takes an absolute path")
    if len(name) >= _PATH_MAX:
        raise TemplateError(shown, errno.EINVAL, f"a path has at most {_PATH_MAX - 1} bytes")
    try:
        fd = _open(name)
    except OSError as error:
        raise TemplateError(shown, error.errno or errno.EIO) from None
    return _checked(fd, name, shown)


def pin_descriptor(execfd: int) -> Pinned:
    """Pin the file behind a descriptor, which stays the caller's.

    Raises:
        TemplateError: EBADF for a closed or O_PATH descriptor; ETXTBSY for one open for
            writing, unless it is a memfd open for both; ENOEXEC also for a script: its
            interpreter has to open it by a name. Otherwise as `pin_path`.
    """
    shown = f"descriptor {execfd}"
    if execfd < 0:
        raise TemplateError(shown, errno.EINVAL, "a descriptor is at least 0")
    try:
        mode = fcntl.fcntl(execfd, fcntl.F_GETFL)
        if mode & getattr(os, "O_PATH", 0):
            raise TemplateError(shown, errno.EBADF, "opened with O_PATH")
        fd = fcntl.fcntl(execfd, fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
    except (OSError, OverflowError) as error:
        raise TemplateError(shown, getattr(error, "errno", None) or errno.EBADF) from None
    if stat.S_ISREG(os.fstat(fd).st_mode) and _may_not_write(fd, mode & os.O_ACCMODE):
        os.close(fd)
        raise TemplateError(shown, errno.ETXTBSY, "open for writing")
    return _checked(fd, None, shown)


def _may_not_write(fd: int, mode: int) -> bool:
    """Would the kernel refuse to execute a file for this writer of it? Not for a memfd's."""
    if mode == os.O_RDONLY:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except (AttributeError, OSError):
        return True
    return mode == os.O_WRONLY


def _open(name: bytes) -> int:
    # O_NONBLOCK: a FIFO or a device must not hold us up before it is refused.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(name, flags)
    except PermissionError:
        if not hasattr(os, "O_PATH"):
            raise
        fd = os.open(name, os.O_PATH | os.O_CLOEXEC)
    if fd >= FIRST_FD:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
    finally:
        os.close(fd)


def _checked(fd: int, path: bytes | None, shown: str) -> Pinned:
    try:
        status = os.fstat(fd)
        _check_permission(fd, status, shown)
        script = _check_format(fd, path, shown)
    except OSError as error:
        os.close(fd)
        raise TemplateError(shown, error.errno or errno.EIO) from None
    except TemplateError:
        os.close(fd)
        raise
    return Pinned(fd, path, Identity.of(status), script)


def _check_permission(fd: int, status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise TemplateError(shown, errno.EACCES, "not a regular file")
    refusal = _ask_kernel(fd)
    if refusal is None:
        refusal = 0 if _may_execute(fd, status) else errno.EACCES
    if refusal:
        raise TemplateError(shown, refusal)


def _may_execute(fd: int, status: os.stat_result) -> bool:
    """What can be told without the kernel's own answer, which also knows security modules."""
    noexec = os.fstatvfs(fd).f_flag & getattr(os, "ST_NOEXEC", 0)
    if noexec or not status.st_mode & 0o111:
        return False
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    return os.access(f"{folder}/{fd}", os.X_OK, effective_ids=True)


def _ask_kernel(fd: int) -> int | None:
    """The errno that executing `fd` would meet, 0 for none; None where it cannot be asked.

    Source:
        execveat(2) with AT_EXECVE_CHECK, Linux 6.14. Older kernels would answer EINVAL;
        an emulation that ignored the flag would execute, so the release is looked at.
    """
    if sys.platform != "linux" or _release() < (6, 14):
        return None
    number = _SYS_EXECVEAT.get(os.uname().machine)
    if number is None:
        return None
    answers: list[int | None] = []
    asking = threading.Thread(target=lambda: answers.append(_check_alone(number, fd)))
    asking.start()
    asking.join()
    return answers[0] if answers else None


def _check_alone(number: int, fd: int) -> int | None:
    """Ask on a thread that ends afterwards.

    While the kernel looks at an executable, it refuses (EAGAIN) new threads to every task that
    shares the asker's working directory and umask: so this thread stops sharing them.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_FS) != 0:
        return None
    words = (ctypes.c_char_p * 2)(b"check", None)
    nothing = (ctypes.c_char_p * 1)(None)
    flags = _AT_EMPTY_PATH | _AT_EXECVE_CHECK
    if libc.syscall(number, fd, b"", words, nothing, flags) == 0:
        return 0
    refusal = ctypes.get_errno()
    return None if refusal in {errno.EINVAL, errno.ENOSYS, errno.EPERM} else refusal


def _release() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    digits = "".join(character for character in minor if character.isdigit())
    return int(major), int(digits or 0)


def _check_format(fd: int, path: bytes | None, shown: str) -> bool:
    try:
        header = os.pread(fd, elf.HEADER_SIZE, 0)
    except OSError as error:
        if error.errno == errno.EBADF:  # O_PATH: it may be executed, not read
            return False
        raise
    found = elf.look_at(header)
    if found.problem:
        raise TemplateError(shown, errno.ENOEXEC, found.problem)
    if found.script and path is None:
        raise TemplateError(
            shown, errno.ENOEXEC, "a script needs a path for its interpreter to open"
        )
    return found.script
