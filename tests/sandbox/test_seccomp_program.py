"""What the filters say of every call, on both machines: an interpreter in the kernel's place."""

from __future__ import annotations

import errno
import functools
import itertools
import platform
import re
import struct
from pathlib import Path

import pytest
from bpf_machine import run, seccomp_data
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.sandbox import bpf, filters, seccomp
from agent_exec.sandbox.filters import Withheld
from agent_exec.sandbox.seccomp import build
from agent_exec.sandbox.syscalls import (
    FILE_SYSTEMS,
    HIGHEST,
    READING,
    REFUSALS,
    REQUESTS,
    Refusal,
    Unless,
    When,
)

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = tuple(ARCHITECTURES)
SECRET = (0x1122334455667788, 0x99AABBCCDDEEFF00)
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
MOST_INSTRUCTIONS = 420
ALL = [
    Withheld(write=write, network=network, landlock=landlock)
    for write, network, landlock in itertools.product((False, True), (False, True), (0, 2, 3, 7))
]
MOST = Withheld(write=True, network=True, landlock=7)

# A call that is let through for some arguments is refused with these.
REFUSED_WITH: dict[Unless, tuple[int, ...]] = {
    Unless.NEVER: (),
    Unless.SECRET_AT_2: (),
    Unless.SECRET_AT_3: (),
    Unless.SECRET_AT_4: (),
    Unless.NO_NEW_NAMESPACE: (0x10000000,),
    Unless.ONLY_UNSHARES: (0x10000000,),
    Unless.OWN_PROCESS: (1,),
    Unless.OWN_PRIORITY: (0, 1),
    Unless.OWN_IO_PRIORITY: (1, 1),
    Unless.NO_LEASE: (0, 1024),
    Unless.OWN_OR_READING: (1, 0, 1),
    Unless.HARMLESS_REQUEST: (0, 0x5412),
    Unless.NO_TRUNCATION_AT_1: (0, 0x200),
    Unless.NO_TRUNCATION_AT_2: (0, 0, 0x200),
    Unless.UNNAMED_PAIR: (1, 2),
    Unless.OWN_INTERNET: (),
    Unless.OWN_NETWORK: (),
}
LET_THROUGH: dict[Unless, tuple[int, ...]] = {
    Unless.SECRET_AT_2: (0, 0, *SECRET),
    Unless.SECRET_AT_3: (0, 0, 0, *SECRET),
    Unless.SECRET_AT_4: (0, 0, 0, 0, *SECRET),
    Unless.NO_NEW_NAMESPACE: (0x01011F00 | 17,),
    Unless.ONLY_UNSHARES: (0x600,),
    Unless.OWN_PROCESS: (0,),
    Unless.OWN_PRIORITY: (0, 0),
    Unless.OWN_IO_PRIORITY: (1, 0),
    Unless.NO_LEASE: (0, 1030),
    Unless.OWN_OR_READING: (0, 0, 1),
    Unless.HARMLESS_REQUEST: (0, 0x5401),
    Unless.NO_TRUNCATION_AT_1: (0, 0o101),
    Unless.NO_TRUNCATION_AT_2: (0, 0, 0o101),
    Unless.UNNAMED_PAIR: (1, 0x80801),
    Unless.OWN_INTERNET: (2,),
    Unless.OWN_NETWORK: (),
}
OF_ITS_OWN = {Unless.OWN_INTERNET, Unless.OWN_NETWORK}


@functools.cache
def made(withheld: Withheld, machine: str) -> bytes:
    """The program; the same one for many questions."""
    return build(withheld, SECRET, machine).program


def say(withheld: Withheld, machine: str, number: int, *arguments: int) -> int:
    """0 where it is allowed, else the errno."""
    said = run(made(withheld, machine), seccomp_data(number, ARCHITECTURES[machine], arguments))
    if said == ALLOW:
        return 0
    assert said & ~0xFFFF == ERRNO, hex(said)
    return said & 0xFFFF


