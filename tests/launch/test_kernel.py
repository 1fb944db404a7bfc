"""What is the `kernel` launcher's own: which one starts what, and the traps of the RFC's v1."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_kernel import FakeKernel
from realproc import Plans, finish, nothing_left_behind, output_of, run_host

from agent_exec.errors import LaunchError, Step, TemplateError, Unsupported
from agent_exec.launch import kernel as kernel_module
from agent_exec.launch import select
from agent_exec.launch.kernel import KernelLauncher
from agent_exec.launch.kernel_abi import CALLS, CREATE, SPAWN
from agent_exec.launch.kernel_probe import why_not_kernel
from agent_exec.launch.kernel_template import KernelTemplate
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.launch.system_call import SystemCall, system_call
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.action import Action, OpenHow
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import SpawnPlan
from agent_exec.runtime.select import select_engine

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def fake() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def launcher(fake: FakeKernel) -> KernelLauncher:
    return KernelLauncher(fake.call, VforkLauncher())


@pytest.fixture
def plans(launcher: KernelLauncher) -> Iterator[Plans]:
    with Plans(launcher) as made:
        yield made


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return Path(shutil.copy("/bin/true", tmp_path / "program"))


def started_by(launcher: KernelLauncher, plan: SpawnPlan) -> LauncherName:
    child = launcher.spawn(plan)
    assert finish(child) == (os.CLD_EXITED, 0)
    return child.launcher


# Which launcher starts what


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "kernel", id="plain"),
        pytest.param({"reset_signals": False}, "kernel", id="signals-inherited"),
        pytest.param({"inherit_fds": True}, "kernel", id="inherit-fds"),
        pytest.param({"session": True}, "vfork", id="session"),
        pytest.param({"die_with_parent": True}, "vfork", id="dies-with-parent"),
    ],
)
def test_a_child_says_what_started_it(
    launcher: KernelLauncher,
    fake: FakeKernel,
    plans: Plans,
    fields: dict[str, bool],
    expected: str,
) -> None:
    assert started_by(launcher, plans.stage("/bin/true", **fields)) == expected
    assert fake.spawned == (expected == "kernel")


def test_scripts_are_left_to_the_other_launcher(launcher: KernelLauncher, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    with SpawnTemplate.create(script, launcher=launcher) as template:
        child = template.spawn(["script"])
        assert child.launcher is LauncherName.VFORK
        assert finish(child) == (os.CLD_EXITED, 0)


def test_a_directory_opened_with_o_path_is_worked_in(
    launcher: KernelLauncher, plans: Plans, tmp_path: Path
) -> None:
    """The kernel would fail the child; the other launcher does not."""
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    plan = plans.stage("/bin/pwd", actions=(Action.fchdir(fd),))
    assert output_of(launcher, plan) == f"{tmp_path}\n"
    os.close(fd)


@pytest.mark.parametrize("number", [CREATE, SPAWN])
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
def test_calls_that_a_filter_refuses_later_are_done_without(
    launcher: KernelLauncher, fake: FakeKernel, number: int, error: int
) -> None:
    fake.refusing[number] = error
    with SpawnTemplate.create("/bin/true", launcher=launcher) as template:
        child = template.spawn(["true"])
    assert child.launcher is LauncherName.VFORK
    assert finish(child) == (os.CLD_EXITED, 0)


# Children that failed between spawn and exec


FAILURES: dict[str, tuple[Action, int]] = {
    "1": (Action.close(999), errno.EBADF),
    "127": (Action.open(0, OpenHow(b"/nowhere")), errno.ENOENT),
    "126": (Action.open(0, OpenHow(b"/", os.O_WRONLY | os.O_CREAT)), errno.EISDIR),
}


@pytest.mark.parametrize("status", FAILURES)
def test_a_failed_child_is_no_child(
    launcher: KernelLauncher, fake: FakeKernel, plans: Plans, status: str
) -> None:
    action, expected = FAILURES[status]
    with pytest.raises(LaunchError) as raised:
        launcher.spawn(plans.stage("/bin/true", actions=(Action.dup2(0, 0), action)))
    assert (raised.value.errno, raised.value.action, fake.spawned) == (expected, 1, 1)


def test_what_must_be_new_is_not_made_twice(
    launcher: KernelLauncher, plans: Plans, tmp_path: Path
) -> None:
    """The first try has made the file: the second would fail for a reason of its own."""
    how = OpenHow(os.fsencode(tmp_path / "new"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    plan = plans.stage("/bin/true", actions=(Action.open(1, how), Action.close(999)))
    with pytest.raises(LaunchError) as raised:
        launcher.spawn(plan)
    told = raised.value
    assert (told.step, told.errno, told.action) == (Step.SPAWN, errno.EIO, None)


@pytest.mark.parametrize("status", [1, 126, 127])
def test_a_program_that_ends_with_such_a_status_is_a_child(
    launcher: KernelLauncher, fake: FakeKernel, plans: Plans, status: int
) -> None:
    child = launcher.spawn(plans.sh(f"exit {status}"))
    assert finish(child) == (os.CLD_EXITED, status)
    assert (child.launcher, fake.spawned) == (LauncherName.KERNEL, 1)


def test_a_program_that_sighup_has_killed_at_once_is_a_child(
    fake: FakeKernel, plans: Plans
) -> None:
    """Its status is that of a failed child of version 1; that it has exec'd tells them apart."""

    def wait_for_the_end(number: int, *arguments: int) -> int:
        answer = fake.call(number, *arguments)
        if number == SPAWN:
            os.waitid(os.P_PID, answer, os.WEXITED | os.WNOWAIT)
        return answer

    launcher = KernelLauncher(wait_for_the_end, VforkLauncher())
    plan = plans.sh("kill -HUP $$", session=False)
    child = launcher.spawn(plan)
    launcher.release(plan.executable)
    assert finish(child) == (os.CLD_KILLED, signal.SIGHUP)
    assert child.launcher is LauncherName.KERNEL


