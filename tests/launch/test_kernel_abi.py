"""The structures of the RFC's two calls, to the byte."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import pytest

from agent_exec.launch import kernel_abi as abi
from agent_exec.model.action import (
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    MAX_FD,
    Action,
    OpenHow,
)

pytestmark = pytest.mark.skipif(
    os.uname().machine not in abi.CALLS, reason="the calls are used on x86-64 and arm64 only"
)


class Pages:
    """Where an encoder puts things: one after the other, from 0x1000 on."""

    def __init__(self) -> None:
        self.content: dict[int, bytes] = {}
        self._next = 0x1000

    def place(self, content: bytes) -> int:
        address = self._next
        self.content[address] = content
        self._next += (len(content) + 15) // 8 * 8
        return address


def words_of(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace(" ", ""))


ZEROS = " 0000000000000000"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"filename": 0x1122334455667788},
            "0100000000000000 ffffffff 00000000 8877665544332211" + ZEROS * 6,
            id="path",
        ),
        pytest.param(
            {"execfd": 7}, "0100000000000000 07000000 00000000" + ZEROS * 7, id="descriptor"
        ),
        pytest.param(
            {"execfd": 7, "flags": 0}, "0000000000000000 07000000 00000000" + ZEROS * 7, id="flags"
        ),
    ],
)
def test_create_args(given: dict[str, int], expected: str) -> None:
    made = abi.create_args(**given)
    assert made == words_of(expected)
    assert len(made) == abi.CREATE_SIZE == 72


def test_spawn_args() -> None:
    made = abi.spawn_args(pidfd=1, argv=2, envp=3, actions=4, actions_len=5, flags=1)
    assert made == struct.pack("<10Q", 1, 1, 2, 3, 4, 5, 0, 0, 0, 0)
    assert len(made) == abi.SPAWN_SIZE == 80


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Action.close(5), "00000000 00000000 05000000 00000000" + ZEROS),
        (Action.dup2(3, 1), "01000000 00000000 03000000 01000000" + ZEROS),
        (Action.dup2(3, 1, cloexec=True), "01000000 00000800 03000000 01000000" + ZEROS),
        (Action.fchdir(4), "02000000 00000000 04000000 00000000" + ZEROS),
        (Action.close_range(3, 9), "04000000 00000000 03000000 09000000" + ZEROS),
        (
            Action.close_range(3, MAX_FD, flags=CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE),
            "04000000 06000000 03000000 ffffffff" + ZEROS,
        ),
    ],
)
def test_actions_without_an_address(action: Action, expected: str) -> None:
    pages = Pages()
    made = abi.actions([action], pages.place)
    assert (made, pages.content) == (words_of(expected), {})
    assert len(made) == abi.ACTION_SIZE == 24


def test_an_open_action_and_what_it_points_to() -> None:
    pages = Pages()
    how = OpenHow(b"in/put", os.O_RDWR | os.O_CREAT, 0o640, 0x08)
    made = abi.actions([Action.open(0, how)], pages.place)
    assert made == words_of("03000000 00000000 9cffffff 00000000 1010000000000000")
    assert pages.content == {
        0x1000: b"in/put\0",
        0x1010: words_of("0010000000000000 4200000000000000 a001000000000000 0800000000000000"),
    }


@pytest.mark.parametrize(("make", "kind"), [(Action.sigmask, "05"), (Action.sigdefault, "06")])
def test_a_signal_action_and_its_set_of_eight_bytes(
    make: Callable[[set[int]], Action], kind: str
) -> None:
    pages = Pages()
    made = abi.actions([make({1, 10, 64})], pages.place)
    assert made == words_of(f"{kind}000000 00000000 00000000 00000000 1010000000000000")
    assert pages.content == {
        0x1000: words_of("0102000000000080"),
        0x1010: words_of("0010000000000000 0800000000000000"),
    }


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        pytest.param((), "0000000000000000", id="none"),
        pytest.param(range(1, 65), "ffffffffffffffff", id="all"),
        pytest.param((9, 9), "0001000000000000", id="twice-the-same"),
    ],
)
def test_signal_sets(signals: range, expected: str) -> None:
    assert abi.sigset(frozenset(signals)) == words_of(expected)


def test_actions_follow_one_another() -> None:
    made = abi.actions([Action.close(1), Action.fchdir(2)], Pages().place)
    assert [made[0:4], made[24:28], len(made)] == [b"\0\0\0\0", b"\2\0\0\0", 48]


def test_a_vector_of_words() -> None:
    pages = Pages()
    made = abi.words((b"a", b""), pages.place)
    assert made == struct.pack("<3Q", 0x1000, 0x1010, 0)
    assert pages.content == {0x1000: b"a\0", 0x1010: b"\0"}


def test_what_waitid_writes() -> None:
    data = struct.pack("<7i", 17, 0, os.CLD_KILLED, 0, 4711, 1000, 127) + bytes(100)
    assert abi.read_siginfo(data) == abi.Ended(4711, os.CLD_KILLED, 127)
