"""The RFC's error tables and self-tests, row by row, for every launcher.

docs/reference/spawn-template-conformance.md lists the same rows by the same ids, and those
that user space cannot reproduce, with the reason.
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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from realproc import finish, read_probe, run_host

from agent_exec.errors import LaunchError, TemplateError
from agent_exec.launch.base import Launcher
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.action import AT_FDCWD, CLOSE_RANGE_CLOEXEC, Action, ActionType, OpenHow

pytestmark = pytest.mark.timeout(20)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "spawn-template-conformance.md"
TRUE = "/bin/true"
ROOT = os.geteuid() == 0


@dataclass
class Bench:
    """What a row works with."""

    launcher: Launcher
    folder: Path
    probe: Path

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


def refusal(do: Callable[[], object]) -> int:
    with pytest.raises(TemplateError) as caught:
        do()
    return caught.value.errno


def elf(machine: int = 62, bits: int = 2, kind: int = 2) -> bytes:
    head = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9)
    return head + struct.pack("<HHI", kind, machine, 1) + bytes(40)


# What create refuses

CREATE: dict[str, tuple[Callable[[Bench], object], int]] = {
    "create-relative": (lambda b: b.create("bin/true"), errno.EINVAL),
    "create-empty-path": (lambda b: b.create(""), errno.EINVAL),
    "create-path-too-long": (lambda b: b.create("/" + "x" * 4096), errno.EINVAL),
    "create-negative-execfd": (lambda b: b.create(-1), errno.EINVAL),
    "create-missing": (lambda b: b.create(b.folder / "none"), errno.ENOENT),
    "create-through-a-file": (lambda b: b.create(b.file(b"x") / "y"), errno.ENOTDIR),
    "create-directory": (lambda b: b.create(b.folder), errno.EACCES),
    "create-no-x-bit": (lambda b: b.create(b.file(elf(), 0o644)), errno.EACCES),
    "create-script-by-descriptor": (lambda b: by_fd(b, b.file(b"#!/bin/sh\n")), errno.ENOEXEC),
    "create-empty-file": (lambda b: b.create(b.file(b"")), errno.ENOEXEC),
    "create-truncated": (lambda b: b.create(b.file(elf()[:40])), errno.ENOEXEC),
    "create-non-elf": (lambda b: b.create(b.file(b"echo no shebang\n")), errno.ENOEXEC),
    "create-foreign-machine": (lambda b: b.create(b.file(elf(machine=40))), errno.ENOEXEC),
    "create-32-bit": (lambda b: b.create(b.file(elf(machine=3, bits=1))), errno.ENOEXEC),
    "create-object-file": (lambda b: b.create(b.file(elf(kind=1))), errno.ENOEXEC),
    "create-execfd-closed": (lambda b: b.create(999), errno.EBADF),
    "create-execfd-o-path": (lambda b: by_fd(b, Path(TRUE), os.O_PATH), errno.EBADF),
    "create-execfd-directory": (lambda b: by_fd(b, b.folder), errno.EACCES),
    "create-execfd-no-x-bit": (lambda b: by_fd(b, b.file(elf(), 0o600)), errno.EACCES),
    "create-execfd-writable": (lambda b: by_fd(b, b.program(), os.O_RDWR), errno.ETXTBSY),
}


def by_fd(bench: Bench, path: Path, flags: int = os.O_RDONLY) -> SpawnTemplate:
    fd = os.open(path, flags)
    try:
        return bench.create(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("row", CREATE)
def test_create_refuses(bench: Bench, row: str) -> None:
    attempt, expected = CREATE[row]
    assert refusal(lambda: attempt(bench)) == expected


def kernel_has_execve_check() -> bool:
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(re.match(r"\d*", minor)[0] or 0)) >= (6, 14)  # type: ignore[index]


def row_create_writer_has_it_open(bench: Bench) -> None:
    path = bench.program()
    with path.open("r+b"):
        if kernel_has_execve_check():
            assert refusal(lambda: bench.create(path)) == errno.ETXTBSY
        else:
            bench.create(path).close()
    bench.create(path).close()


def row_create_fd_table_full(bench: Bench) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [os.open("/", os.O_PATH)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare[0] + 1, hard))
    try:
        assert refusal(lambda: bench.create(TRUE)) == errno.EMFILE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(spare[0])


def row_create_symlink_followed(bench: Bench) -> None:
    link = bench.folder / "link"
    link.symlink_to(TRUE)
    with bench.create(link) as template:
        assert template.executable.path == os.fsencode(link)
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


def row_create_execfd_unlinked(bench: Bench) -> None:
    path = bench.program()
    fd = os.open(path, os.O_RDONLY)
    path.unlink()
    with bench.create(fd) as template:
        os.close(fd)
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


def row_create_execfd_stays_the_callers(bench: Bench) -> None:
    fd = os.open(TRUE, os.O_RDONLY)
    bench.create(fd).close()
    os.close(fd)


# spawn


def row_spawn_null_argv_is_one_empty_word(bench: Bench) -> None:
    read_end, write_end = os.pipe()
    with bench.create(bench.probe) as template, os.fdopen(read_end) as output:
        child = template.spawn(None, None, [Action.dup2(write_end, 1)])
        os.close(write_end)
        seen = output.read().splitlines()
    assert finish(child) == (os.CLD_EXITED, 0)
    assert seen[:3] == ["argc 1", "argv0 ", f"execfn {bench.probe}"]  # and no "env" line


def row_spawn_credentials_differ(bench: Bench) -> None:
    with bench.create(TRUE) as template:
        template.launcher = Stranger(bench.launcher)
        foreign = SpawnTemplate.create(TRUE, launcher=template.launcher)
        foreign.launcher = bench.launcher
        assert refusal(lambda: foreign.spawn(["true"])) == errno.EACCES
        foreign.close()


class Stranger:
    """Somebody else's credentials."""

    def __init__(self, launcher: Launcher) -> None:
        self.name = launcher.name
        self.spawn = launcher.spawn
        self._credentials = bytes(len(launcher.credentials()))

    def credentials(self) -> bytes:
        return self._credentials