def number_of(name: str, machine: str) -> int:
    (call,) = (call for refusal in REFUSALS for call in refusal.calls if call.name == name)
    number = call.number(machine)
    assert number is not None
    return number


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("withheld", ALL, ids=str)
def test_every_number_is_answered_as_the_table_says(withheld: Withheld, machine: str) -> None:
    program = build(withheld, SECRET, machine).program
    expected = dict.fromkeys(range(HIGHEST + 200), ALLOW)
    expected.update(dict.fromkeys(range(HIGHEST + 1, HIGHEST + 200), ERRNO | errno.ENOSYS))
    arguments: dict[int, tuple[int, ...]] = {}
    for refusal in REFUSALS:
        for call in refusal.calls if seccomp.covers(withheld, refusal.when) else ():
            number = call.number(machine)
            if number is not None:
                expected[number] = ERRNO | refusal.errno
                arguments[number] = REFUSED_WITH[refusal.unless]
    said = {
        number: run(
            program, seccomp_data(number, ARCHITECTURES[machine], arguments.get(number, ()))
        )
        for number in expected
    }
    assert said == expected


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "refusal",
    [refusal for refusal in REFUSALS if refusal.unless is not Unless.NEVER],
    ids=lambda refusal: refusal.calls[0].name,
)
def test_a_call_is_let_through_for_its_harmless_arguments(refusal: Refusal, machine: str) -> None:
    own = refusal.unless in OF_ITS_OWN
    withheld = Withheld(write=True, network=True, landlock=0, own_network=own)
    for call in refusal.calls:
        number = call.number(machine)
        if number is not None:
            assert say(withheld, machine, number, *LET_THROUGH[refusal.unless]) == 0


FAMILIES = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "vsock": 40}


@pytest.mark.parametrize("machine", MACHINES)
def test_of_a_network_of_its_own_a_program_has_the_internet_alone(machine: str) -> None:
    own = Withheld(write=True, network=True, landlock=7, own_network=True)
    number = number_of("socket", machine)
    let = {name for name, family in FAMILIES.items() if say(own, machine, number, family) == 0}
    assert let == {"inet", "inet6"}
    none = own._replace(own_network=False)
    assert {say(none, machine, number, family) for family in FAMILIES.values()} == {errno.EACCES}


@pytest.mark.parametrize("machine", MACHINES)
def test_without_a_secret_nobody_passes_for_one_who_has_it(machine: str) -> None:
    program = build(Withheld(write=True, network=True, landlock=0), None, machine).program
    for secret in ((0, 0), SECRET):
        for words in (secret, (0, 0, *secret), (0, 0, 0, *secret), (0, 0, 0, 0, *secret)):
            for name in ("clone3", "openat2"):
                data = seccomp_data(number_of(name, machine), ARCHITECTURES[machine], words)
                assert run(program, data) == ERRNO | errno.ENOSYS


def test_every_kind_of_exception_is_tried_here() -> None:
    assert set(REFUSED_WITH) == set(Unless)
    assert set(LET_THROUGH) == set(Unless) - {Unless.NEVER}
    assert set(When) == {refusal.when for refusal in REFUSALS}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("withheld", ALL, ids=str)
def test_a_filter_is_short_and_no_jump_leaves_it(withheld: Withheld, machine: str) -> None:
    program = build(withheld, SECRET, machine).program
    code = list(struct.iter_unpack("<HBBI", program))
    assert len(code) <= MOST_INSTRUCTIONS
    for at, (operation, if_true, if_false, k) in enumerate(code):
        if operation & 0x07 == 0x05:
            far = k if operation == 0x05 else max(if_true, if_false)
            assert at + 1 + far < len(code)
    assert code[-1][0] == 0x06


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.integers(0, 2**32 - 1), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_a_foreign_architecture_is_the_end(machine: str, number: int, arguments: list[int]) -> None:
    program = made(MOST, machine)
    for foreign in (0x40000003, 0x40000028, 0, 0xFFFFFFFF, ARCHITECTURES[machine] ^ 0x80000000):
        assert run(program, seccomp_data(number, foreign, arguments)) == KILL


@given(number=st.integers(0x40000000, 2**32 - 1))
def test_x32_and_numbers_below_zero_are_not_there(number: int) -> None:
    for machine in MACHINES:
        assert say(MOST, machine, number) == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("bit", range(128))
def test_every_bit_of_the_secret_counts(machine: str, bit: int) -> None:
    wrong = (
        [SECRET[0] ^ (1 << bit), SECRET[1]]
        if bit < 64
        else [SECRET[0], SECRET[1] ^ (1 << bit - 64)]
    )
    for name, before, number in (("clone3", 2, errno.ENOSYS), ("pidfd_getfd", 3, errno.EPERM)):
        call = number_of(name, machine)
        assert say(MOST, machine, call, *[0] * before, *SECRET) == 0
        assert say(MOST, machine, call, *[0] * before, *wrong) == number


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("high", [0, 0xFFFFFFFF, 1], ids=hex)
def test_ioctl_is_judged_by_the_32_bits_that_the_kernel_looks_at(machine: str, high: int) -> None:
    ioctl = number_of("ioctl", machine)
    writing = Withheld(write=False, network=True, landlock=7)
    for request in REQUESTS:
        for withheld in (MOST, writing):
            assert say(withheld, machine, ioctl, 0, high << 32 | request.number) == errno.EPERM
    for request in READING:
        assert say(MOST, machine, ioctl, 0, high << 32 | request.number) == 0


