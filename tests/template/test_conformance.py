"""The RFC's error tables and self-tests, row by row, for every launcher.

docs/reference/spawn-template-conformance.md lists the same rows by the same ids, and those
that user space cannot reproduce, with the reason. What a row finds is compared with the
outcome that the page states.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conformance import HOST, HOSTS, TRUE, outcome, read_page, refusal
from realproc import finish, read_probe, run_host

from agent_exec.errors import LaunchError, TemplateError, Unsupported
from agent_exec.launch.base import Launcher
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.action import (
    AT_FDCWD,
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    Action,
    ActionType,
    OpenHow,
)
from agent_exec.model.outcome import LauncherName

pytestmark = pytest.mark.timeout(20)

PAGE = read_page()
ROOT = os.geteuid() == 0


@dataclass
class Bench:
    """What a row works with."""

    launcher: Launcher
    folder: Path
    probe: Path

    @property
    def is_kernel(self) -> bool:
        """A template of the kernel's own: writers are held off, and no names are given."""
        return self.launcher.name is LauncherName.KERNEL

    def create(self, source: str | Path | int) -> SpawnTemplate:
        return SpawnTemplate.create(
            source if isinstance(source, int) else str(source), launcher=self.launcher
        )

    def file(self, content: bytes, mode: int = 0o755, name: str = "file") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def program(self, name: str = "program") -> Path:
        return self.file(Path(TRUE).read_bytes(), name=name)

    def look(self, *actions: Action, inherit_fds: bool = False) -> dict[str, str]:
        """What the probe finds itself to be."""
        read_end, write_end = os.pipe()
        with self.create(self.probe) as template, os.fdopen(read_end) as output:
            wired = (Action.dup2(write_end, 1), *actions)
            child = template.spawn(["probe"], {}, wired, inherit_fds=inherit_fds)
            os.close(write_end)
            text = output.read()
        assert finish(child) == (os.CLD_EXITED, 0)
        return read_probe(text)


@pytest.fixture
def bench(launcher: Launcher, tmp_path: Path, probe: Path) -> Bench:
    return Bench(launcher, tmp_path, probe)


@pytest.fixture
def extra() -> Iterator[int]:
    """A descriptor, well above 2, that an exec leaves open."""
    opened = os.open("/etc/hostname", os.O_RDONLY)
    fd = os.dup2(opened, 400, inheritable=True)
    os.close(opened)
    yield fd
    os.close(fd)


def elf(machine: int = 62, bits: int = 2, kind: int = 2, order: int = 1) -> bytes:
    head = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    return head + struct.pack("<HHI", kind, machine, 1) + bytes(40)


# What create refuses

CREATE: dict[str, Callable[[Bench], object]] = {
    "create-relative": lambda b: b.create("bin/true"),
    "create-empty-path": lambda b: b.create(""),
    "create-path-too-long": lambda b: b.create("/" + "x" * 4096),
    "create-negative-execfd": lambda b: b.create(-1),
    "create-missing": lambda b: b.create(b.folder / "none"),
    "create-through-a-file": lambda b: b.create(b.file(b"x") / "y"),
    "create-directory": lambda b: b.create(b.folder),
    "create-no-x-bit": lambda b: b.create(b.file(elf(), 0o644)),
    "create-script-by-descriptor": lambda b: by_fd(b, b.file(b"#!/bin/sh\n")),
    "create-empty-file": lambda b: b.create(b.file(b"")),
    "create-truncated": lambda b: b.create(b.file(elf()[:40])),
    "create-non-elf": lambda b: b.create(b.file(b"echo no shebang\n")),
    "create-foreign-machine": lambda b: b.create(b.file(elf(machine=40))),
    "create-other-byte-order": lambda b: b.create(b.file(elf(order=2))),
    "create-fifo": lambda b: b.create(fifo(b)),
    "create-32-bit": lambda b: b.create(b.file(elf(machine=3, bits=1))),
    "create-object-file": lambda b: b.create(b.file(elf(kind=1))),
    "create-execfd-closed": lambda b: b.create(999),
    "create-execfd-o-path": lambda b: by_fd(b, Path(TRUE), os.O_PATH),
    "create-execfd-directory": lambda b: by_fd(b, b.folder),
    "create-execfd-no-x-bit": lambda b: by_fd(b, b.file(elf(), 0o600)),
    "create-execfd-writable": lambda b: by_fd(b, b.program(), os.O_RDWR),
}