def test_a_failed_child_is_known_by_having_executed_nothing() -> None:
    failed = FakeKernel()._failed_child(errno.ENOENT)
    assert kernel_module._has_execed(failed[0]) is False
    os.waitid(os.P_PIDFD, failed[1], os.WEXITED)
    os.close(failed[1])
    assert kernel_module._has_execed(failed[0]) is None


# Templates


def test_a_writer_is_refused_while_a_template_lives(
    launcher: KernelLauncher, program: Path
) -> None:
    with (
        SpawnTemplate.create(program, launcher=launcher) as template,
        pytest.raises(OSError, match="Text file busy"),
    ):
        os.open(program, os.O_WRONLY)
    os.close(os.open(program, os.O_WRONLY))  # closed, and referred to
    del template


def test_a_file_somebody_writes_to_makes_no_template(
    launcher: KernelLauncher, fake: FakeKernel
) -> None:
    fake.refusing[CREATE] = errno.ETXTBSY
    with pytest.raises(TemplateError) as raised:
        SpawnTemplate.create("/bin/true", launcher=launcher)
    assert raised.value.errno == errno.ETXTBSY


@pytest.mark.parametrize("change", ["replaced", "removed", "chmod", "x-bit"])
def test_what_changes_right_before_the_call_is_stale(
    launcher: KernelLauncher, fake: FakeKernel, program: Path, change: str
) -> None:
    """After our own look at the file; the kernel has the last word, and runs what it pinned."""

    def meanwhile() -> None:
        if change == "replaced":
            os.rename(shutil.copy("/bin/false", f"{program}.new"), program)
        elif change == "removed":
            program.unlink()
        else:
            program.chmod(0o700 if change == "chmod" else 0o600)

    with SpawnTemplate.create(program, launcher=launcher) as template:
        fake.before_spawn = meanwhile
        with pytest.raises(TemplateError) as raised:
            template.spawn(["program"])
    assert (raised.value.errno, raised.value.path) == (errno.ESTALE, str(program))


def test_a_file_replaced_while_the_kernel_made_its_template_is_stale(
    fake: FakeKernel, program: Path
) -> None:
    def replace_first(number: int, *arguments: int) -> int:
        if number == CREATE:
            os.rename(shutil.copy("/bin/false", f"{program}.new"), program)
        return fake.call(number, *arguments)

    launcher = KernelLauncher(replace_first, VforkLauncher())
    with pytest.raises(TemplateError) as raised:
        SpawnTemplate.create(program, launcher=launcher)
    assert raised.value.errno == errno.ESTALE


def test_other_credentials_of_the_kernels_template(
    launcher: KernelLauncher, fake: FakeKernel
) -> None:
    fake.refusing[SPAWN] = errno.EACCES
    with (
        SpawnTemplate.create("/bin/true", launcher=launcher) as template,
        pytest.raises(TemplateError) as raised,
    ):
        template.spawn(["true"])
    assert raised.value.errno == errno.EACCES


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_no_process_is_to_be_had(
    launcher: KernelLauncher, fake: FakeKernel, plans: Plans, number: int
) -> None:
    fake.refusing[SPAWN] = number
    with pytest.raises(LaunchError) as raised:
        launcher.spawn(plans.stage("/bin/true"))
    assert (raised.value.step, raised.value.errno) == (Step.SPAWN, number)


def test_the_kernels_template_goes_with_the_last_reference(
    launcher: KernelLauncher, plans: Plans
) -> None:
    """Of an executable that nobody has released; see conftest.py for what would be left."""
    with nothing_left_behind():
        plan = plans.stage("/bin/true")
        plans._pinned.pop()
        os_fd = plan.executable.fd
        assert started_by(launcher, plan) is LauncherName.KERNEL
        os.close(os_fd)
        del plan


