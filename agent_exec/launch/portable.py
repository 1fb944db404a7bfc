"""Turn a `SpawnPlan` into a running `Child` with what every POSIX system has.

No native code of ours: the ordered actions are worked out in the parent, and libc's
posix_spawn(3) is given the result. `PortableLauncher` says what is lost by that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from agent_exec.errors import LaunchError, Step, TemplateError, Unsupported
from agent_exec.launch import pinned
from agent_exec.launch.libc_spawn import ALL_SIGNALS, LibcSpawn, Setup
from agent_exec.model.action import (
    AT_FDCWD,
    CLOSE_RANGE_CLOEXEC,
    MAX_FD,
    Action,
    ActionType,
    OpenHow,
)
from agent_exec.model.child import Child
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import Executable, SpawnPlan
from agent_exec.template.pin import on_noexec_mount

# libc tells only an errno. execve(2) knows the first two as well, for a process over its
# limits, where clone(2) is the likelier to have met them.
_OF_THE_SPAWN = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENOSYS, errno.EMFILE, errno.ENFILE})
_EXEC_TRIES = 6
_FIRST_PAUSE = 0.0005  # seconds


@dataclass(frozen=True, slots=True)
class _Entry:
    """A descriptor of the child: the parent's descriptor that it will be a copy of."""

    host: int
    cloexec: bool


@dataclass(frozen=True, slots=True)
class _Range:
    """What a CLOSE_RANGE did to every descriptor that no other action has touched."""

    first: int
    last: int
    cloexec: bool

    def holds(self, fd: int) -> bool:
        return self.first <= fd and (self.last == MAX_FD or fd <= self.last)


class _RefusedError(Exception):
    """An action that would fail in the child."""

    def __init__(self, step: Step, error: int) -> None:
        super().__init__(step, error)
        self.step = step
        self.errno = error


class _Picture:
    """The child as the actions so far would have made it.

    Files that an OPEN names are opened here, in the parent, and closed by `owned`.
    """

    def __init__(self, plan: SpawnPlan, owned: ExitStack) -> None:
        self._owned = owned
        self._entries: dict[int, _Entry | None] = {}  # None: closed
        self._ranges: list[_Range] = []
        self._inherit = plan.inherit_fds
        self.cwd: int | None = None
        self.blocked: frozenset[int] | None = frozenset() if plan.reset_signals else None
        self.default: frozenset[int] = ALL_SIGNALS if plan.reset_signals else frozenset()

    def run(self, action: Action) -> None:
        match action.type:
            case ActionType.CLOSE:
                self._lookup(action.fd, Step.STDIO)
                self._entries[action.fd] = None
            case ActionType.DUP2:
                self._dup(action)
            case ActionType.FCHDIR:
                self._change_directory(action.fd)
            case ActionType.OPEN:
                assert isinstance(action.arg, OpenHow)
                self._open(action.fd, action.newfd, action.arg)
            case ActionType.CLOSE_RANGE:
                cloexec = bool(action.flags & CLOSE_RANGE_CLOEXEC)
                self._close_range(_Range(action.fd, action.newfd, cloexec))
            case ActionType.SIGMASK:
                assert isinstance(action.arg, frozenset)
                self.blocked = action.arg
            case ActionType.SIGDEFAULT:
                assert isinstance(action.arg, frozenset)
                self.default |= action.arg
            case _:
                raise _RefusedError(Step.SPAWN, errno.EINVAL)

    def moves(self) -> list[tuple[int, int]]:
        """(parent's descriptor, child's descriptor), in no particular order."""
        return [
            (entry.host, fd)
            for fd, entry in self._entries.items()
            if entry is not None and not entry.cloexec and self._reaches_child(fd)
        ]

    def closes(self, candidates: Iterable[int]) -> list[int]:
        """Those that have to be closed for the child not to get the parent's."""
        moved = {fd for _, fd in self.moves()}
        return [
            fd
            for fd in candidates
            if _is_inheritable(fd)
            and fd not in moved
            and not (self._reaches_child(fd) and self._survives(fd))
        ]

    def _reaches_child(self, fd: int) -> bool:
        return fd <= 2 or self._inherit

    def _survives(self, fd: int) -> bool:
        return fd not in self._entries and not any(gone.holds(fd) for gone in self._ranges)

    def _lookup(self, fd: int, step: Step) -> int:
        """The parent's descriptor that the child's `fd` is now a copy of."""
        if fd in self._entries:
            entry = self._entries[fd]
            if entry is not None:
                return entry.host
        elif not any(gone.holds(fd) and not gone.cloexec for gone in self._ranges):
            with suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_GETFD)
                return fd
        raise _RefusedError(step, errno.EBADF)

    def _install(self, newfd: int, entry: _Entry) -> None:
        if newfd >= resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
            raise _RefusedError(Step.STDIO, errno.EBADF)
        self._entries[newfd] = entry

    def _dup(self, action: Action) -> None:
        host = self._lookup(action.fd, Step.STDIO)
        cloexec = bool(action.flags & os.O_CLOEXEC)
        if action.fd != action.newfd:
            self._install(action.newfd, _Entry(host, cloexec))
        elif cloexec:  # dup3(2)
            raise _RefusedError(Step.STDIO, errno.EINVAL)

    def _change_directory(self, fd: int) -> None:
        host = self._lookup(fd, Step.CWD)
        if not stat.S_ISDIR(os.fstat(host).st_mode):
            raise _RefusedError(Step.CWD, errno.ENOTDIR)
        if not os.access(".", os.X_OK, dir_fd=host, effective_ids=True):
            raise _RefusedError(Step.CWD, errno.EACCES)
        self.cwd = host

    def _open(self, dirfd: int, newfd: int, how: OpenHow) -> None:
        if how.resolve:
            raise Unsupported(
                "the portable launcher cannot restrict how a path is resolved (openat2); "
                "the vfork launcher can"
            )
        makes_file = how.flags & os.O_CREAT or (
            sys.platform == "linux" and how.flags & os.O_TMPFILE == os.O_TMPFILE
        )
        if how.mode and not makes_file:  # openat2(2)
            raise _RefusedError(Step.STDIO, errno.EINVAL)
        host_dir = self.cwd
        if dirfd != AT_FDCWD and not os.path.isabs(how.path):
            host_dir = self._lookup(dirfd, Step.STDIO)
        # O_NOCTTY: a terminal must not become the parent's.
        try:
            host = os.open(how.path, how.flags | os.O_NOCTTY, how.mode, dir_fd=host_dir)
        except OSError as error:
            raise _RefusedError(Step.STDIO, error.errno or errno.EIO) from error
        self._owned.callback(os.close, host)
        self._install(newfd, _Entry(host, bool(how.flags & os.O_CLOEXEC)))

    def _close_range(self, closed: _Range) -> None:
        for fd, entry in self._entries.items():
            if not closed.holds(fd):
                continue
            if not closed.cloexec:
                self._entries[fd] = None
            elif entry is not None:
                self._entries[fd] = _Entry(entry.host, cloexec=True)
        self._ranges.append(closed)


