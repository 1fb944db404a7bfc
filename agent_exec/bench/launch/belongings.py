"""Count what this process holds."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

from agent_exec.bench.launch.measured import Belongings


def count_belongings() -> Belongings:
    """Look through /proc, over all threads: some have a descriptor table of their own."""
    gc.collect()
    children = 0
    tables: set[frozenset[tuple[str, str]]] = set()
    threads = os.listdir("/proc/self/task")
    for thread in threads:
        task = Path("/proc/self/task", thread)
        with suppress(FileNotFoundError):  # a thread that has just ended
            tables.add(_list_table(task / "fd"))
            children += len((task / "children").read_text().split())
    pages = Path("/proc/self/statm").read_text().split()[1]
    return Belongings(
        descriptors=sum(map(len, tables)),
        children=children,
        threads=len(threads),
        rss_bytes=int(pages) * os.sysconf("SC_PAGESIZE"),
        python_blocks=sys.getallocatedblocks(),
    )


def _list_table(folder: Path) -> frozenset[tuple[str, str]]:
    """Numbers and files: threads with the same ones share a table."""
    listed = set()
    for number in os.listdir(folder):
        with suppress(FileNotFoundError):  # that of the listing
            listed.add((number, os.readlink(folder / number)))
    return frozenset(listed)