def fifo(bench: Bench) -> Path:
    path = bench.folder / "fifo"
    os.mkfifo(path, 0o755)
    return path


def by_fd(bench: Bench, path: Path, flags: int = os.O_RDONLY) -> SpawnTemplate:
    fd = os.open(path, flags)
    try:
        return bench.create(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("row", CREATE)
def test_create_refuses(bench: Bench, row: str) -> None:
    assert refusal(lambda: CREATE[row](bench)) == PAGE[row].outcome


def kernel_has_execve_check() -> bool:
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(re.match(r"\d*", minor)[0] or 0)) >= (6, 14)  # type: ignore[index]


def row_create_writer_has_it_open(bench: Bench) -> str:
    path = bench.program()
    with path.open("r+b"):
        if kernel_has_execve_check():
            assert refusal(lambda: bench.create(path)) == "ETXTBSY"
        else:
            bench.create(path).close()
    bench.create(path).close()
    return "ETXTBSY"


def row_create_fd_table_full(bench: Bench) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [os.open("/", os.O_PATH)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare[0] + 1, hard))
    try:
        return refusal(lambda: bench.create(TRUE))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(spare[0])


def row_create_symlink_followed(bench: Bench) -> str:
    link = bench.folder / "link"
    link.symlink_to(TRUE)
    with bench.create(link) as template:
        assert template.executable.path == os.fsencode(link)
        return f"{outcome(template)}; the path is kept as given"


def row_create_execfd_unlinked(bench: Bench) -> str:
    path = bench.program()
    fd = os.open(path, os.O_RDONLY)
    path.unlink()
    with bench.create(fd) as template:
        os.close(fd)
        return outcome(template)


def row_create_execfd_stays_the_callers(bench: Bench) -> str:
    fd = os.open(TRUE, os.O_RDONLY)
    with bench.create(fd) as template:
        os.close(fd)
        return outcome(template)


def row_create_memfd_that_is_open_for_writing(bench: Bench) -> str:
    fd = memfd()
    with bench.create(fd) as template:
        os.close(fd)
        return outcome(template)


def row_stale_memfd_written(bench: Bench) -> str:
    fd = memfd()
    with bench.create(fd) as template:
        os.write(fd, b"more")
        os.close(fd)
        return refusal(lambda: template.spawn(["true"]))


def memfd() -> int:
    """An executable memfd, open for reading and writing as memfd_create(2) leaves it."""
    fd = os.memfd_create("program")
    os.write(fd, Path(TRUE).read_bytes())
    os.fchmod(fd, 0o755)
    return fd


# spawn


def row_spawn_closed_template(bench: Bench) -> str:
    template = bench.create(TRUE)
    template.close()
    return refusal(lambda: template.spawn(["true"]))


def row_spawn_null_argv_is_one_empty_word(bench: Bench) -> str:
    read_end, write_end = os.pipe()
    with bench.create(bench.probe) as template, os.fdopen(read_end) as output:
        child = template.spawn(None, None, [Action.dup2(write_end, 1)])
        os.close(write_end)
        seen = output.read().splitlines()
    assert finish(child) == (os.CLD_EXITED, 0)
    assert seen[:2] == ["argc 1", "argv0 "]
    assert seen[2].startswith("execfn ")  # and no "env" line
    return "argc 1, empty environment"