def test_threads_share_one_template(launcher: KernelLauncher, fake: FakeKernel) -> None:
    statuses: list[tuple[int, int]] = []
    with SpawnTemplate.create("/bin/true", launcher=launcher) as template:
        threads = [
            threading.Thread(target=lambda: statuses.append(finish(template.spawn(["true"]))))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(launcher._held) == 1
    assert (statuses, fake.spawned) == ([(os.CLD_EXITED, 0)] * 8, 8)


def test_a_forked_process_drops_what_it_inherited() -> None:
    script = """
        launcher = make_launcher(ENGINE)
        with Plans(launcher) as plans:
            plan = plans.stage("/bin/true")
            finish(launcher.spawn(plan))
            (held,) = launcher._held.values()
            number = held.fd
            del held
            if os.fork() == 0:
                ours = plan._replace(executable=plans.pin("/bin/true"))
                child = launcher.spawn(ours)
                print(finish(child), child.launcher, len(launcher._held), flush=True)
                os._exit(0)
            os.wait()
            print(os.readlink(f"/proc/self/fd/{number}"))
    """
    done = run_host("kernel", script)
    assert done.stdout == "(1, 0) kernel 1\n/memfd:fake (deleted)\n"


def test_a_template_that_lands_below_3_is_moved(fake: FakeKernel) -> None:
    """In a host without standard descriptors; those are the child's."""
    script = """
        os.close(0)
        launcher = make_launcher(ENGINE)
        with Plans(launcher) as plans:
            plan = plans.stage("/bin/true")
            child = launcher.spawn(plan._replace(actions=(Action.open(0, how),)))
            (held,) = launcher._held.values()
            print(finish(child), child.launcher, held.fd > 2)
            del held
    """
    prelude = "from agent_exec.model.action import OpenHow\nhow = OpenHow(b'/dev/null')\n"
    text = "\n".join(line.removeprefix("        ") for line in script.splitlines())
    assert run_host("kernel", prelude + text).stdout == "(1, 0) kernel True\n"


# Is it there?


def answering(answers: dict[int, int]) -> SystemCall:
    """A kernel with these answers; whatever else is asked of it is a bug."""
    return lambda number, *_: answers[number]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        pytest.param(FakeKernel().call, None, id="there"),
        pytest.param(answering({CREATE: -errno.ENOSYS}), "not implemented", id="absent"),
        pytest.param(answering({CREATE: -errno.EPERM}), "not permitted", id="filtered"),
        pytest.param(answering({CREATE: -errno.EBADF}), "Bad file", id="another-call"),
        pytest.param(answering({CREATE: 0}), "another call", id="another-call-that-succeeds"),
    ],
)
def test_whether_the_kernel_has_the_calls(call: SystemCall, reason: str | None) -> None:
    found = why_not_kernel(call)
    assert (found is None) if reason is None else (found is not None and reason in found)


@pytest.mark.parametrize("link", ["anon_inode:[eventfd]", "anon_inode:spawn_template2", ""])
def test_a_number_that_is_another_calls_is_not_taken(link: str) -> None:
    """It answers EINVAL and makes descriptors, and they are no templates; ours stay open."""
    read_end, write_end = os.pipe()

    def other(number: int, *arguments: int) -> int:
        if number != CREATE:  # readlinkat
            _, _, text, _ = arguments
            kernel_copy(text, link.encode())
            return len(link)
        return read_end if arguments[1] else -errno.EINVAL

    assert why_not_kernel(other) == (
        "this kernel makes no spawn templates: another system call has this number"
    )
    os.close(read_end)
    os.close(write_end)


def kernel_copy(address: int, data: bytes) -> None:
    ctypes.memmove(address, data, len(data))


def test_this_machines_own_kernel_is_asked_without_harm() -> None:
    """Whatever it answers. Where it has the calls, the launcher works."""
    reason = why_not_kernel(system_call)
    assert reason == select.why_not_kernel()
    if reason is None:
        child = KernelTemplate.create(
            system_call, CALLS[os.uname().machine], path=b"/bin/true"
        ).spawn((b"true",), (), ())
        os.waitid(os.P_PIDFD, child[1], os.WEXITED)
        os.close(child[1])


@pytest.fixture(params=[None, "this kernel has none"], ids=["there", "not-there"])
def kernel_has_it(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(select, "why_not_kernel", lambda: request.param)
    monkeypatch.setattr("agent_exec.runtime.select.why_not_kernel", lambda: request.param)
    return request.param is None


def test_auto_takes_the_calls_only_where_they_are(kernel_has_it: bool) -> None:
    name = select.select_launcher("auto").name
    assert name == (LauncherName.KERNEL if kernel_has_it else LauncherName.VFORK)


def test_asked_for_by_name_it_must_be_there(kernel_has_it: bool) -> None:
    for choose in (select.select_launcher, select_engine):
        if kernel_has_it:
            choose("kernel")
        else:
            with pytest.raises(Unsupported, match="this kernel has none"):
                choose("kernel")


def test_calls_of_the_tool_are_sessions_and_so_vforks(
    kernel_has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("auto", "kernel") if kernel_has_it else ("auto",):
        engine, launcher = select_engine(name)
        engine.close()
        assert (engine.launcher, launcher.name) == (LauncherName.VFORK, LauncherName.VFORK)


def test_equal_executables_share_one_template(launcher: KernelLauncher, plans: Plans) -> None:
    plan = plans.stage("/bin/true")
    assert started_by(launcher, plan) is LauncherName.KERNEL
    twin = plan.executable.but()
    assert started_by(launcher, plan._replace(executable=twin)) is LauncherName.KERNEL
    assert len(launcher._held) == 1
