"""The words of bubblewrap, made from rights: what is there, and what may be written."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.model.plan import Executable, Identity
from agent_exec.sandbox import landlock
from agent_exec.sandbox.bubblewrap import Place, environment, mounts, orders, outer, rules
from agent_exec.sandbox.told import Told, told

READ, WRITE = landlock.READING, landlock.WRITING
EXECUTE = landlock.READING | landlock.EXECUTE
MADE = ("--proc", "/proc", "--dev", "/dev")


def place(
    accesses: Mapping[str, int],
    *,
    links: Mapping[str, str] | None = None,
    tmp: str | None = None,
    gone: tuple[str, ...] = (),
) -> Place:
    seen = {path: None if path in gone else (1, at) for at, path in enumerate(accesses)}
    return Place(accesses, seen, links or {}, "/home/me", tmp)


def around(*words: str) -> tuple[str, ...]:
    """The same, and what is there for everybody."""
    empty = ("--dir", "/tmp", "--dir", "/var/tmp", "--dir", "/home/me")
    return (*words, *MADE, *empty, "--remount-ro", "/")


MOUNTS = {
    "nothing": (place({}), around()),
    "read": (place({"/usr": READ}), around("--ro-bind-try", "/usr", "/usr")),
    "write": (place({"/w": WRITE}), around("--bind-try", "/w", "/w")),
    "the outer of two": (
        place({"/usr/lib": EXECUTE, "/usr": READ}),
        around("--ro-bind-try", "/usr", "/usr"),
    ),
    "write within read": (
        place({"/w": READ, "/w/out": WRITE}),
        around("--ro-bind-try", "/w", "/w", "--bind-try", "/w/out", "/w/out"),
    ),
    "read within write": (
        place({"/w": READ | WRITE, "/w/in": READ}),
        around("--bind-try", "/w", "/w"),
    ),
    "no name but a prefix": (
        place({"/w": WRITE, "/ww": READ}),
        around("--bind-try", "/w", "/w", "--ro-bind-try", "/ww", "/ww"),
    ),
    "what is not there": (
        place({"/usr": READ, "/no": WRITE}, gone=("/no",)),
        around("--ro-bind-try", "/usr", "/usr"),
    ),
    "configuration, whole": (
        place({"/etc/hosts": READ, "/etc/passwd": READ, "/etc/mine": WRITE}),
        around("--ro-bind-try", "/etc", "/etc", "--bind-try", "/etc/mine", "/etc/mine"),
    ),
    "processes and devices of its own": (
        place({"/proc/1": READ, "/proc": READ, "/dev/null": WRITE, "/dev/shm": WRITE}),
        around(),
    ),
    "a device that was granted": (
        place({"/dev/kvm": WRITE}),
        (*MADE, "--dev-bind-try", "/dev/kvm", "/dev/kvm", *around()[len(MADE) :]),
    ),
    "everything": (place({"/": READ}), ("--ro-bind-try", "/", "/", *MADE)),
    "a temp directory, by three names": (
        place({"/s/t": WRITE}, tmp="/s/t"),
        (
            *("--bind-try", "/s/t", "/s/t", *MADE),
            *("--bind", "/s/t", "/tmp", "--bind", "/s/t", "/var/tmp", "--dir", "/home/me"),
            *("--remount-ro", "/"),
        ),
    ),
    "one that lies in /tmp": (
        place({"/tmp/w": READ, "/tmp/t": WRITE}, tmp="/tmp/t"),
        (
            *("--bind-try", "/tmp/t", "/tmp/t", "--ro-bind-try", "/tmp/w", "/tmp/w", *MADE),
            *("--bind", "/tmp/t", "/var/tmp", "--dir", "/home/me", "--remount-ro", "/"),
        ),
    ),
    "links, but none within another": (
        place({"/usr": READ}, links={"/bin": "/usr/bin", "/bin/sh": "/usr/bin/dash"}),
        (
            *around("--ro-bind-try", "/usr", "/usr")[:-2],
            "--symlink",
            "/usr/bin",
            "/bin",
            "--remount-ro",
            "/",
        ),
    ),
    "no link over what is mounted": (
        place({"/usr": READ}, links={"/usr/lib64": "/usr/lib"}),
        around("--ro-bind-try", "/usr", "/usr"),
    ),
}


@pytest.mark.parametrize(("made", "expected"), MOUNTS.values(), ids=MOUNTS.keys())
def test_what_is_mounted_follows_from_the_rights(made: Place, expected: tuple[str, ...]) -> None:
    assert mounts(made) == expected


PATHS = st.lists(st.sampled_from(["a", "b", "home", "usr"]), max_size=3).map(
    lambda names: "/" + "/".join(names)
)


@given(st.dictionaries(PATHS, st.sampled_from([READ, WRITE, EXECUTE, READ | WRITE]), max_size=6))
def test_nothing_is_there_and_nothing_writable_that_was_not_granted(
    accesses: dict[str, int],
) -> None:
    words = mounts(place(accesses))
    bound = {
        words[at + 1]: words[at] == "--bind-try"
        for at in range(len(words))
        if words[at] in ("--bind-try", "--ro-bind-try")
    }
    assert set(bound) <= set(accesses)
    assert all(accesses[path] & WRITE for path, writable in bound.items() if writable)
    for path, access in accesses.items():
        # The nearest mount decides.
        above = [each for each in bound if f"{path}/".startswith(f"{each.rstrip('/')}/")]
        assert above, path
        assert bound[max(above, key=len)] or not access & WRITE


def test_a_network_of_the_machine_is_given_only_where_it_was_granted() -> None:
    assert "--unshare-net" in outer((), "/image", "/told", network=False)
    assert "--unshare-net" not in outer((), "/image", "/told", network=True)


ALWAYS = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--as-pid-1")


@pytest.mark.parametrize("network", [False, True])
def test_what_never_depends_on_rights(network: bool) -> None:
    words = outer(mounts(place({"/": WRITE})), "/image", "/told", network=network)
    assert set(ALWAYS) <= set(words)
    assert words[words.index("--cap-drop") + 1] == "ALL"
    assert words[-2:] == ("--", "/dev/agent_exec/inside")


def test_the_orders_name_the_program_and_every_right() -> None:
    identity = Identity(
        dev=16, ino=17, size=1, mode=0o100755, uid=0, gid=0, ctime_ns=255, mtime_ns=0
    )
    program = Executable(
        fd=9, path=b"/usr/bin/x", identity=identity, script=True, credentials=b"", called=b"./x"
    )
    made = place({"/usr": EXECUTE, "/dev/null": WRITE, "/proc": READ, "/no": READ}, gone=("/no",))
    assert orders(rules(made), program, (18, 19), abi=3, scoped=2, filter_=b"\x01\xff") == (
        "s/dev/agent_exec/told",
        "c12:13:",
        "p10:11:81ed:ff:/usr/bin/x",
        "n./x",
        "q",
        f"h7fff:0:2:{landlock.OF_FILES:x}:",
        "lc:0:0:/proc",
        "ld:1:0:/usr",
        f"l{WRITE:x}:0:0:/dev/null",
        "f01ff",
        "-",
    )


def test_a_variable_of_a_program_is_none_of_bubblewrap() -> None:
    assert environment((b"LD_PRELOAD=/evil.so", b"A=")) == (b"+LD_PRELOAD=/evil.so", b"+A=")


def record(*numbers: int) -> bytes:
    return struct.pack("=iii", *numbers)


TOLD = {
    "nothing": (b"", Told()),
    "began": (record(1, 0, 0), Told(begun=True)),
    "ended": (record(1, 0, 0) + record(3, 256, 0), Told(True, None, 256)),
    "by a signal": (record(1, 0, 0) + record(3, 9, 0), Told(True, None, 9)),
    "failed": (
        record(1, 0, 0) + record(2, 5, 13) + record(3, 32512, 0),
        Told(True, (5, 13), 32512),
    ),
    "failed twice": (record(2, 4, 22) + record(2, 5, 13), Told(False, (4, 22), None)),
    "cut": (record(1, 0, 0) + b"\x03\x00", Told(begun=True)),
    "no status": (record(3, 0x137F, 0), Told()),
    "another kind": (record(77, 1, 1), Told()),
}


@pytest.mark.parametrize(("records", "expected"), TOLD.values(), ids=TOLD.keys())
def test_what_is_told_is_read(records: bytes, expected: Told) -> None:
    assert told(records) == expected


@given(st.binary(max_size=100))
def test_what_makes_no_sense_is_read_as_some_status_or_none(records: bytes) -> None:
    status = told(records).status
    assert status is None or isinstance(os.waitstatus_to_exitcode(status), int)
