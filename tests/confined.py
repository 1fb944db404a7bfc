"""What tests confine a child by: rule sets of Landlock, and filters."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_exec.model.confinement import Filter
from agent_exec.sandbox import filters

_CREATE_RULESET, _ADD_RULE, _GET_VERSION, _PATH_BENEATH = 444, 445, 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
ALL_OF_VERSION_1 = 0x1FFF


def make_filter(*, write: bool = False, network: bool = False) -> Filter:
    """A filter of its own: no other has its secret."""
    maker = filters.filter_maker()
    assert maker is not None
    return maker(write, network, 7)


@contextmanager
def rule_set(**rules: int) -> Iterator[int]:
    """A rule set that withholds every access of the first version, but for what `rules` give
    beneath a directory of the root, by its name; ``root`` is the root itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_CREATE_RULESET, None, 0, _GET_VERSION) < 1:
        pytest.skip("needs Landlock")
    attribute = struct.pack("=Q", ALL_OF_VERSION_1)
    made = libc.syscall(_CREATE_RULESET, attribute, len(attribute), 0)
    assert made >= 0, ctypes.get_errno()
    try:
        for name, access in rules.items():
            path = Path("/" if name == "root" else f"/{name}")
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            beneath = struct.pack("=Qi", access, fd)
            assert libc.syscall(_ADD_RULE, made, _PATH_BENEATH, beneath, 0) == 0
            os.close(fd)
        yield made
    finally:
        os.close(made)


def seccomp_modes(pid: str = "self") -> dict[int, int]:
    """How each thread of a process is filtered: 0 not at all, 2 by a filter."""
    modes = {}
    for name in os.listdir(f"/proc/{pid}/task"):
        try:
            status = Path(f"/proc/{pid}/task/{name}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        fields = dict(line.partition(":")[::2] for line in status.splitlines())
        modes[int(name)] = int(fields["Seccomp"])
    return modes