# Linux 6.18, include/uapi: of some, what no table should need to list one by one.
CHANGES_FILES = {
    "FS_IOC_SETFLAGS": 0x40086602,
    "FS_IOC32_SETFLAGS": 0x40046602,
    "FS_IOC_SETVERSION": 0x40087602,
    "FS_IOC_FSSETXATTR": 0x401C5820,
    "FS_IOC_ENABLE_VERITY": 0x40806685,
    "FS_IOC_SET_ENCRYPTION_POLICY": 0x800C6613,
    "FS_IOC_SETFSLABEL": 0x41009432,
    "FIDEDUPERANGE": 0xC0189436,
    "FAT_IOCTL_SET_ATTRIBUTES": 0x40047211,
    "BTRFS_IOC_SUBVOL_CREATE": 0x5000940E,
    "BTRFS_IOC_SNAP_DESTROY": 0x5000940F,
    "EXT4_IOC_SETRSVSZ": 0x40086606,
    "F2FS_IOC_START_ATOMIC_WRITE": 0xF501,
    "FITRIM": 0xC0185879,
}
HARMLESS = {"TCGETS": 0x5401, "FIONREAD": 0x541B, "FIOCLEX": 0x5451, "FIGETBSZ": 2}


@pytest.mark.parametrize("machine", MACHINES)
def test_requests_that_change_files_need_the_right_to_write(machine: str) -> None:
    ioctl = number_of("ioctl", machine)
    writing = Withheld(write=False, network=True, landlock=7)
    for number in CHANGES_FILES.values():
        assert say(MOST, machine, ioctl, 0, 0xABCD << 32 | number) == errno.EPERM, hex(number)
        assert say(writing, machine, ioctl, 0, number) == 0, hex(number)
    for number in HARMLESS.values():
        assert say(MOST, machine, ioctl, 0, number) == 0, hex(number)


@pytest.mark.parametrize("machine", MACHINES)
@given(kind=st.sampled_from([*FILE_SYSTEMS.values()]), rest=st.integers(0, 2**24 - 1))
def test_to_file_systems_only_what_reads_is_let_through(machine: str, kind: int, rest: int) -> None:
    number = (rest >> 8) << 16 | kind << 8 | rest & 0xFF
    expected = 0 if number in {request.number for request in READING} else errno.EPERM
    assert say(MOST, machine, number_of("ioctl", machine), 0, number) == expected


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("setpriority", (0, 2)),
        ("setpriority", (1, 0)),
        ("setpriority", (2, 0)),
        ("ioprio_set", (1, 2)),
        ("ioprio_set", (2, 0)),
        ("ioprio_set", (3, 0)),
        ("sched_setaffinity", (2,)),
        ("sched_setattr", (2,)),
        ("sched_setparam", (2,)),
        ("sched_setscheduler", (2,)),
    ],
)
def test_who_only_reads_slows_nobody_down(
    name: str, arguments: tuple[int, ...], machine: str
) -> None:
    number = number_of(name, machine)
    assert say(MOST, machine, number, *arguments) == errno.EPERM
    for more in (MOST._replace(write=False), MOST._replace(network=False)):
        assert say(more, machine, number, *arguments) == 0