def _open_fds() -> list[int]:
    return [int(name) for name in os.listdir("/dev/fd")]


def _is_inheritable(fd: int) -> bool:
    """Whether `fd` is open, and stays so over an exec."""
    try:
        return not fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    except OSError:  # EBADF
        return False


class PortableLauncher:
    """Starts children with libc's posix_spawn(3). Linux and macOS.

    It promises what `Launcher` promises, and gives less than the vfork launcher:

    * The actions are worked out in the parent before there is a child, so a file of an
      OPEN is opened by the parent, even when the launch then fails. A terminal that is
      opened so does not become the child's controlling terminal. RESOLVE_* is refused.
    * A program is executed by path, right after the path was found to be the pinned
      file; the vfork launcher asks once more in the child. A template that was made from
      a descriptor is executed as ``/proc/self/fd/N``, and its ``comm`` is ``N``.
    * The step of a failure in the child is told by errno: EAGAIN, ENOMEM and ENOSYS are
      taken for a failed spawn, all else for a failed exec.
    * The child's pidfd is opened after it has exec'd. Where somebody else's wait(2) was
      quicker than that, there is none.
    * `die_with_parent` is not available, and ignored.
    * A child cannot be confined: a plan that asks for it is refused.
    * Other threads' pipes stay open in the child until its exec, not only until its last
      action. With `inherit_fds`, with a template made from a descriptor, and where libc
      has no closefrom, what another thread opens inheritable during the launch
      reaches the child too. (Python opens nothing so.)

    Stateless: any number of threads may use one.
    """

    name = LauncherName.PORTABLE

    def __init__(self) -> None:
        self._libc = LibcSpawn()

    def credentials(self) -> bytes:
        """Process, users and groups. Capabilities are not looked at."""
        if sys.platform == "linux":
            users, groups = os.getresuid(), os.getresgid()
        else:
            users, groups = (os.getuid(), os.geteuid()), (os.getgid(), os.getegid())
        return repr((os.getpid(), users, groups, sorted(os.getgroups()))).encode()

    def spawn(self, plan: SpawnPlan) -> Child:
        """Start the child of `plan`. Blocks the calling thread until it has exec'd.

        Raises:
            TemplateError: ESTALE or EACCES, see `pinned.check`.
            LaunchError: The step, errno and action that failed.
            Unsupported: An action or a confinement cannot be had here; the message says which
                launcher can.
            ValueError: A word with a NUL in it, which the exec would silently cut.
        """
        for word in (*plan.argv, *plan.envp):
            if b"\0" in word:
                raise ValueError(f"embedded NUL: {word!r}")
        if plan.confinement is not None:
            raise Unsupported(
                "the portable launcher cannot confine a child; the vfork launcher can"
            )
        executable = plan.executable
        pinned.check(executable, self.credentials())
        name = executable.name
        if executable.script and executable.path is None:
            raise TemplateError(name, errno.ESTALE, "a script is executed by path")
        with ExitStack() as owned:
            picture = _Picture(plan, owned)
            for index, action in enumerate(plan.actions):
                try:
                    picture.run(action)
                except _RefusedError as refusal:
                    raise LaunchError(name, refusal.step, refusal.errno, action=index) from refusal
            if picture.cwd is not None and not self._libc.has_fchdir:
                raise Unsupported(
                    "this libc's posix_spawn(3) cannot change directory; the vfork launcher can"
                )
            with _as_launch_error(executable):
                return _adopt(self._start(plan, picture, owned))

    def _start(self, plan: SpawnPlan, picture: _Picture, owned: ExitStack) -> int:
        moves = picture.moves()
        above = max([2, *(target for _, target in moves)]) + 1
        by_descriptor = plan.executable.path is None
        close_from = None
        candidates: Iterable[int] = range(3)
        if self._libc.has_close_from and not plan.inherit_fds and not by_descriptor:
            close_from = 3
        else:
            candidates = _open_fds()
        setup = Setup(
            session=plan.session,
            default=picture.default,
            blocked=picture.blocked,
            cwd=picture.cwd,
            moves=[(_clear_of(source, above, owned), target) for source, target in moves],
            closes=picture.closes(candidates),
            close_from=close_from,
        )
        program = _path_to_execute(plan.executable, above, owned)
        return self._spawn_unless_busy(program, plan.argv, plan.envp, setup)

    def _spawn_unless_busy(
        self, program: bytes, argv: Sequence[bytes], envp: Sequence[bytes], setup: Setup
    ) -> int:
        # ETXTBSY: somebody has just written the file, and a process forked meanwhile holds
        # the writer's descriptor until its own exec (golang/go#22315).
        for attempt in range(_EXEC_TRIES - 1):
            try:
                return self._libc.spawn(program, argv, envp, setup)
            except OSError as error:
                if error.errno != errno.ETXTBSY:
                    raise
            time.sleep(_FIRST_PAUSE * 2**attempt)
        return self._libc.spawn(program, argv, envp, setup)


