"""The 17 self-tests of the `spawn_template` RFC, with our own encoding of its calls.

Each makes the calls themselves, without the checks and second tries of the launcher, and tells
what the kernel did otherwise.

Source:
    tools/testing/selftests/exec/spawn_template.c of the RFC: the numbers, the names, and
    what each asserts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from agent_exec.launch import kernel_abi as abi
from agent_exec.launch.kernel_template import KernelTemplate
from agent_exec.launch.system_call import Memory, SystemCall
from agent_exec.model.action import Action, OpenHow
from agent_exec.named_tuple import NamedTuple

_TRUE, _SHELL = "/bin/true", "/bin/sh"
_HIGH = 200
_ACTIONS_OFFSET = 24  # in struct spawn_template_create_args
_WORKED = (os.CLD_EXITED, 0)


class SelfTest(NamedTuple):
    """What one of them has found."""

    number: int
    """From 1, as in the RFC."""
    name: str
    problem: str
    """What the kernel did otherwise; empty: it passed."""


class _FailedError(Exception):
    """The kernel did something else than the RFC says."""


class _Bench:
    """The calls, and a folder for programs."""

    def __init__(self, call: SystemCall, calls: abi.Calls, folder: str) -> None:
        self.call = call
        self.folder = folder
        self._calls = calls

    def create(self, path: str = "", execfd: int = -1) -> KernelTemplate:
        name = os.fsencode(path) if path else None
        return KernelTemplate.create(self.call, self._calls, path=name, execfd=execfd)

    def copy(self, program: str, name: str, mode: int = 0o755) -> str:
        path = shutil.copy(program, os.path.join(self.folder, name))
        os.chmod(path, mode)
        return path

    def run(self, script: str, *actions: Action, inherit_fds: bool = False) -> str:
        """What ``sh -c script`` writes."""
        with _pipe() as (read_end, write_end):
            wired = (Action.dup2(write_end, 1), *actions)
            _start(self.create(_SHELL), script, wired, inherit_fds=inherit_fds)
            return _everything(read_end)


_Case: TypeAlias = Callable[[_Bench], None]


def run_self_tests(call: SystemCall) -> Iterator[SelfTest]:
    """Run all 17, one after the other, on a kernel that has the calls.

    From the main thread: one of them ignores a signal for a moment. Writes in a temporary
    folder only.
    """
    calls = abi.CALLS[os.uname().machine]
    for number, (name, case) in enumerate(_CASES.items(), 1):
        with tempfile.TemporaryDirectory(prefix="agent_exec-self-test-") as folder:
            try:
                case(_Bench(call, calls, folder))
            except (OSError, _FailedError) as error:
                yield SelfTest(number, name, str(error))
            else:
                yield SelfTest(number, name, "")


def _expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise _FailedError(f"found {found!r}, expected {wanted!r}")


def _refused(number: int, do: Callable[[], object]) -> None:
    try:
        do()
    except OSError as error:
        found = errno.errorcode.get(error.errno or 0, str(error.errno))
        _expect(found, errno.errorcode[number])
    else:
        raise _FailedError(f"not refused, expected {errno.errorcode[number]}")


def _start(
    template: KernelTemplate, script: str, actions: tuple[Action, ...], *, inherit_fds: bool = False
) -> None:
    """A shell that must exit with 0; what it writes fits into a pipe."""
    words = (b"sh", b"-c", os.fsencode(script))
    _expect(_end(template.spawn(words, (), actions, inherit_fds=inherit_fds)), _WORKED)


def _end(child: tuple[int, int]) -> tuple[int, int]:
    pid, pidfd = child
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
    assert ended is not None
    _expect(ended.si_pid, pid)
    return ended.si_code, ended.si_status


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    try:
        yield read_end, write_end
    finally:
        os.close(read_end)
        os.close(write_end)


def _everything(read_end: int) -> str:
    """What a child that has ended wrote."""
    os.set_blocking(read_end, False)
    return os.read(read_end, 65536).decode()


@contextmanager
def _extra() -> Iterator[int]:
    """A descriptor that an exec leaves open."""
    opened = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    extra = fcntl.fcntl(opened, fcntl.F_DUPFD, _HIGH)
    os.close(opened)
    try:
        yield extra
    finally:
        os.close(extra)


def _is_open(fd: int) -> str:
    return f"if [ -e /proc/self/fd/{fd} ]; then echo open; else echo closed; fi"


def _signal_set(name: str) -> str:
    read = f'while read -r key value; do [ "$key" != {name}: ] || echo "$value"; done'
    return f"{read} </proc/$$/status"


def _basic_spawn(bench: _Bench) -> None:
    _expect(_end(bench.create(_TRUE).spawn((b"true",), (), ())), _WORKED)


def _relative_path(bench: _Bench) -> None:
    _refused(errno.EINVAL, lambda: bench.create("true"))


def _execfd_permission(bench: _Bench) -> None:
    fd = os.open(bench.copy(_TRUE, "program", 0o600), os.O_RDONLY | os.O_CLOEXEC)
    try:
        _refused(errno.EACCES, lambda: bench.create(execfd=fd))
    finally:
        os.close(fd)


def _default_close(bench: _Bench) -> None:
    with _extra() as fd:
        _expect(bench.run(_is_open(fd)), "closed\n")


def _close_range(bench: _Bench) -> None:
    with _extra() as fd:
        found = bench.run(_is_open(fd), Action.close_range(fd), inherit_fds=True)
        _expect(found, "closed\n")


def _dup2_stdio(bench: _Bench) -> None:
    with _pipe() as (out, to_out), _pipe() as (err, to_err):
        actions = (Action.dup2(to_out, 1), Action.dup2(to_err, 2))
        _start(bench.create(_SHELL), "echo out; echo err >&2", actions)
        _expect((_everything(out), _everything(err)), ("out\n", "err\n"))


def _open_stdin(bench: _Bench) -> None:
    path = os.path.join(bench.folder, "input")
    with open(path, "w", encoding="ascii") as file:
        file.write("content\n")
    how = OpenHow(os.fsencode(path))
    _expect(bench.run('read -r line; echo "$line"', Action.open(0, how)), "content\n")


def _fchdir(bench: _Bench) -> None:
    fd = os.open(bench.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = bench.run("pwd -P", Action.fchdir(fd))
    finally:
        os.close(fd)
    _expect(found, f"{os.path.realpath(bench.folder)}\n")


def _sigmask(bench: _Bench) -> None:
    found = bench.run(_signal_set("SigBlk"), Action.sigmask({signal.SIGUSR1}))
    _expect(int(found, 16), 1 << signal.SIGUSR1 - 1)


def _sigdefault(bench: _Bench) -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        ignored = bench.run(_signal_set("SigIgn"))
        found = bench.run(_signal_set("SigIgn"), Action.sigdefault({signal.SIGUSR1}))
    finally:
        signal.signal(signal.SIGUSR1, before)
    bit = 1 << signal.SIGUSR1 - 1
    _expect((int(ignored, 16) & bit, int(found, 16) & bit), (bit, 0))


def _inherit_fds(bench: _Bench) -> None:
    with _extra() as fd:
        _expect(bench.run(_is_open(fd), inherit_fds=True), "open\n")


def _pidfd_waitid(bench: _Bench) -> None:
    pid, pidfd = bench.create(_TRUE).spawn((b"true",), (), ())
    link = os.readlink(f"/proc/self/fd/{pidfd}")
    inheritable = os.get_inheritable(pidfd)
    _expect(_end((pid, pidfd)), _WORKED)
    _expect((link.startswith(("anon_inode:[pidfd]", "pidfd:")), inheritable), (True, False))


def _create_time_actions(bench: _Bench) -> None:
    memory = Memory()
    words = bytearray(abi.create_args(filename=memory.place(b"/bin/true\0")))
    action = memory.place(abi.actions([Action.close(0)], memory.place))
    struct.pack_into("=2Q", words, _ACTIONS_OFFSET, action, 1)
    answer = bench.call(abi.CREATE, memory.place(bytes(words)), abi.CREATE_SIZE)
    if answer >= 0:
        os.close(answer)
    _expect(answer, -errno.EINVAL)


def _script(bench: _Bench) -> None:
    path = os.path.join(bench.folder, "script")
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n")
    os.chmod(path, 0o755)
    _refused(errno.ENOEXEC, lambda: bench.create(path))


def _deny_write(bench: _Bench) -> None:
    path = bench.copy(_TRUE, "program")
    template = bench.create(path)
    _refused(errno.ETXTBSY, lambda: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC)))
    del template
    os.close(os.open(path, os.O_WRONLY))


def _stale_path(bench: _Bench) -> None:
    path = bench.copy(_TRUE, "program")
    template = bench.create(path)
    os.chmod(path, 0o600)
    _refused(errno.ESTALE, lambda: template.spawn((b"program",), (), ()))


def _replacement(bench: _Bench) -> None:
    path = bench.copy(_TRUE, "program")
    template = bench.create(path)
    os.rename(bench.copy(_TRUE, "update"), path)
    _refused(errno.ESTALE, lambda: template.spawn((b"program",), (), ()))
    _expect(_end(bench.create(path).spawn((b"program",), (), ())), _WORKED)


_CASES: Final[dict[str, _Case]] = {
    "basic spawn": _basic_spawn,
    "relative path rejected": _relative_path,
    "execfd execute permission checked": _execfd_permission,
    "default fd close": _default_close,
    "close_range action max fd": _close_range,
    "dup2 stdio actions": _dup2_stdio,
    "open action stdin": _open_stdin,
    "fchdir action": _fchdir,
    "sigmask action": _sigmask,
    "sigdefault action": _sigdefault,
    "inherit fds flag": _inherit_fds,
    "pidfd waitid": _pidfd_waitid,
    "create-time actions rejected": _create_time_actions,
    "script template unsupported": _script,
    "deny write while template alive": _deny_write,
    "stale path rejected": _stale_path,
    "path replacement allows tool update": _replacement,
}
NAMES: Final = tuple(_CASES)
"""Of the self-tests, in the RFC's order."""