def row_spawn_credentials_differ(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        template.launcher = Stranger(bench.launcher)
        foreign = SpawnTemplate.create(TRUE, launcher=template.launcher)
        foreign.launcher = bench.launcher
        with foreign:
            return refusal(lambda: foreign.spawn(["true"]))


class Stranger:
    """Somebody else's credentials."""

    def __init__(self, launcher: Launcher) -> None:
        self.name = launcher.name
        self.spawn = launcher.spawn
        self._credentials = bytes(len(launcher.credentials()))

    def credentials(self) -> bytes:
        return self._credentials


def row_spawn_256_actions(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, *[Action.sigdefault([1])] * 256)


def row_spawn_257_actions(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        actions = [Action.sigdefault([1])] * 257
        return refusal(lambda: template.spawn(["true"], {}, actions))


def row_spawn_malformed_before_stale(bench: Bench) -> str:
    """The RFC looks at the actions before it looks at the file."""
    path = bench.program()
    with bench.create(path) as template:
        path.chmod(0o700)
        return refusal(lambda: template.spawn(["x"], {}, [Action(99)]))


STALE: dict[str, Callable[[Path], object]] = {
    "stale-path-removed": lambda p: p.unlink(),
    "stale-path-replaced": lambda p: p.with_name("new").rename(p),
    "stale-chmod": lambda p: p.chmod(0o700),
    "stale-chmod-that-changes-nothing": lambda p: p.chmod(0o755),
    "stale-hard-link": lambda p: p.with_name("other").hardlink_to(p),
    "stale-written": lambda p: p.write_bytes(p.read_bytes() + b"x"),
    "stale-utime": lambda p: os.utime(p, ns=(1, 1)),
    "stale-parent-renamed": lambda p: p.parent.rename(p.parent.with_name("elsewhere")),
}


@pytest.mark.parametrize("row", STALE)
def test_spawn_finds_a_stale_template(bench: Bench, row: str) -> None:
    home = bench.folder / "home"
    home.mkdir()
    path = home / "program"
    for name in ("program", "new"):
        (home / name).write_bytes(Path(TRUE).read_bytes())
        (home / name).chmod(0o755)
    with bench.create(path) as template:
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)
        if bench.is_kernel and row == "stale-written":
            with pytest.raises(OSError, match=os.strerror(errno.ETXTBSY)):
                STALE[row](path)
            assert PAGE["kernel-stale-written"].outcome == "ETXTBSY for the writer"
            return
        STALE[row](path)
        assert refusal(lambda: template.spawn(["true"])) == PAGE[row].outcome
        assert refusal(template.check) == PAGE[row].outcome


def row_stale_execfd_renamed(bench: Bench) -> str:
    path = bench.program()
    with by_fd(bench, path) as template:
        path.rename(path.with_name("moved"))
        return refusal(lambda: template.spawn(["true"]))


def row_stale_is_not_sticky(bench: Bench) -> str:
    path = bench.program()
    link = bench.folder / "link"
    link.symlink_to(path)
    with bench.create(link) as template:
        link.unlink()
        assert refusal(lambda: template.spawn(["true"])) == "ESTALE"
        link.symlink_to(path)
        return f"{outcome(template)} again"


def row_reading_and_running_change_nothing(bench: Bench) -> str:
    path = bench.program()
    with bench.create(path) as template:
        for _ in range(3):
            path.read_bytes()
            assert outcome(template) == "works"
    return "works"


# actions: what is malformed, by the table of fields

MALFORMED: dict[str, Action] = {
    "close-negative-fd": Action(ActionType.CLOSE, fd=-1),
    "close-flags": Action(ActionType.CLOSE, fd=5, flags=1),
    "close-newfd": Action(ActionType.CLOSE, fd=5, newfd=1),
    "close-arg": Action(ActionType.CLOSE, fd=5, arg=frozenset({1})),
    "dup2-negative-fd": Action(ActionType.DUP2, fd=-1, newfd=1),
    "dup2-negative-newfd": Action(ActionType.DUP2, fd=1, newfd=-1),
    "dup2-unknown-flags": Action(ActionType.DUP2, fd=1, newfd=2, flags=os.O_NONBLOCK),
    "dup2-arg": Action(ActionType.DUP2, fd=1, newfd=2, arg=frozenset({1})),
    "fchdir-negative-fd": Action(ActionType.FCHDIR, fd=-1),
    "fchdir-flags": Action(ActionType.FCHDIR, fd=1, flags=1),
    "fchdir-newfd": Action(ActionType.FCHDIR, fd=1, newfd=1),
    "open-below-at-fdcwd": Action(ActionType.OPEN, fd=AT_FDCWD - 1, arg=OpenHow(b"/")),
    "open-negative-newfd": Action(ActionType.OPEN, fd=AT_FDCWD, newfd=-1, arg=OpenHow(b"/")),
    "open-flags": Action(ActionType.OPEN, fd=AT_FDCWD, flags=1, arg=OpenHow(b"/")),
    "open-no-arg": Action(ActionType.OPEN, fd=AT_FDCWD),
    "close-range-negative-fd": Action(ActionType.CLOSE_RANGE, fd=-1),
    "close-range-backwards": Action(ActionType.CLOSE_RANGE, fd=9, newfd=8),
    "close-range-below-max": Action(ActionType.CLOSE_RANGE, fd=9, newfd=-2),
    "close-range-unknown-flags": Action(ActionType.CLOSE_RANGE, fd=9, newfd=-1, flags=1),
    "close-range-arg": Action(ActionType.CLOSE_RANGE, fd=9, newfd=-1, arg=frozenset({1})),
    "sigmask-no-arg": Action(ActionType.SIGMASK),
    "sigmask-fd": Action(ActionType.SIGMASK, fd=1, arg=frozenset({1})),
    "sigmask-newfd": Action(ActionType.SIGMASK, newfd=1, arg=frozenset({1})),
    "sigmask-flags": Action(ActionType.SIGMASK, flags=1, arg=frozenset({1})),
    "sigdefault-no-arg": Action(ActionType.SIGDEFAULT),
    "sigdefault-fd": Action(ActionType.SIGDEFAULT, fd=1, arg=frozenset({1})),
    "sigmask-signal-0": Action.sigmask([0]),
    "sigdefault-signal-65": Action.sigdefault([65]),
    "open-path-with-a-nul": Action.open(0, OpenHow(b"/dev/null\0.txt")),
    "unknown-type": Action(7),
}


@pytest.mark.parametrize("row", MALFORMED)
def test_spawn_refuses_a_malformed_action(bench: Bench, row: str) -> None:
    with bench.create(TRUE) as template:
        actions = [Action.sigdefault([1]), MALFORMED[row]]
        with pytest.raises(TemplateError, match="action 1") as caught:
            template.spawn(["true"], {}, actions)
        assert errno.errorcode[caught.value.errno] == PAGE[row].outcome


# actions: what the child finds


def row_child_close_of_a_closed_descriptor(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.close(999))


def row_child_dup2_of_a_closed_descriptor(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.dup2(999, 0))


def row_child_dup2_to_itself_of_a_closed_descriptor(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.dup2(999, 999))


def row_child_dup2_to_itself_with_cloexec(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.dup2(0, 0, cloexec=True))


def row_child_dup2_to_itself_keeps_close_on_exec(bench: Bench, extra: int) -> str:
    os.set_inheritable(extra, False)
    seen = bench.look(Action.dup2(extra, extra), inherit_fds=True)
    assert str(extra) not in seen["descriptors"].split()
    return "closed by the exec"


def row_child_dup2_of_an_o_path_descriptor(bench: Bench) -> str:
    fd = os.open("/", os.O_PATH)
    try:
        with bench.create(TRUE) as template:
            return outcome(template, Action.dup2(fd, 0))
    finally:
        os.close(fd)


def row_child_dup2_does_not_survive_above_2(bench: Bench) -> str:
    assert bench.look(Action.dup2(0, 9))["descriptors"].split() == ["0", "1", "2"]
    return "closed before the exec"


def row_child_fchdir_to_a_file(bench: Bench) -> str:
    fd = os.open(TRUE, os.O_RDONLY)
    try:
        with bench.create(TRUE) as template:
            return outcome(template, Action.fchdir(fd))
    finally:
        os.close(fd)


def row_child_open_of_a_missing_file(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.open(0, OpenHow(b"/no/such/file")))


def row_child_open_beneath_a_closed_directory(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.open(0, OpenHow(b"file"), dirfd=999))


def row_child_open_with_a_mode_and_without_o_creat(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.open(0, OpenHow(b"/dev/null", mode=0o600)))


def row_child_open_with_o_cloexec(bench: Bench) -> str:
    how = OpenHow(b"/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    assert "0" not in bench.look(Action.open(0, how))["descriptors"].split()
    return "closed by the exec"


def row_child_open_that_resolve_forbids(bench: Bench) -> str:
    beneath = 0x08
    escape = Action.open(0, OpenHow(b"/dev/null", resolve=beneath))
    with bench.create(TRUE) as template:
        if bench.launcher.name is not LauncherName.PORTABLE:
            return outcome(template, escape)
        with pytest.raises(Unsupported, match="the vfork launcher can"):
            template.spawn(["true"], {}, [escape])
    return "EXDEV at step stdio, action 0"


def row_child_close_range_with_unshare(bench: Bench, extra: int) -> str:
    seen = bench.look(Action.close_range(extra, flags=CLOSE_RANGE_UNSHARE), inherit_fds=True)
    assert str(extra) not in seen["descriptors"].split()
    os.fstat(extra)
    return "closed in the child only"


def row_child_close_range_with_cloexec(bench: Bench, extra: int) -> str:
    seen = bench.look(Action.close_range(extra, flags=CLOSE_RANGE_CLOEXEC), inherit_fds=True)
    assert str(extra) not in seen["descriptors"].split()
    return "closed by the exec"


def row_child_sigmask_of_kill_and_stop(bench: Bench) -> str:
    blocked = bench.look(Action.sigmask([signal.SIGKILL, signal.SIGSTOP, signal.SIGUSR1]))
    assert blocked["blocked"] == str(int(signal.SIGUSR1))
    return "dropped silently"


def row_child_sigdefault_of_every_signal(bench: Bench) -> str:
    assert not bench.look(Action.sigdefault(range(1, 65)))["ignored"].split()
    return "works"


def row_child_words_too_long(bench: Bench) -> str:
    with bench.create(TRUE) as template, pytest.raises(LaunchError) as caught:
        template.spawn(["true", "x" * (4 << 20)])
    return f"{errno.errorcode[caught.value.errno]} at step {caught.value.step}"


# the 17 self-tests

ASSERTED = "as the self-test asserts"


def row_selftest_01_basic_spawn(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)
    return ASSERTED


def row_selftest_02_relative_path_rejected(bench: Bench) -> str:
    assert refusal(lambda: bench.create("true")) == "EINVAL"
    return ASSERTED


def row_selftest_03_execfd_permission_checked(bench: Bench) -> str:
    assert refusal(lambda: by_fd(bench, bench.file(elf(), 0o600))) == "EACCES"
    return ASSERTED


def row_selftest_04_default_fd_close(bench: Bench, extra: int) -> str:
    assert str(extra) not in bench.look()["descriptors"].split()
    return ASSERTED


def row_selftest_05_close_range_max_fd(bench: Bench, extra: int) -> str:
    seen = bench.look(Action.close_range(extra), inherit_fds=True)
    assert str(extra) not in seen["descriptors"].split()
    return ASSERTED


def row_selftest_06_dup2_stdio(bench: Bench) -> str:
    out, err = os.pipe(), os.pipe()
    with bench.create("/bin/sh") as template:
        child = template.spawn(
            ["sh", "-c", "echo to-out; echo to-err >&2"],
            {},
            [Action.dup2(out[1], 1), Action.dup2(err[1], 2)],
        )
    os.close(out[1])
    os.close(err[1])
    with os.fdopen(out[0]) as first, os.fdopen(err[0]) as second:
        assert (first.read(), second.read()) == ("to-out\n", "to-err\n")
    assert finish(child) == (os.CLD_EXITED, 0)
    return ASSERTED


def row_selftest_07_open_stdin(bench: Bench) -> str:
    path = bench.file(b"content", 0o600)
    read_end, write_end = os.pipe()
    with bench.create("/bin/cat") as template:
        opened = Action.open(0, OpenHow(os.fsencode(path)))
        child = template.spawn(["cat"], {}, [opened, Action.dup2(write_end, 1)])
    os.close(write_end)
    with os.fdopen(read_end, "rb") as output:
        assert output.read() == b"content"
    assert finish(child) == (os.CLD_EXITED, 0)
    return ASSERTED


def row_selftest_08_fchdir(bench: Bench) -> str:
    fd = os.open(bench.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert bench.look(Action.fchdir(fd))["cwd"] == os.path.realpath(bench.folder)
    finally:
        os.close(fd)
    return ASSERTED


def row_selftest_09_sigmask(bench: Bench) -> str:
    assert bench.look(Action.sigmask([signal.SIGUSR1]))["blocked"] == str(int(signal.SIGUSR1))
    return ASSERTED


def row_selftest_10_sigdefault(bench: Bench) -> str:
    previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        number = str(int(signal.SIGUSR1))
        assert number in bench.look()["ignored"].split()
        assert number not in bench.look(Action.sigdefault([signal.SIGUSR1]))["ignored"].split()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    return ASSERTED


def row_selftest_11_inherit_fds(bench: Bench, extra: int) -> str:
    assert str(extra) in bench.look(inherit_fds=True)["descriptors"].split()
    return ASSERTED


def row_selftest_12_pidfd_waitid(bench: Bench) -> str:
    with bench.create("/bin/sh") as template:
        child = template.spawn(["sh", "-c", "exit 7"])
    assert child.pidfd is not None
    assert not os.get_inheritable(child.pidfd)
    assert finish(child) == (os.CLD_EXITED, 7)
    return ASSERTED


def row_selftest_15_deny_write_while_running(bench: Bench) -> str:
    """Not while a template lives, but while a child runs the file; the kernel's do both."""
    path = bench.file(Path("/bin/sleep").read_bytes())
    with bench.create(path) as template:
        child = template.spawn(["sleep", "1000"])
        with pytest.raises(OSError, match="Text file busy"):
            path.open("r+b")
        assert child.pidfd is not None
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        assert finish(child) == (os.CLD_KILLED, signal.SIGKILL)
        if bench.is_kernel:
            with pytest.raises(OSError, match="Text file busy"):
                path.open("r+b")
            assert PAGE["kernel-deny-write-for-a-templates-life"].outcome == "ETXTBSY"
            template.close()
        path.open("r+b").close()
    return ASSERTED


def row_selftest_16_stale_path_rejected(bench: Bench) -> str:
    path = bench.program()
    with bench.create(path) as template:
        path.chmod(0o600)
        assert refusal(lambda: template.spawn(["true"])) == "ESTALE"
    return ASSERTED


def row_selftest_17_path_replacement(bench: Bench) -> str:
    path = bench.program()
    with bench.create(path) as old:
        bench.program("new").rename(path)
        assert refusal(lambda: old.spawn(["true"])) == "ESTALE"
        with bench.create(path) as new:
            assert finish(new.spawn(["true"])) == (os.CLD_EXITED, 0)
    return ASSERTED


# beyond the RFC


def row_beyond_scripts_work(bench: Bench) -> str:
    path = bench.file(b'#!/bin/sh\necho "$0 $1"\n')
    read_end, write_end = os.pipe()
    with bench.create(path) as template:
        child = template.spawn(["ignored", "word"], {}, [Action.dup2(write_end, 1)])
    os.close(write_end)
    with os.fdopen(read_end) as output:
        assert output.read() == f"{path} word\n"
    assert finish(child) == (os.CLD_EXITED, 0)
    return "run by path"


def row_beyond_comm_and_execfn_are_right(bench: Bench) -> str:
    seen = bench.look()
    if not bench.is_kernel:
        assert (seen["comm"], seen["execfn"]) == (bench.probe.name, str(bench.probe))
    return "the path's name, and the path"


def row_beyond_errno_of_the_child_side(bench: Bench) -> str:
    with bench.create(TRUE) as template:
        return outcome(template, Action.sigdefault([1]), Action.fchdir(999))


def row_beyond_missing_interpreter(bench: Bench) -> str:
    with bench.create(bench.file(b"#!/no/such/interpreter\n")) as template:
        return outcome(template)


def row_beyond_executable_but_not_readable(bench: Bench) -> str:
    path = bench.program()
    path.chmod(0o111)
    with bench.create(path) as template:
        return outcome(template)


ROWS = {
    name.removeprefix("row_").replace("_", "-"): row
    for name, row in globals().items()
    if name.startswith("row_")
}


@pytest.mark.parametrize("row", ROWS)
def test_row(bench: Bench, row: str, request: pytest.FixtureRequest) -> None:
    wants_extra = "extra" in ROWS[row].__code__.co_varnames[: ROWS[row].__code__.co_argcount]
    found = ROWS[row](bench, *([request.getfixturevalue("extra")] if wants_extra else []))
    assert found == PAGE[row].outcome


@pytest.mark.parametrize("row", HOSTS)
def test_row_with_a_host_of_its_own(
    launcher_name: str, row: str, tmp_path: Path, mount_namespace: tuple[str, ...]
) -> None:
    done = run_host(
        launcher_name, HOST + HOSTS[row], str(tmp_path), wrapper=mount_namespace, check=False
    )
    assert (set(done.stdout.splitlines()), done.stderr) == ({PAGE[row].outcome}, "")


@pytest.fixture
def mount_namespace() -> tuple[str, ...]:
    """The words before a command that give it mounts of its own. They need root."""
    words = ("unshare", "--mount")
    if subprocess.run([*words, "/bin/true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs a mount namespace")
    return words


def test_the_pinned_file_runs_when_the_path_changes_in_mid_launch(tmp_path: Path) -> None:
    """An OPEN of a FIFO holds the child between the check and its exec."""
    from agent_exec.launch.vfork import VforkLauncher

    fifo, path = tmp_path / "fifo", tmp_path / "program"
    os.mkfifo(fifo)
    path.write_bytes(Path(TRUE).read_bytes())
    path.chmod(0o755)
    replacement = tmp_path / "new"
    replacement.write_bytes(Path("/bin/false").read_bytes())
    replacement.chmod(0o755)
    script = (
        f"import os; os.rename({str(replacement)!r}, {str(path)!r}); "
        f"os.close(os.open({str(fifo)!r}, os.O_WRONLY))"
    )
    with SpawnTemplate.create(str(path), launcher=VforkLauncher()) as template:
        helper = subprocess.Popen([sys.executable, "-c", script])
        child = template.spawn(["x"], {}, [Action.open(0, OpenHow(os.fsencode(fifo)))])
        assert finish(child) == (os.CLD_EXITED, 0)  # true, not false
        assert helper.wait() == 0


def test_no_action_loses_the_program(bench: Bench) -> None:
    """By descriptor, so that the program's own number is among those that are closed."""
    fd = os.open(bench.probe, os.O_RDONLY)
    with bench.create(fd) as template:
        held = template.executable.fd
        null = Action.open(1, OpenHow(b"/dev/null", os.O_WRONLY))
        for action in (
            Action.close_range(3, flags=CLOSE_RANGE_CLOEXEC),
            Action.close_range(3),
            Action.dup2(1, held),
            Action.close(held),
        ):
            child = template.spawn(["probe"], {}, [null, action])
            assert finish(child) == (os.CLD_EXITED, 0)
    os.close(fd)


KERNEL = {"kernel-stale-written", "kernel-deny-write-for-a-templates-life"}
"""What is otherwise where the kernel has templates of its own; within the rows above."""

# the page


def test_the_page_lists_exactly_these_rows() -> None:
    tested = {*CREATE, *STALE, *MALFORMED, *ROWS, *HOSTS, *KERNEL}
    assert {row for row, listed in PAGE.items() if listed.is_reproduced} == tested


@pytest.mark.parametrize("row", PAGE)
def test_the_page_gives_a_verdict_and_the_reason_for_a_difference(row: str) -> None:
    assert re.fullmatch(r"same|beyond|(finer|weaker|not reproduced): \S.*", PAGE[row].verdict)
