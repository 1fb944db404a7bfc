"""Open an executable once, and be sure of what was opened."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import threading

from agent_exec.errors import TemplateError
from agent_exec.model.plan import Executable, Identity
from agent_exec.named_tuple import NamedTuple
from agent_exec.template import formats
from agent_exec.template.directory import FIRST_FD

_PATH_MAX = 4096
_SYS_EXECVEAT = {"x86_64": 322, "aarch64": 281}
_AT_EMPTY_PATH = 0x1000
_AT_EXECVE_CHECK = 0x10000
_CLONE_FS = 0x200


class Pinned(NamedTuple):
    """An open executable. Whoever holds it closes `fd`."""

    fd: int
    path: bytes | None
    execfd: int | None
    """The caller's number of the descriptor that `fd` is a copy of; None when it has a path."""
    identity: Identity
    script: bool


def pin_path(path: str | bytes | os.PathLike[str], *, busy: bool = False) -> Pinned:
    """Open the program at an absolute path; links are followed, the path is kept as given.

    A file that may be executed but not read is opened with O_PATH; its format is then
    found out by the launch.

    Args:
        path: Of the program.
        busy: Also one that somebody has open for writing: a process that was forked in the
            wrong moment may hold a writer's descriptor, and a launch waits for that to end.

    Raises:
        TemplateError: EINVAL for what is no path, and for one that is empty, relative, too
            long or holds a NUL; what the file system said (ENOENT, ENOTDIR, ELOOP, EACCES);
            EACCES for what is no regular file, has no execute permission or lies on a noexec
            mount; ETXTBSY while
            somebody has it open for writing (where the kernel can be asked: 6.14);
            ENOEXEC for what is no program of this machine; EMFILE, ENFILE.
    """
    try:
        name = os.fsencode(path)
    except (TypeError, UnicodeEncodeError) as error:
        raise TemplateError(ascii(path), errno.EINVAL, str(error)) from None
    shown = os.fsdecode(name)
    if not name.startswith(b"/") or b"\0" in name:
        raise TemplateError(shown, errno.EINVAL, "a template takes an absolute path")
    if len(name) >= _PATH_MAX:
        raise TemplateError(shown, errno.EINVAL, f"a path has at most {_PATH_MAX - 1} bytes")
    try:
        fd = _open(name)
    except OSError as error:
        raise TemplateError(shown, error.errno or errno.EIO) from None
    return _checked(fd, name, None, shown, busy=busy)


def pin_descriptor(execfd: int) -> Pinned:
    """Pin the file behind a descriptor, which stays the caller's.

    Raises:
        TemplateError: EBADF for a closed or O_PATH descriptor; ETXTBSY for one open for
            writing, except that memfd_create(2) made, which execve(2) does not count as a
            writer; ENOEXEC also for a script: its interpreter has to open it by a name.
            Otherwise as `pin_path`.
    """
    shown = f"descriptor {execfd}"
    if execfd < 0:
        raise TemplateError(shown, errno.EINVAL, "a descriptor is at least 0")
    try:
        mode = fcntl.fcntl(execfd, fcntl.F_GETFL)
        if mode & getattr(os, "O_PATH", 0):
            raise TemplateError(shown, errno.EBADF, "opened with O_PATH")
        _check_access(execfd, mode & os.O_ACCMODE, shown)
        fd = fcntl.fcntl(execfd, fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
    except (OSError, OverflowError) as error:
        raise TemplateError(shown, getattr(error, "errno", None) or errno.EBADF) from None
    return _checked(fd, None, execfd, shown)


def may_be_executed(executable: Executable) -> bool:
    """Does access(2) allow it, here and now? Not the last word: it goes by the real user.

    Unlike statvfs(3), it finds a noexec mount without asking the file system.
    """
    return os.access(executable.path or _name(executable.fd), os.X_OK)


def on_noexec_mount(executable: Executable) -> bool:
    """Does the file that would be executed lie on a noexec mount now?

    Raises:
        OSError: It cannot be looked at.
    """
    return _is_noexec(executable.fd if executable.path is None else executable.path)


def _is_noexec(file: int | bytes) -> bool:
    return bool(os.statvfs(file).f_flag & getattr(os, "ST_NOEXEC", 0))


def _check_access(execfd: int, access: int, shown: str) -> None:
    if access == os.O_RDONLY or not stat.S_ISREG(os.fstat(execfd).st_mode):
        return
    if access == os.O_WRONLY or not _is_memfd(execfd):
        raise TemplateError(shown, errno.ETXTBSY, "open for writing")


def _is_memfd(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:")
    except FileNotFoundError:  # no /proc
        return False


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


def _checked(
    fd: int, path: bytes | None, execfd: int | None, shown: str, *, busy: bool = False
) -> Pinned:
    try:
        status = os.fstat(fd)
        _check_permission(fd, path, status, shown, busy=busy)
        script = _check_format(fd, path, shown)
    except OSError as error:
        os.close(fd)
        raise TemplateError(shown, error.errno or errno.EIO) from None
    except TemplateError:
        os.close(fd)
        raise
    return Pinned(fd, path, execfd, Identity.of(status), script)


def _check_permission(
    fd: int, path: bytes | None, status: os.stat_result, shown: str, *, busy: bool
) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise TemplateError(shown, errno.EACCES, "not a regular file")
    refusal = _ask_kernel(fd)
    if refusal is None:
        refusal = 0 if _may_execute(fd, path, status) else errno.EACCES
    if refusal and not (busy and refusal == errno.ETXTBSY):
        raise TemplateError(shown, refusal)


def _may_execute(fd: int, path: bytes | None, status: os.stat_result) -> bool:
    """What can be told without the kernel's own answer, which also knows security modules."""
    if _is_noexec(fd) or not status.st_mode & 0o111:
        return False
    # Elsewhere /dev/fd/N has a mode of its own.
    name = path if path is not None and sys.platform != "linux" else _name(fd)
    return os.access(name, os.X_OK, effective_ids=True)


def _name(fd: int) -> bytes:
    folder = b"/proc/self/fd" if sys.platform == "linux" else b"/dev/fd"
    return b"%b/%d" % (folder, fd)


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
    import ctypes  # noqa: PLC0415 - seldom asked

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
        header = os.pread(fd, formats.HEADER_SIZE, 0)
    except OSError as error:
        if error.errno == errno.EBADF:  # O_PATH: it may be executed, not read
            return False
        raise
    found = formats.look_at(header)
    if found.problem:
        raise TemplateError(shown, errno.ENOEXEC, found.problem)
    if found.script and path is None:
        raise TemplateError(
            shown, errno.ENOEXEC, "a script needs a path for its interpreter to open"
        )
    return found.script