def row_spawn_in_a_forked_child(bench: Bench) -> None:
    with bench.create(TRUE) as template:
        pid = os.fork()
        if pid == 0:
            try:
                template.spawn(["true"])
            except TemplateError as error:
                os._exit(error.errno)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == errno.EACCES


def row_spawn_after_setresuid(bench: Bench) -> None:
    if not ROOT:
        pytest.skip("needs to be root")
    with bench.create(TRUE) as template:
        pid = os.fork()
        if pid == 0:  # its own template, made before it changes who it is
            own = bench.create(TRUE)
            os.setresuid(65534, 65534, 65534)
            try:
                own.spawn(["true"])
            except TemplateError as error:
                os._exit(error.errno)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == errno.EACCES
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


def row_spawn_closed_template(bench: Bench) -> None:
    template = bench.create(TRUE)
    template.close()
    template.close()
    assert refusal(lambda: template.spawn(["true"])) == errno.EBADF


def row_spawn_no_descriptors(bench: Bench) -> None:
    with bench.create(TRUE) as template:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken = [os.open("/dev/null", os.O_RDONLY)]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, limits[1]))
            with suppress(OSError):
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            with pytest.raises(LaunchError) as caught:
                template.spawn(["true"])
            assert caught.value.errno == errno.EMFILE
        finally:
            for fd in taken:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


def row_create_memfd_open_for_both(bench: Bench) -> None:
    fd = os.memfd_create("program")
    try:
        os.write(fd, Path(TRUE).read_bytes())
        with bench.create(fd) as template:
            assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)
            os.write(fd, b"x")
            assert refusal(lambda: template.spawn(["true"])) == errno.ESTALE
    finally:
        os.close(fd)


def row_spawn_256_actions(bench: Bench) -> None:
    with bench.create(TRUE) as template:
        assert finish(template.spawn(["true"], {}, [Action.sigdefault([1])] * 256))[1] == 0


