"""The limits of a policy to what a child sets for itself by setrlimit(2)."""

from __future__ import annotations

import math
import os
import resource
from typing import TypeAlias

from agent_exec.model.confinement import Rlimit
from agent_exec.named_tuple import NamedTuple

_MIB = 1024 * 1024
# Asking takes a read of a file.
_PROCESSORS = os.cpu_count() or 1
# For what a program does after its deadline until it is killed.
_CPU_SPARE_S = 30
_MOST_KEPT = 64


class Bounds(NamedTuple):
    """What a policy says of every process of a call; None: nothing."""

    processes: int | None = None
    """Of the call: more than the user has already."""
    memory_mib: int | None = None
    """Of data, of one process. Not of its addresses: Node and others reserve more than they use."""
    file_mib: int | None = None
    """The longest file that it may make."""
    open_files: int | None = None


Pair: TypeAlias = tuple[int, int]


class _Kept(NamedTuple):
    """What was made, and of what."""

    which: tuple[int, ...]
    in_force: list[Pair]
    """Of each of these, soft and hard."""
    made: tuple[Rlimit, ...]


class Rlimits:
    """What children set: made again only where something else is in force. Safe from any thread.

    Args:
        bounds: Of the policy.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._kept: dict[tuple[float | None, int | None], _Kept] = {}

    def of(self, timeout_s: float | None, running: int | None) -> tuple[Rlimit, ...]:
        """Those of one child. None is above what is in force.

        Args:
            timeout_s: Of the call; of processor time, each processor may spend as much.
            running: Threads of the same user; None where the limit does not bind this one.
        """
        kept = self._kept.get((timeout_s, running))
        if kept is not None and [*map(resource.getrlimit, kept.which)] == kept.in_force:
            return kept.made
        wanted = _wanted(self._bounds, timeout_s, running)
        which = tuple([each for each, _ in wanted])
        in_force = [*map(resource.getrlimit, which)]
        lowered = [_lower(*each, now) for each, now in zip(wanted, in_force, strict=True)]
        made = tuple([each for each in lowered if each is not None])
        if len(self._kept) >= _MOST_KEPT:
            self._kept = {}
        self._kept[timeout_s, running] = _Kept(which, in_force, made)
        return made


def _wanted(bounds: Bounds, timeout_s: float | None, running: int | None) -> list[tuple[int, int]]:
    """Which limit, and its value; none of these twice."""
    wanted: list[tuple[int, int]] = [(resource.RLIMIT_CORE, 0)]
    if timeout_s is not None and math.isfinite(timeout_s):
        wanted.append((resource.RLIMIT_CPU, math.ceil(timeout_s) * _PROCESSORS + _CPU_SPARE_S))
    if bounds.memory_mib is not None:
        wanted.append((resource.RLIMIT_DATA, bounds.memory_mib * _MIB))
    if bounds.file_mib is not None:
        wanted.append((resource.RLIMIT_FSIZE, bounds.file_mib * _MIB))
    if bounds.open_files is not None:
        wanted.append((resource.RLIMIT_NOFILE, bounds.open_files))
    if bounds.processes is not None and running is not None:
        wanted.append((resource.RLIMIT_NPROC, running + bounds.processes))
    return wanted


def threads_of_user() -> int | None:
    """How many threads the real user of this process has; None where RLIMIT_NPROC does not bind.

    It does not bind root, and whoever has CAP_SYS_RESOURCE or CAP_SYS_ADMIN.

    Source:
        getrlimit(2): the limit is on all threads of the user, of whatever process.
    """
    uid = os.getuid()
    if uid == 0:
        return None
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if os.stat(f"/proc/{name}").st_uid == uid or _is_of(name, uid):
                count += os.stat(f"/proc/{name}/task").st_nlink - 2
        except OSError:  # it has ended
            continue
    return count


def _is_of(pid: str, uid: int) -> bool:
    """The directory of a process that may not be dumped belongs to root."""
    with open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Uid:"):
                return int(line.split()[1]) == uid
    return False


def _lower(which: int, value: int, in_force: Pair) -> Rlimit | None:
    """Both limits at `value`, or at what is in force where that is less; None: nothing to do."""
    soft, hard = in_force
    infinity = resource.RLIM_INFINITY
    new_soft = value if soft == infinity else min(value, soft)
    new_hard = value if hard == infinity else min(value, hard)
    return None if (new_soft, new_hard) == (soft, hard) else Rlimit(which, new_soft, new_hard)
