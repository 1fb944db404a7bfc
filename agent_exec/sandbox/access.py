"""Rights -> what is allowed of which path, as Landlock has it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from agent_exec.model.rights import Rights
from agent_exec.named_tuple import NamedTuple
from agent_exec.sandbox import landlock, minimum
from agent_exec.sandbox.programs import executed_with, read_with

_READ_EXECUTE = landlock.READING | landlock.EXECUTE


class Floor(NamedTuple):
    """What every child gets, as it was found on this machine."""

    readable: tuple[str, ...]
    loaders: tuple[str, ...]
    devices: tuple[tuple[str, int], ...]
    for_code: tuple[str, ...]


def find_floor() -> Floor:
    """Look for it."""
    return Floor(minimum.readable(), minimum.loaders(), minimum.devices(), minimum.for_code())


class Places(NamedTuple):
    """What paths mean, for one tool."""

    path: tuple[str, ...]
    """Where names of programs are looked up."""
    broad: tuple[str, ...]
    """Directories that hold so much that a file in one is not worth the right to all of it."""
    settled: frozenset[str]
    """Paths that every command may read, and that no call changes."""


def accesses(rights: Rights, program: str, floor: Floor, places: Places) -> dict[str, int]:
    """By path, absolute and without links; of all but the temp directory.

    Args:
        rights: Of a command.
        program: Its program.
        floor: What everybody gets.
        places: Of the tool.
    """
    made: dict[str, int] = {}

    def give(paths: Iterable[str], access: int) -> None:
        for path in paths:
            made[path] = made.get(path, 0) | access

    reading = _reading(rights)
    give(floor.readable, landlock.READING)
    give(floor.loaders, _READ_EXECUTE)
    for device, access in floor.devices:
        give((device,), access)
    give(rights.read, reading)
    give(rights.execute, _READ_EXECUTE)
    for each in dict.fromkeys((program, *rights.programs)):
        give(executed_with(each, places.path), _READ_EXECUTE)
        give(read_with(each), reading)
    give(rights.write, landlock.WRITING)
    for path in rights.make:
        give(*_made(path, places.broad))
    give([os.path.dirname(path) for path in rights.remove], landlock.REMOVING)
    if rights.code:
        give(floor.for_code, landlock.READING | landlock.WRITING)
    return made


def access_to_tmp(rights: Rights) -> int:
    """What is allowed of the temp directory."""
    return _reading(rights) | landlock.WRITING if rights.tmp else 0


def _reading(rights: Rights) -> int:
    return _READ_EXECUTE if rights.code else landlock.READING


def _made(path: str, broad: Sequence[str]) -> tuple[tuple[str], int]:
    """Where the right to make `path` has to be, and what it is there.

    Programs replace a file by another that they have made beside it. Where that would open too
    much, a file that is there already may only be written as it is.
    """
    if os.path.isdir(path):
        return (path,), landlock.WRITING
    above = os.path.dirname(path)
    if above in broad and os.path.exists(path):
        return (path,), landlock.WRITE_FILE | landlock.TRUNCATE
    while above != "/" and not os.path.isdir(above):
        above = os.path.dirname(above)
    return (above,), landlock.WRITING
