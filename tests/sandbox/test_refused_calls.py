"""Each refused call, made for real by a confined program, with arguments that do no harm.

Without the filter the kernel finds fault with the arguments, and says something else.
"""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from realproc import Plans, make_engine, make_launcher, output_of

from agent_exec.model.confinement import Confinement, Filter
from agent_exec.runtime.engine import Engine
from agent_exec.sandbox import filters
from agent_exec.sandbox.syscalls import REFUSALS, REQUESTS, Call, Unless, When

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter"),
]

MACHINE = platform.machine()
NOWHERE = "0xffffffffffffffff"
# What the refusal depends on; everything else is -1: no address, no descriptor, no flags.
ARGUMENTS = {
    Unless.NO_NEW_NAMESPACE: ("0x10010000",),  # CLONE_NEWUSER, and CLONE_THREAD alone is EINVAL
    Unless.ONLY_UNSHARES: ("0x10000000",),
    Unless.HARMLESS_REQUEST: (NOWHERE, "0x5412"),
    Unless.UNNAMED_PAIR: ("1", "2"),
    Unless.NO_LEASE: (NOWHERE, "1024"),
    Unless.OWN_OR_READING: (NOWHERE, NOWHERE, NOWHERE, NOWHERE),
}
# To say so needs more than the filter away: the kernel itself answers EPERM or EACCES.
NEEDS_PRIVILEGE = {
    *("acct", "chroot", "pivot_root", "quotactl", "quotactl_fd", "reboot", "swapon", "swapoff"),
    *("iopl", "ioperm", "kexec_load", "kexec_file_load", "init_module", "finit_module"),
    *("delete_module", "mount", "umount2", "syslog", "sethostname", "setdomainname", "vhangup"),
    *("settimeofday", "clock_settime", "open_by_handle_at", "fanotify_init", "bpf", "setns"),
    *(
        "perf_event_open",
        "userfaultfd",
        "fsopen",
        "fspick",
        "move_mount",
        "open_tree",
        "lookup_dcookie",
    ),
    *("mount_setattr", "open_tree_attr", "unshare", "clone", "io_uring_setup", "keyctl", "ptrace"),
}

Try = Callable[[list[str], Filter | None], list[str]]


def word(call: Call, unless: Unless) -> str:
    arguments = ARGUMENTS.get(unless, ())
    return ",".join([str(call.number(MACHINE)), *arguments, *[NOWHERE] * (6 - len(arguments))])


@pytest.fixture(scope="session")
def try_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("try_calls") / "try_calls"
    source = Path(__file__).parents[1] / "programs" / "try_calls.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", program, source], check=True)
    return program


@pytest.fixture(params=["child", "thread"])
def attempt(request: pytest.FixtureRequest, try_calls: Path) -> Iterator[Try]:
    """Calls to what they were answered, where the child or its spawner has the filter."""
    launcher = make_launcher("native")
    engine: Engine = make_engine("native")
    with Plans(launcher) as plans:

        def run(words: list[str], filter_: Filter | None) -> list[str]:
            confinement = None if filter_ is None else Confinement(filter=filter_)
            plan = plans.stage(try_calls, *words, confinement=confinement)
            if request.param == "child":
                return output_of(launcher, plan).splitlines()
            for _ in range(3):  # the first is what makes its spawner
                outcome = engine.run_sync(plans.call(plan))
            assert outcome.stages[0].exit_code == 0
            return outcome.stdout.head.decode().splitlines()

        yield run
    engine.close()


def make(*, write: bool = False, network: bool = False, landlock: int = 7) -> Filter:
    maker = filters.filter_maker()
    assert maker is not None
    return maker(write, network, landlock)


def test_every_refused_call_is_refused(attempt: Try) -> None:
    calls = [
        (call, refusal)
        for refusal in REFUSALS
        if refusal.when is not When.NO_WRITE_OLD
        for call in refusal.calls
        if call.number(MACHINE) is not None
    ]
    words = [word(call, refusal.unless) for call, refusal in calls]
    said = dict(zip((call.name for call, _ in calls), attempt(words, make()), strict=True))
    assert said == {call.name: str(refusal.errno) for call, refusal in calls}


def test_without_a_filter_the_same_calls_meet_something_else(attempt: Try) -> None:
    """So that it is the filter which the test above sees."""
    calls = [
        (call, refusal)
        for refusal in REFUSALS
        if refusal.when is not When.NO_WRITE_OLD
        for call in refusal.calls
        if call.number(MACHINE) is not None
        and call.name not in NEEDS_PRIVILEGE
        and (call.number(MACHINE) or 0) < 460
    ]
    said = attempt([word(call, refusal.unless) for call, refusal in calls], None)
    same = [
        call.name
        for (call, refusal), answer in zip(calls, said, strict=True)
        if answer == str(refusal.errno)
    ]
    assert same == []