def row_spawn_257_actions(bench: Bench) -> None:
    with bench.create(TRUE) as template:
        actions = [Action.sigdefault([1])] * 257
        assert refusal(lambda: template.spawn(["true"], {}, actions)) == errno.E2BIG


def row_spawn_malformed_before_stale(bench: Bench) -> None:
    """The RFC looks at the actions before it looks at the file."""
    path = bench.program()
    with bench.create(path) as template:
        path.chmod(0o700)
        assert refusal(lambda: template.spawn(["x"], {}, [Action(99)])) == errno.EINVAL


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
        STALE[row](path)
        assert refusal(lambda: template.spawn(["true"])) == errno.ESTALE
        assert refusal(template.check) == errno.ESTALE


def row_stale_execfd_renamed(bench: Bench) -> None:
    path = bench.program()
    with by_fd(bench, path) as template:
        path.rename(path.with_name("moved"))
        assert refusal(lambda: template.spawn(["true"])) == errno.ESTALE


def row_stale_is_not_sticky(bench: Bench) -> None:
    path = bench.program()
    link = bench.folder / "link"
    link.symlink_to(path)
    with bench.create(link) as template:
        link.unlink()
        assert refusal(lambda: template.spawn(["true"])) == errno.ESTALE
        link.symlink_to(path)
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


def row_reading_and_running_change_nothing(bench: Bench) -> None:
    path = bench.program()
    with bench.create(path) as template:
        for _ in range(3):
            path.read_bytes()
            assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


# mounts, in a namespace of their own

MOUNTS: dict[str, str] = {
    "create-noexec-mount": """
        mount("-o", "remount,noexec", home)
        say(lambda: SpawnTemplate.create(program, launcher=launcher))
    """,
    "stale-noexec-mount": """
        template = SpawnTemplate.create(program, launcher=launcher)
        mount("-o", "remount,noexec", home)
        say(lambda: template.spawn(["true"]))
    """,
    "stale-bind-mount": """
        template = SpawnTemplate.create(program, launcher=launcher)
        mount("--bind", "/bin/false", program)
        say(lambda: template.spawn(["true"]))
    """,
}


@pytest.mark.parametrize("row", MOUNTS)
def test_mounts_are_seen(tmp_path: Path, launcher_name: str, row: str) -> None:
    if not ROOT:
        pytest.skip("needs to be root, to mount")
    script = """
        import shutil, subprocess
        from agent_exec.errors import TemplateError
        from agent_exec.launch.spawn_template import SpawnTemplate
        home = sys.argv[1]
        program = home + "/program"
        def mount(*words):
            subprocess.run(["mount", *words], check=True)
        def say(do):
            try:
                do()
            except TemplateError as error:
                print(error.errno)
        mount("-t", "tmpfs", "tmpfs", home)
        shutil.copy("/bin/true", program)
        launcher = make_launcher(ENGINE)
    """ + MOUNTS[row]
    done = run_host(launcher_name, script, str(tmp_path), wrapper=("unshare", "--mount"))
    expected = errno.EACCES if row.startswith("create") else errno.ESTALE
    assert done.stdout == f"{expected}\n"


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
    "unknown-type": Action(7),
    "fd-of-more-than-32-bits": Action(ActionType.CLOSE, fd=2**31),
    "open-flags-of-more-than-64-bits": Action(ActionType.OPEN, arg=OpenHow(b"/", flags=2**64)),
    "open-path-of-no-bytes": Action(ActionType.OPEN, arg=OpenHow("/")),  # type: ignore[arg-type]
    "open-path-with-nul": Action(ActionType.OPEN, arg=OpenHow(b"/\0")),
    "signal-0": Action.sigdefault([0]),
    "signal-65": Action.sigmask([65]),
}


