"""What makes a parent heavy: memory, threads, descriptors."""

from __future__ import annotations

import mmap
import os
import resource
import threading
from contextlib import ExitStack
from enum import StrEnum

MEMORY_BYTES = 2 << 30
THREADS = 32
DESCRIPTORS = 10_000
# Beside the ballast: standard streams, the engine, pipes of 16 launches, imports.
_OTHER_DESCRIPTORS = 512
_OTHER_MEMORY_BYTES = 512 << 20


class Ballast(StrEnum):
    """What a worker carries."""

    NONE = "none"
    MEMORY = "memory"
    """2 GiB resident in pages of the smallest size, and 32 threads."""
    DESCRIPTORS_BEFORE = "descriptors-before"
    """10,000 open descriptors, opened before the engine was."""
    DESCRIPTORS_AFTER = "descriptors-after"
    """10,000 open descriptors, opened when the engine had its own."""

    @property
    def words(self) -> str:
        """For a reader of the report."""
        return {
            Ballast.NONE: "no ballast",
            Ballast.MEMORY: "parent with 2 GiB resident and 32 threads",
            Ballast.DESCRIPTORS_BEFORE: "parent with 10,000 descriptors, opened before the engine",
            Ballast.DESCRIPTORS_AFTER: "parent with 10,000 descriptors, opened after the engine",
        }[self]


def why_not(ballast: Ballast) -> str | None:
    """Why this machine cannot carry `ballast`; None when it can."""
    if ballast is Ballast.MEMORY:
        available = _memory_available()
        if available < MEMORY_BYTES + _OTHER_MEMORY_BYTES:
            return f"only {available >> 20} MiB of memory are available"
    if ballast in (Ballast.DESCRIPTORS_BEFORE, Ballast.DESCRIPTORS_AFTER):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS + _OTHER_DESCRIPTORS:
            return f"the limit on open descriptors is {hard}"
    return None


def load(ballast: Ballast, holds: ExitStack) -> None:
    """Carry `ballast` until `holds` is closed.

    Raises:
        OSError: The machine does not have it after all (ENOMEM, EMFILE).
    """
    if ballast is Ballast.MEMORY:
        holds.enter_context(_resident_memory(MEMORY_BYTES))
        _start_idle_threads(THREADS, holds)
    elif ballast is not Ballast.NONE:
        _open_descriptors(DESCRIPTORS, holds)


def _memory_available() -> int:
    with open("/proc/meminfo", encoding="ascii") as lines:
        sizes = dict(line.split(":") for line in lines)
    return int(sizes["MemAvailable"].split()[0]) << 10


def _resident_memory(size: int) -> mmap.mmap:
    """Anonymous memory in small pages: the case in which fork(2) copies most."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    memory[:: mmap.PAGESIZE] = b"\1" * (size // mmap.PAGESIZE)
    return memory


def _start_idle_threads(count: int, holds: ExitStack) -> None:
    ended = threading.Event()
    threads = [threading.Thread(target=ended.wait) for _ in range(count)]
    for thread in threads:
        thread.start()
        holds.callback(thread.join)
    holds.callback(ended.set)


def _open_descriptors(count: int, holds: ExitStack) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    first = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    holds.callback(os.close, first)
    for _ in range(count - 1):
        holds.callback(os.close, os.dup(first))