NAMESPACES = {
    "time": 0x00000080,
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("flag", NAMESPACES.values(), ids=NAMESPACES)
@given(others=st.integers(0, 2**32 - 1), high=st.sampled_from([0, 1, 0xFFFFFFFF]))
def test_no_namespace_is_made_whatever_the_other_flags(
    machine: str, flag: int, others: int, high: int
) -> None:
    unshare, clone = number_of("unshare", machine), number_of("clone", machine)
    assert say(MOST, machine, unshare, high << 32 | others | flag) == errno.EPERM
    if flag != NAMESPACES["time"]:  # there it is the signal at the child's end
        assert say(MOST, machine, clone, high << 32 | others | flag) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
@given(domain=st.integers(0, 2**32 - 1), kind=st.integers(0, 2**32 - 1))
def test_a_pair_is_of_unix_streams_or_not_at_all(machine: str, domain: int, kind: int) -> None:
    harmless = domain == 1 and kind & 0xF in (1, 5)
    pair = number_of("socketpair", machine)
    assert say(MOST, machine, pair, domain, kind) == (0 if harmless else errno.EACCES)
    assert say(MOST, machine, number_of("socket", machine), domain, kind) == errno.EACCES


@pytest.mark.parametrize("machine", MACHINES)
def test_only_old_landlock_needs_help_with_truncation(machine: str) -> None:
    openat, truncate = number_of("openat", machine), number_of("truncate", machine)
    old, new = (Withheld(write=True, network=False, landlock=abi) for abi in (2, 3))
    assert say(old, machine, openat, 0, 0, 0o1000) == errno.EPERM
    assert say(old, machine, truncate) == errno.EPERM
    assert say(new, machine, openat, 0, 0, 0o1000) == 0
    assert say(new, machine, truncate) == 0


def test_the_numbers_are_those_of_the_kernels_headers() -> None:
    """For this machine; and for arm64, whose numbers are the generic ones."""
    own = re.compile(r"#define __NR_(\w+) (\d+)")
    generic = re.compile(r"#define __NR(?:3264)?_(\w+) (\d+)")
    include = Path("/usr/include")
    sources = {"aarch64": (include / "asm-generic/unistd.h", generic)}
    if platform.machine() == "x86_64":
        sources["x86_64"] = (include / "x86_64-linux-gnu/asm/unistd_64.h", own)
    for machine, (path, pattern) in sources.items():
        if not path.exists():
            pytest.skip("there are no kernel headers")
        numbers = {name: int(number) for name, number in pattern.findall(path.read_text())}
        calls = [call for refusal in REFUSALS for call in refusal.calls]
        known = {call.name: call.number(machine) for call in calls if call.name in numbers}
        assert known == {name: numbers[name] for name in known}
        assert len(known) > 80
        # What the headers know and the table does not give a number on this machine.
        assert [name for name, number in known.items() if number is None] == []


ALWAYS = """
    ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp bpf perf_event_open userfaultfd
    add_key request_key keyctl mount umount2 move_mount open_tree fsopen fsconfig fsmount fspick
    mount_setattr open_tree_attr pivot_root chroot setns unshare clone clone3 open_by_handle_at
    fanotify_init io_uring_setup io_uring_enter io_uring_register ioctl kexec_load kexec_file_load
    init_module finit_module delete_module swapon swapoff reboot acct quotactl quotactl_fd
    settimeofday clock_settime clock_adjtime adjtimex sethostname syslog prlimit64
    spawn_template_create spawn_template_spawn
"""
NO_WRITE = """
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat
    setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
    file_setattr fcntl shmget semget msgget mq_open
"""
ONLY_READS = """
    setpriority ioprio_set sched_setaffinity sched_setattr sched_setparam sched_setscheduler
"""
NO_NETWORK = ["socket", "socketpair", "connect", "bind"]


def test_the_table_has_all_that_is_promised() -> None:
    """Written down once more: a line that is lost from the table is missed here."""
    found = {call.name: refusal.when for refusal in REFUSALS for call in refusal.calls}
    promised = (
        dict.fromkeys(ALWAYS.split(), When.ALWAYS)
        | dict.fromkeys(NO_WRITE.split(), When.NO_WRITE)
        | dict.fromkeys(ONLY_READS.split(), When.ONLY_READS)
        | dict.fromkeys(NO_NETWORK, When.NO_NETWORK)
        | dict.fromkeys(["truncate", "creat", "open", "openat", "openat2"], When.NO_WRITE_OLD)
    )
    assert {name: found.get(name) for name in promised} == promised


def test_no_call_is_listed_twice_and_each_has_a_reason() -> None:
    names = [call.name for refusal in REFUSALS for call in refusal.calls]
    assert len(names) == len(set(names))
    assert all(refusal.reason for refusal in REFUSALS)


def test_equal_questions_get_the_same_filter_and_others_another_secret() -> None:
    make = filters.filter_maker()
    assert make is not None
    one, same, other = make(False, False, 7), make(False, False, 7), make(True, False, 7)
    assert one is same
    assert one.secret != other.secret
    again = filters.filter_maker()
    assert again is not None
    assert again(False, False, 7).secret != one.secret


def test_what_asks_for_filters_knows_the_numbers_of_what_makes_them() -> None:
    # It is imported where no filter is made, and does without the other.
    assert filters._KILL_PROCESS == bpf.KILL_PROCESS
    assert filters._SECCOMP.keys() == seccomp._ARCHITECTURES.keys()