def test_each_namespace_is_refused_to_clone_and_unshare(attempt: Try) -> None:
    flags = (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
    clone = next(c for r in REFUSALS for c in r.calls if c.name == "clone").number(MACHINE)
    unshare = next(c for r in REFUSALS for c in r.calls if c.name == "unshare").number(MACHINE)
    # CLONE_THREAD without CLONE_SIGHAND starts nothing where it gets through: EINVAL.
    words = [f"{clone},{flag | 0x10000:#x}" for flag in flags]
    words += [f"{unshare},{flag:#x}" for flag in (*flags, 0x80)]
    assert attempt(words, make()) == [str(errno.EPERM)] * len(words)
    assert attempt([f"{clone},0x10000"], make()) == [str(errno.EINVAL)]


def test_clone3_needs_the_secret(attempt: Try) -> None:
    filter_ = make()
    one, other = filter_.secret
    # Without a structure there is nothing that it could start: EINVAL where it gets through.
    words = ["435,0,0", f"435,0,0,{one:#x}", f"435,0,0,{other:#x},{one:#x}"]
    assert attempt(words, filter_) == [str(errno.ENOSYS)] * 3
    assert attempt([f"435,0,0,{one:#x},{other:#x}"], filter_) == [str(errno.EINVAL)]


@pytest.mark.skipif(MACHINE != "x86_64", reason="other ways into the kernel are of x86-64")
def test_other_ways_into_the_kernel_are_closed(attempt: Try) -> None:
    getpid_32, getpid_x32 = "int80:20", f"{0x40000000 | 39}"
    foreign, x32 = attempt([getpid_32, getpid_x32], make())
    assert foreign in ("signal 31", "signal 11")  # SIGSYS; SIGSEGV without the emulation
    assert x32 == str(errno.ENOSYS)


def test_what_may_be_written_and_connected_with_rights_is_let_through(attempt: Try) -> None:
    names = {"fchmod", "fchown", "fsetxattr", "utimensat", "socket", "connect", "bind", "msgctl"}
    calls = [c for r in REFUSALS for c in r.calls if c.name in names]
    words = [word(call, Unless.NEVER) for call in calls]
    refusals = {str(errno.EPERM), str(errno.EACCES)}
    assert set(attempt(words, make(write=False))) <= refusals
    assert refusals.isdisjoint(attempt(words, make(write=True, network=True)))


def test_requests_are_refused_by_their_low_word(attempt: Try) -> None:
    ioctl = next(c for r in REFUSALS for c in r.calls if c.name == "ioctl").number(MACHINE)
    words = [f"{ioctl},-1,{request.number:#x}" for request in REQUESTS]
    words += [f"{ioctl},-1,{0xABCD << 32 | request.number:#x}" for request in REQUESTS]
    assert attempt(words, make()) == [str(errno.EPERM)] * len(words)
    assert attempt([f"{ioctl},-1,0x5401"], make()) == [str(errno.EBADF)]


def test_old_landlock_is_helped_with_truncation(attempt: Try) -> None:
    filter_ = make(landlock=2)
    numbers = {c.name: c.number(MACHINE) for r in REFUSALS for c in r.calls}
    openat, openat2 = numbers["openat"], numbers["openat2"]
    assert attempt([f"{openat},-1,-1,0x200", f"{openat2},-1,-1,-1,24"], filter_) == [
        str(errno.EPERM),
        str(errno.ENOSYS),
    ]


def test_ordinary_programs_work_under_the_strictest_filter(tmp_path: Path) -> None:
    """Threads, subprocesses, pipes, pairs of sockets, and what starts with clone3."""
    script = """
import concurrent.futures, os, socket, subprocess, sys, threading, time
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    assert list(pool.map(abs, range(-3, 0))) == [3, 2, 1]
assert subprocess.run(["/bin/echo", "a"], capture_output=True).stdout == b"a\\n"
one, other = socket.socketpair()
one.send(b"x")
assert other.recv(1) == b"x"
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind)
        except PermissionError as error:
            assert error.errno == 13
        else:
            raise AssertionError((family, kind))
try:
    os.utime(sys.argv[1])
except PermissionError as error:
    print(error.errno)
"""
    python = os.path.realpath(sys.executable)
    words = (python, "-I", "-c", script, str(tmp_path))
    launcher = make_launcher("native")
    with Plans(launcher) as plans:
        plan = plans.stage(
            python,
            argv=tuple(os.fsencode(word) for word in words),
            confinement=Confinement(filter=make()),
        )
        assert output_of(launcher, plan) == f"{errno.EPERM}\n"