@pytest.mark.parametrize(
    ("argv", "envp", "says"),
    [
        pytest.param([], None, "argv is empty", id="no-argv"),
        pytest.param("true", None, "give a sequence", id="a-string-for-argv"),
        pytest.param(["a\0b"], None, "NUL", id="nul-in-argv"),
        pytest.param([1], None, "int", id="a-number-in-argv"),
        pytest.param(["\ud800"], None, "surrogates", id="no-character"),
        pytest.param(["true"], "A=1", "give a sequence", id="a-string-for-envp"),
        pytest.param(["true"], {"": "x"}, "can be called b''", id="a-variable-without-a-name"),
        pytest.param(["true"], {"A=B": "x"}, "can be called", id="a-name-with-an-equals-sign"),
        pytest.param(["true"], {"A": "\0"}, "NUL", id="nul-in-envp"),
    ],
)
def test_words_that_no_program_can_be_given_are_refused(
    bench: Bench, argv: Any, envp: Any, says: str
) -> None:
    with bench.create(TRUE) as template, pytest.raises(TemplateError, match=says) as caught:
        template.spawn(argv, envp)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("row", MALFORMED)
def test_spawn_refuses_a_malformed_action(bench: Bench, row: str) -> None:
    with bench.create(TRUE) as template:
        actions = [Action.sigdefault([1]), MALFORMED[row]]
        with pytest.raises(TemplateError, match="action 1") as caught:
            template.spawn(["true"], {}, actions)
        assert caught.value.errno == errno.EINVAL


# the 17 self-tests


def row_selftest_01_basic_spawn(bench: Bench) -> None:
    with bench.create(TRUE) as template:
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


def row_selftest_02_relative_path_rejected(bench: Bench) -> None:
    assert refusal(lambda: bench.create("true")) == errno.EINVAL


def row_selftest_03_execfd_permission_checked(bench: Bench) -> None:
    assert refusal(lambda: by_fd(bench, bench.file(elf(), 0o600))) == errno.EACCES


def row_selftest_04_default_fd_close(bench: Bench, extra: int) -> None:
    assert str(extra) not in bench.look()["descriptors"].split()


def row_selftest_05_close_range_max_fd(bench: Bench, extra: int) -> None:
    seen = bench.look(Action.close_range(extra), inherit_fds=True)
    assert str(extra) not in seen["descriptors"].split()


def row_selftest_06_dup2_stdio(bench: Bench) -> None:
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


def row_selftest_07_open_stdin(bench: Bench) -> None:
    path = bench.file(b"content", 0o600)
    read_end, write_end = os.pipe()
    with bench.create("/bin/cat") as template:
        opened = Action.open(0, OpenHow(os.fsencode(path)))
        child = template.spawn(["cat"], {}, [opened, Action.dup2(write_end, 1)])
    os.close(write_end)
    with os.fdopen(read_end, "rb") as output:
        assert output.read() == b"content"
    assert finish(child) == (os.CLD_EXITED, 0)