@contextmanager
def _as_launch_error(executable: Executable) -> Iterator[None]:
    name = executable.name
    try:
        yield
    except OSError as error:
        number = error.errno or errno.EIO
        if number == errno.EACCES and on_noexec_mount(executable):
            raise TemplateError(name, errno.ESTALE, "the mount is noexec now") from error
        step = Step.SPAWN if number in _OF_THE_SPAWN else Step.EXEC
        raise LaunchError(name, step, number) from error


def _clear_of(source: int, above: int, owned: ExitStack) -> int:
    """`source`, or a copy of it, at `above` or higher: out of every target's way."""
    if source >= above:
        return source
    copy = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, above)
    owned.callback(os.close, copy)
    return copy


def _path_to_execute(executable: Executable, above: int, owned: ExitStack) -> bytes:
    if executable.path is not None:
        return executable.path if executable.called is None else executable.called
    fd = _clear_of(executable.fd, above, owned)
    if sys.platform == "darwin":
        return fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")
    return b"/proc/self/fd/%d" % fd


def _adopt(pid: int) -> Child:
    """The child `pid`, which nobody has waited for yet, as far as we know."""
    if sys.platform != "linux":
        return Child(pid, None)
    try:
        return Child(pid, os.pidfd_open(pid))
    except ProcessLookupError:
        return Child(pid, None)  # ended, and reaped by somebody else
    except OSError:
        _discard(pid)
        raise


def _discard(pid: int) -> None:
    try:
        # While it can be waited for, the number is its own.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # reaped by somebody else
