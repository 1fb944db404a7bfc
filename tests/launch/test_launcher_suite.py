"""What every launcher promises: one suite that all of them pass."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from realproc import Plans, finish, output_of, read_probe, run_host

from agent_exec.errors import LaunchError, Step, TemplateError, Unsupported
from agent_exec.launch.base import Launcher
from agent_exec.model.action import (
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    MAX_FD,
    Action,
    OpenHow,
)
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import SpawnPlan

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def plans(launcher: Launcher) -> Iterator[Plans]:
    with Plans(launcher) as made:
        yield made


@pytest.fixture
def look(launcher: Launcher, plans: Plans, probe: Path) -> Callable[..., dict[str, str]]:
    """What the probe program finds itself to be, started with some fields of a plan."""
    return lambda *words, **fields: read_probe(
        output_of(launcher, plans.stage(probe, *words, **fields))
    )


@pytest.fixture
def inheritable() -> Iterator[int]:
    """A descriptor, at least 3, that an exec leaves open."""
    fd = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(fd, True)
    yield fd
    os.close(fd)


# What the child is


def test_the_child_gets_exactly_the_words_and_environment_of_the_plan(
    look: Callable[..., dict[str, str]],
) -> None:
    child = look(argv=(b"zero", b"", b"a b", b"\xff"), envp=(b"ONLY=this",))
    assert (child["argv0"], child["argv1"], child["argv2"]) == ("zero", "", "a b")
    assert (child["argv3"], child["argc"], child["env"]) == ("\udcff", "4", "ONLY=this")


def test_names_are_those_that_any_exec_would_give(
    launcher: Launcher, look: Callable[..., dict[str, str]], probe: Path
) -> None:
    child = look()
    assert child["argv0"] == "probe"
    if launcher.name is not LauncherName.KERNEL:  # the RFC gives none
        assert (child["execfn"], child["comm"]) == (str(probe), "probe")


def test_a_template_made_from_a_descriptor_runs_the_pinned_file(
    launcher: Launcher, plans: Plans, probe: Path
) -> None:
    executable = plans.pin(probe, by_descriptor=True)
    text = output_of(launcher, plans.stage(executable, argv=(b"by-descriptor",)))
    assert read_probe(text)["argv0"] == "by-descriptor"
    assert read_probe(text)["descriptors"] == "0 1 2"


def test_a_script_runs_by_path(launcher: Launcher, plans: Plans, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('#!/bin/sh\necho "$0" "$1"\n')
    script.chmod(0o755)
    assert output_of(launcher, plans.stage(script, "word")) == f"{script} word\n"


def test_a_session_is_led_by_the_child_and_has_no_terminal(
    look: Callable[..., dict[str, str]],
) -> None:
    child = look(session=True)
    assert (child["leads_session"], child["leads_group"], child["terminal"]) == ("1", "1", "0")


def test_without_a_session_the_child_stays_in_ours(look: Callable[..., dict[str, str]]) -> None:
    child = look(session=False)
    assert (child["leads_session"], child["leads_group"]) == ("0", "0")


def test_the_child_is_ours_and_its_pidfd_is_close_on_exec(launcher: Launcher, plans: Plans) -> None:
    child = launcher.spawn(plans.stage("/bin/true"))
    assert child.pidfd is not None
    assert not os.get_inheritable(child.pidfd)
    assert finish(child) == (os.CLD_EXITED, 0)


# Descriptors


def test_nothing_above_stderr_reaches_the_child(
    look: Callable[..., dict[str, str]], inheritable: int
) -> None:
    assert look()["descriptors"] == "0 1 2"


def test_with_inherit_fds_exactly_the_inheritable_ones_do(
    look: Callable[..., dict[str, str]], inheritable: int
) -> None:
    there = look(inherit_fds=True)["descriptors"].split()
    ours = [fd for fd in os.listdir("/proc/self/fd") if _is_inheritable(int(fd))]
    assert sorted(there) == sorted({*ours, "0", "1", "2"})


def _is_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


@pytest.mark.parametrize(
    ("actions", "inherit", "expected"),
    [
        pytest.param([Action.close(0)], False, "1 2", id="close"),
        pytest.param([Action.dup2(1, 9)], False, "0 1 2", id="dup2-above-2-is-closed"),
        pytest.param([Action.dup2(1, 900)], True, "0 1 2 900", id="dup2-above-2-inherited"),
        pytest.param([Action.dup2(1, 900, cloexec=True)], True, "0 1 2", id="dup2-cloexec"),
        pytest.param([Action.dup2(1, 0, cloexec=True)], False, "1 2", id="dup2-cloexec-to-0"),
        pytest.param([Action.dup2(1, 1)], False, "0 1 2", id="dup2-same"),
        pytest.param([Action.close_range(0, 0)], False, "1 2", id="close-range"),
        pytest.param([Action.dup2(1, 900), Action.close_range(3)], True, "0 1 2", id="to-max"),
        pytest.param(
            [Action.close_range(3), Action.dup2(1, 900)], True, "0 1 2 900", id="range-then-dup2"
        ),
        pytest.param(
            [Action.dup2(1, 900), Action.close_range(899, 901, flags=CLOSE_RANGE_CLOEXEC)],
            True,
            "0 1 2",
            id="range-cloexec",
        ),
        pytest.param(
            [Action.dup2(1, 900), Action.close_range(901, MAX_FD, flags=CLOSE_RANGE_UNSHARE)],
            True,
            "0 1 2 900",
            id="range-unshare-and-beside",
        ),
    ],
)
def test_descriptor_actions(
    look: Callable[..., dict[str, str]], actions: list[Action], inherit: bool, expected: str
) -> None:
    # The test runner's own inheritable descriptors are nobody's business here.
    hidden = [
        Action.close(int(fd))
        for fd in os.listdir("/proc/self/fd")
        if int(fd) > 2 and _is_inheritable(int(fd))
    ]
    child = look(actions=(*(hidden if inherit else ()), *actions), inherit_fds=inherit)
    assert child["descriptors"] == expected


def test_actions_run_in_order(launcher: Launcher, plans: Plans) -> None:
    """1 and 2 change places through a third number, as a shell does it: 3>&1 1>&2 2>&3."""
    read_end, write_end = os.pipe()
    swap = (
        Action.dup2(write_end, 2),
        Action.dup2(1, 7),
        Action.dup2(2, 1),
        Action.dup2(7, 2),
        Action.close(7),
    )
    text = output_of(launcher, plans.sh("echo out; echo err >&2", actions=swap))
    os.close(write_end)
    with os.fdopen(read_end) as other:
        assert (text, other.read()) == ("err\n", "out\n")


def test_the_hosts_own_standard_descriptors_may_change_places(
    launcher: Launcher, plans: Plans, tmp_path: Path
) -> None:
    with open(tmp_path / "0", "w+b") as zero, open(tmp_path / "1", "w+b") as one:
        saved = os.dup(0), os.dup(1)
        os.dup2(zero.fileno(), 0)
        os.dup2(one.fileno(), 1)
        try:
            swap = (Action.dup2(0, 9), Action.dup2(1, 0), Action.dup2(9, 1))
            plan = plans.sh("echo zero >&0; echo one >&1", actions=swap)
            ended = finish(launcher.spawn(plan))
        finally:
            for number, fd in enumerate(saved):
                os.dup2(fd, number)
                os.close(fd)
    assert ended == (os.CLD_EXITED, 0)
    assert ((tmp_path / "0").read_text(), (tmp_path / "1").read_text()) == ("one\n", "zero\n")


def test_open_reads_a_file_beneath_a_directory(
    launcher: Launcher, plans: Plans, tmp_path: Path
) -> None:
    (tmp_path / "input").write_text("content\n")
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    plan = plans.stage("/bin/cat", actions=(Action.open(0, OpenHow(b"input"), dirfd=folder),))
    assert output_of(launcher, plan) == "content\n"
    os.close(folder)


def test_open_after_fchdir_is_relative_to_it(
    launcher: Launcher, plans: Plans, tmp_path: Path
) -> None:
    (tmp_path / "input").write_text("here\n")
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    actions = (Action.fchdir(folder), Action.open(0, OpenHow(b"input")))
    assert output_of(launcher, plans.stage("/bin/cat", actions=actions)) == "here\n"
    os.close(folder)


def test_open_makes_a_file_with_its_mode(launcher: Launcher, plans: Plans, tmp_path: Path) -> None:
    made = tmp_path / "made"
    how = OpenHow(os.fsencode(made), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    child = launcher.spawn(plans.sh("echo text", actions=(Action.open(1, how),)))
    assert finish(child) == (os.CLD_EXITED, 0)
    assert (made.read_text(), stat.S_IMODE(made.stat().st_mode)) == ("text\n", 0o600)


def test_an_open_with_cloexec_is_closed_by_the_exec(look: Callable[..., dict[str, str]]) -> None:
    how = OpenHow(b"/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    assert look(actions=(Action.open(0, how),))["descriptors"] == "1 2"


def test_fchdir_is_where_the_child_works(
    look: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    assert look(actions=(Action.fchdir(folder),))["cwd"] == str(tmp_path)
    os.close(folder)


def test_a_directory_that_vanished_is_worked_in_all_the_same(
    look: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    folder = os.open(gone, os.O_RDONLY | os.O_DIRECTORY)
    gone.rmdir()
    assert look(actions=(Action.fchdir(folder),))["cwd"] == os.strerror(errno.ENOENT)
    os.close(folder)


def test_the_pinned_program_survives_an_action_on_its_number(
    launcher: Launcher, plans: Plans, probe: Path
) -> None:
    executable = plans.pin(probe, by_descriptor=True)
    actions = (Action.dup2(1, executable.fd), Action.close_range(3, MAX_FD))
    text = output_of(launcher, plans.stage(executable, argv=(b"probe",), actions=actions))
    assert read_probe(text)["descriptors"] == "0 1 2"


# Signals


def test_signals_start_afresh_when_asked(launcher: Launcher, plans: Plans, probe: Path) -> None:
    with _unusual_signals():
        child = read_probe(output_of(launcher, plans.stage(probe, reset_signals=True)))
    assert (child["blocked"], child["ignored"]) == ("", "")


def test_signals_are_inherited_unless_asked_otherwise(
    launcher: Launcher, plans: Plans, probe: Path
) -> None:
    with _unusual_signals():
        child = read_probe(output_of(launcher, plans.stage(probe, reset_signals=False)))
    assert child["blocked"] == str(signal.SIGUSR2.value)
    assert {signal.SIGHUP, signal.SIGUSR1} <= set(map(int, child["ignored"].split()))


def test_libcs_own_signals_are_not_left_ignored(launcher: Launcher, plans: Plans) -> None:
    """glibc's posix_spawn(3) does that to 32 and 33, unless told otherwise.

    CPython 3.13 may have started us by it.
    """
    plan = plans.stage("/bin/cat", "/proc/self/status", reset_signals=False)
    theirs, ours = (
        int(dict(line.split(":\t") for line in text.splitlines())["SigIgn"], 16)
        for text in (output_of(launcher, plan), Path("/proc/self/status").read_text())
    )
    assert theirs & ~ours & 0b11 << 31 == 0


def test_signal_actions_are_carried_out(launcher: Launcher, plans: Plans, probe: Path) -> None:
    actions = (
        Action.sigmask({signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP}),
        Action.sigdefault({signal.SIGHUP}),
    )
    with _unusual_signals():
        plan = plans.stage(probe, reset_signals=False, actions=actions)
        child = read_probe(output_of(launcher, plan))
    assert child["blocked"] == str(signal.SIGTERM.value)
    ignored = set(map(int, child["ignored"].split()))
    assert signal.SIGHUP not in ignored
    assert signal.SIGUSR1 in ignored


def test_a_mask_action_wins_over_the_fresh_start(
    launcher: Launcher, plans: Plans, probe: Path
) -> None:
    plan = plans.stage(probe, reset_signals=True, actions=(Action.sigmask({signal.SIGINT}),))
    assert read_probe(output_of(launcher, plan))["blocked"] == str(signal.SIGINT.value)


class _unusual_signals:  # noqa: N801 - used like a function
    """SIGHUP and SIGUSR1 ignored, SIGUSR2 blocked."""

    def __enter__(self) -> None:
        self._before = {
            signum: signal.signal(signum, signal.SIG_IGN)
            for signum in (signal.SIGHUP, signal.SIGUSR1)
        }
        self._mask = signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2})

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for signum, handler in self._before.items():
            signal.signal(signum, handler)


# Failures: the errno, the step, the action; nothing is left (see conftest.py)


def test_a_failed_launch_says_where_and_why(
    launcher: Launcher, plans: Plans, tmp_path: Path, failing: tuple[SpawnPlan, LaunchError]
) -> None:
    plan, expected = failing
    with pytest.raises(LaunchError) as raised:
        launcher.spawn(plan)
    told = raised.value
    assert (told.step, told.errno, told.action, told.program) == (
        expected.step,
        expected.errno,
        expected.action,
        expected.program,
    )


_FAILURES = [
    "directory",
    "no-x-bit",
    "foreign-elf",
    "empty-file",
    "script-without-interpreter",
    "argument-list-too-long",
    "close-unopened",
    "dup2-unopened",
    "dup2-closed-before",
    "dup2-beyond-the-limit",
    "dup2-same-unopened",
    "dup2-same-cloexec",
    "fchdir-unopened",
    "fchdir-to-file",
    "open-missing",
    "open-mode-without-create",
    "open-beneath-file",
    "second-action",
]


@pytest.fixture(params=_FAILURES)
def failing(
    request: pytest.FixtureRequest, plans: Plans, tmp_path: Path, probe: Path
) -> Iterator[tuple[SpawnPlan, LaunchError]]:
    kind = request.param
    file = os.open("/dev/null", os.O_RDONLY)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    missing = OpenHow(os.fsencode(tmp_path / "missing"))
    actions: dict[str, tuple[Step, int, list[Action]]] = {
        "close-unopened": (Step.STDIO, errno.EBADF, [Action.close(999)]),
        "dup2-unopened": (Step.STDIO, errno.EBADF, [Action.dup2(999, 1)]),
        "dup2-closed-before": (
            Step.STDIO,
            errno.EBADF,
            [Action.close(0), Action.dup2(0, 2)],
        ),
        "dup2-beyond-the-limit": (Step.STDIO, errno.EBADF, [Action.dup2(1, limit)]),
        "dup2-same-unopened": (Step.STDIO, errno.EBADF, [Action.dup2(999, 999)]),
        "dup2-same-cloexec": (Step.STDIO, errno.EINVAL, [Action.dup2(1, 1, cloexec=True)]),
        "fchdir-unopened": (Step.CWD, errno.EBADF, [Action.fchdir(999)]),
        "fchdir-to-file": (Step.CWD, errno.ENOTDIR, [Action.fchdir(file)]),
        "open-missing": (Step.STDIO, errno.ENOENT, [Action.open(0, missing)]),
        "open-mode-without-create": (
            Step.STDIO,
            errno.EINVAL,
            [Action.open(0, OpenHow(b"/dev/null", os.O_RDONLY, 0o600))],
        ),
        "open-beneath-file": (
            Step.STDIO,
            errno.ENOTDIR,
            [Action.open(0, OpenHow(b"name"), dirfd=file)],
        ),
        "second-action": (
            Step.STDIO,
            errno.EBADF,
            [Action.close_range(0, 0), Action.dup2(0, 1)],
        ),
    }
    if kind in actions:
        step, number, wanted = actions[kind]
        failed = len(wanted) - 1
        plan = plans.stage("/bin/true", actions=tuple(wanted))
        yield plan, LaunchError("/bin/true", step, number, action=failed)
    else:
        program, number, words = _unrunnable(kind, tmp_path, probe)
        plan = plans.stage(program, *words)
        yield plan, LaunchError(str(program), Step.EXEC, number)
    os.close(file)


def _unrunnable(kind: str, tmp_path: Path, probe: Path) -> tuple[Path, int, list[str]]:
    program = tmp_path / "program"
    match kind:
        case "directory":
            program.mkdir()
            return program, errno.EACCES, []
        case "no-x-bit":
            program.write_bytes(probe.read_bytes())
            program.chmod(0o644)
            return program, errno.EACCES, []
        case "foreign-elf":
            image = bytearray(probe.read_bytes())
            image[18:20] = b"\x16\x00"  # e_machine: S/390
            program.write_bytes(image)
        case "empty-file":
            program.write_bytes(b"")
        case "script-without-interpreter":
            program.write_text("#!/nowhere/to/be/found\n")
            program.chmod(0o755)
            return program, errno.ENOENT, []
        case "argument-list-too-long":
            return Path("/bin/true"), errno.E2BIG, ["x" * (1 << 20)]
    program.chmod(0o755)
    return program, errno.ENOEXEC, []


def test_a_directory_that_may_not_be_entered(launcher_name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    script = """
        import tempfile
        from agent_exec.errors import LaunchError
        launcher = make_launcher(ENGINE)
        os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
        with tempfile.TemporaryDirectory() as folder, Plans(launcher) as plans:
            fd = os.open(folder, os.O_RDONLY)
            os.chmod(folder, 0o600)
            try:
                launcher.spawn(plans.stage("/bin/true", actions=(Action.fchdir(fd),)))
            except LaunchError as error:
                print(error.step, error.errno, error.action)
            os.chmod(folder, 0o700)
    """
    assert run_host(launcher_name, script).stdout == f"cwd {errno.EACCES} 0\n"


@pytest.mark.parametrize("field", ["argv", "envp"])
def test_a_nul_byte_is_refused(launcher: Launcher, plans: Plans, field: str) -> None:
    """execve(2) would silently cut the word there."""
    with pytest.raises(ValueError, match=r"NUL|null"):
        launcher.spawn(plans.stage("/bin/true", **{field: (b"zero", b"a\0b")}))


@pytest.mark.parametrize("change", ["replaced", "rewritten", "removed", "mode", "moved"])
def test_a_stale_template_is_refused(
    launcher: Launcher, plans: Plans, tmp_path: Path, probe: Path, change: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    program = folder / "program"
    program.write_bytes(probe.read_bytes())
    program.chmod(0o755)
    plan = plans.stage(program)
    if change == "replaced":
        other = tmp_path / "other"
        other.write_bytes(probe.read_bytes())
        other.chmod(0o755)
        other.rename(program)
    elif change == "rewritten":
        program.write_bytes(probe.read_bytes() + b"\0")
    elif change == "removed":
        program.unlink()
    elif change == "mode":
        program.chmod(0o700)
    else:  # the pinned file itself is as it was
        folder.rename(tmp_path / "elsewhere")
        folder.mkdir()
        program.write_bytes(probe.read_bytes())
        program.chmod(0o755)
    with pytest.raises(TemplateError) as raised:
        launcher.spawn(plan)
    assert (raised.value.errno, raised.value.path) == (errno.ESTALE, str(program))


def test_a_template_of_other_credentials_is_refused(launcher: Launcher, plans: Plans) -> None:
    plan = plans.stage("/bin/true")
    foreign = bytes(len(launcher.credentials()))
    plan = plan._replace(executable=plan.executable.but(credentials=foreign))
    with pytest.raises(TemplateError) as raised:
        launcher.spawn(plan)
    assert raised.value.errno == errno.EACCES


def test_a_script_made_from_a_descriptor_is_stale(
    launcher: Launcher, plans: Plans, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    with pytest.raises(TemplateError) as raised:
        launcher.spawn(plans.stage(plans.pin(script, by_descriptor=True)))
    assert raised.value.errno == errno.ESTALE


def test_credentials_differ_in_another_process(launcher_name: str) -> None:
    script = """
        launcher = make_launcher(ENGINE)
        ours = launcher.credentials()
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            os.write(write_end, launcher.credentials())
            os._exit(0)
        print(os.read(read_end, 65536) == ours, launcher.credentials() == ours)
    """
    assert run_host(launcher_name, script).stdout == "False True\n"


def test_open_restricted_in_its_resolution(
    launcher: Launcher, plans: Plans, tmp_path: Path
) -> None:
    """RESOLVE_BENEATH: refused by name where it cannot be had, obeyed where it can."""
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    how = OpenHow(b"../escape", resolve=0x08)
    plan = plans.stage("/bin/cat", actions=(Action.open(0, how, dirfd=folder),))
    if launcher.name == "portable":
        with pytest.raises(Unsupported, match="vfork"):
            launcher.spawn(plan)
    else:
        with pytest.raises(LaunchError) as raised:
            launcher.spawn(plan)
        assert (raised.value.step, raised.value.errno) == (Step.STDIO, errno.EXDEV)
    os.close(folder)


def test_hundreds_of_launches_leave_nothing(launcher: Launcher, plans: Plans) -> None:
    """Also of failed ones, and with other children about; see conftest.py."""
    other = subprocess.Popen(["/bin/sleep", "1000"])
    good, bad = plans.stage("/bin/true"), plans.stage("/bin/true", actions=(Action.close(999),))
    for _ in range(100):
        assert finish(launcher.spawn(good)) == (os.CLD_EXITED, 0)
        with pytest.raises(LaunchError):
            launcher.spawn(bad)
    other.kill()
    other.wait()