def row_selftest_08_fchdir(bench: Bench) -> None:
    fd = os.open(bench.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert bench.look(Action.fchdir(fd))["cwd"] == os.path.realpath(bench.folder)
    finally:
        os.close(fd)


def row_selftest_09_sigmask(bench: Bench) -> None:
    assert bench.look(Action.sigmask([signal.SIGUSR1]))["blocked"] == str(int(signal.SIGUSR1))


def row_selftest_10_sigdefault(bench: Bench) -> None:
    previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        number = str(int(signal.SIGUSR1))
        assert number in bench.look()["ignored"].split()
        assert number not in bench.look(Action.sigdefault([signal.SIGUSR1]))["ignored"].split()
    finally:
        signal.signal(signal.SIGUSR1, previous)


def row_selftest_11_inherit_fds(bench: Bench, extra: int) -> None:
    assert str(extra) in bench.look(inherit_fds=True)["descriptors"].split()


def row_selftest_12_pidfd_waitid(bench: Bench) -> None:
    with bench.create("/bin/sh") as template:
        child = template.spawn(["sh", "-c", "exit 7"])
    assert child.pidfd is not None
    assert not os.get_inheritable(child.pidfd)
    assert finish(child) == (os.CLD_EXITED, 7)


def row_selftest_15_deny_write_while_running(bench: Bench) -> None:
    """Not while a template lives, but while a child runs the file."""
    path = bench.file(Path("/bin/sleep").read_bytes())
    with bench.create(path) as template:
        child = template.spawn(["sleep", "1000"])
        with pytest.raises(OSError, match="Text file busy"):
            path.open("r+b")
        assert child.pidfd is not None
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        assert finish(child) == (os.CLD_KILLED, signal.SIGKILL)
        path.open("r+b").close()


def row_selftest_16_stale_path_rejected(bench: Bench) -> None:
    path = bench.program()
    with bench.create(path) as template:
        path.chmod(0o600)
        assert refusal(lambda: template.spawn(["true"])) == errno.ESTALE


def row_selftest_17_path_replacement(bench: Bench) -> None:
    path = bench.program()
    with bench.create(path) as old:
        bench.program("new").rename(path)
        assert refusal(lambda: old.spawn(["true"])) == errno.ESTALE
        with bench.create(path) as new:
            assert finish(new.spawn(["true"])) == (os.CLD_EXITED, 0)


# beyond the RFC


def row_beyond_scripts_work(bench: Bench) -> None:
    path = bench.file(b'#!/bin/sh\necho "$0 $1"\n')
    read_end, write_end = os.pipe()
    with bench.create(path) as template:
        child = template.spawn(["ignored", "word"], {}, [Action.dup2(write_end, 1)])
    os.close(write_end)
    with os.fdopen(read_end) as output:
        assert output.read() == f"{path} word\n"
    assert finish(child) == (os.CLD_EXITED, 0)


def row_beyond_comm_and_execfn_are_right(bench: Bench) -> None:
    seen = bench.look()
    assert (seen["comm"], seen["execfn"]) == (bench.probe.name, str(bench.probe))


def row_beyond_errno_of_the_child_side(bench: Bench) -> None:
    with bench.create(TRUE) as template, pytest.raises(LaunchError) as caught:
        template.spawn(["true"], {}, [Action.sigdefault([1]), Action.fchdir(999)])
    assert (caught.value.step, caught.value.errno, caught.value.action) == ("cwd", errno.EBADF, 1)


def row_beyond_missing_interpreter(bench: Bench) -> None:
    path = bench.file(b"#!/no/such/interpreter\n")
    with bench.create(path) as template, pytest.raises(LaunchError) as caught:
        template.spawn(["x"])
    assert (caught.value.step, caught.value.errno) == ("exec", errno.ENOENT)


def row_beyond_executable_but_not_readable(bench: Bench) -> None:
    path = bench.program()
    path.chmod(0o111)
    with bench.create(path) as template:
        assert finish(template.spawn(["true"])) == (os.CLD_EXITED, 0)


ROWS = {
    name.removeprefix("row_").replace("_", "-"): row
    for name, row in globals().items()
    if name.startswith("row_")
}


@pytest.mark.parametrize("row", ROWS)
def test_row(bench: Bench, row: str, request: pytest.FixtureRequest) -> None:
    wants_extra = "extra" in ROWS[row].__code__.co_varnames[: ROWS[row].__code__.co_argcount]
    ROWS[row](bench, *([request.getfixturevalue("extra")] if wants_extra else []))


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


def test_no_action_loses_the_program(bench: Bench, launcher_name: str) -> None:
    """By descriptor, so that the program's own number is among those that are closed."""
    if launcher_name == "portable":
        return  # it executes by path: there is no number to lose
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


# the page


def test_the_page_lists_exactly_these_rows() -> None:
    lines = re.findall(r"^\| `([\w-]+)` \|.*\| (.+?) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {row: verdict for row, _, verdict in lines}
    outcomes = {row: outcome for row, outcome, _ in lines}
    for row, (_, number) in CREATE.items():
        assert outcomes[row] == errno.errorcode[number], row
    assert {outcomes[row] for row in STALE} == {"ESTALE"}
    assert {outcomes[row] for row in MALFORMED} == {"EINVAL"}
    tested = {*CREATE, *STALE, *MALFORMED, *MOUNTS, *ROWS}
    reproduced = {row for row, verdict in listed.items() if not verdict.startswith("not ")}
    assert reproduced == tested
    for row, verdict in listed.items():
        assert verdict in {"same", "beyond"} or re.match(
            r"(finer|weaker|not reproduced): \S", verdict
        ), row
