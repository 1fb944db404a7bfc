"""Try to leave an effect behind, in the ways that need no right to write a file by its name.

    try_effects.py VICTIM FOLDER

VICTIM is a process of the same user, FOLDER holds a.txt, b.txt and c.txt. TMPDIR may be written. A
line is printed for each that got through.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
ONE = os.uname().machine == "x86_64"
AT_FDCWD, AT_EMPTY_PATH, IPC_RMID = -100, 0x1000, 0
VICTIM, FOLDER, TMP = int(sys.argv[1]), sys.argv[2], os.environ["TMPDIR"]
FILE = f"{FOLDER}/a.txt"


def call(x86_64: int, aarch64: int, *arguments: int | bytes) -> int:
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = LIBC.syscall(ctypes.c_long(x86_64 if ONE else aarch64), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def reading(path: str = FILE) -> int:
    return os.open(path, os.O_RDONLY)


def temporary(name: str) -> str:
    path = f"{TMP}/{name}"
    with open(path, "w") as file:
        file.write("x")
    return path


def append(path: str, text: str = "x") -> None:
    with open(path, "a") as file:
        file.write(text)


def link_and_write() -> None:
    os.link(FILE, f"{TMP}/linked")
    append(f"{TMP}/linked")


def symlink_and_write() -> None:
    os.symlink(FILE, f"{TMP}/symlink")
    append(f"{TMP}/symlink")


def nameless_then_named() -> None:
    fd = os.open(TMP, os.O_TMPFILE | os.O_RDWR, 0o600)
    call(265, 37, fd, b"", AT_FDCWD, f"{FOLDER}/named".encode(), AT_EMPTY_PATH)


def exchange() -> None:
    there = temporary("exchange").encode()
    call(316, 276, AT_FDCWD, there, AT_FDCWD, f"{FOLDER}/b.txt".encode(), 2)


def signal_by_descriptor() -> None:
    one, _ = os.pipe()
    fcntl.fcntl(one, 8, VICTIM)  # F_SETOWN
    fcntl.fcntl(one, 10, signal.SIGWINCH)  # F_SETSIG
    fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.kill(VICTIM, 0)  # delivery itself has no answer


def scheduling() -> None:
    os.sched_setscheduler(VICTIM, os.SCHED_BATCH, os.sched_param(0))


WAYS: dict[str, Callable[[], object]] = {
    "reopen-by-proc": lambda: append(f"/proc/self/fd/{reading()}"),
    "hard-link": link_and_write,
    "symbolic-link": symlink_and_write,
    "nameless-then-named": nameless_then_named,
    "rename-over": lambda: os.rename(temporary("over"), f"{FOLDER}/c.txt"),
    "exchange": exchange,
    "mapped": lambda: mmap.mmap(os.open(FILE, os.O_RDWR), 1, mmap.MAP_SHARED),
    "mode-by-fd": lambda: os.fchmod(reading(), 0o777),
    "times-by-fd": lambda: os.utime(reading(), (1, 1)),
    "attribute-by-fd": lambda: os.setxattr(reading(), "user.x", b"1"),
    "lease": lambda: fcntl.fcntl(reading(__file__), 1024, fcntl.F_RDLCK),
    "signal": lambda: os.kill(VICTIM, signal.SIGWINCH),
    "signal-to-thread": lambda: call(234, 131, VICTIM, VICTIM, int(signal.SIGWINCH)),
    "signal-by-pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(VICTIM), signal.SIGWINCH),
    "signal-by-descriptor": signal_by_descriptor,
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, VICTIM, 19),
    "priority-of-a-group": lambda: os.setpriority(os.PRIO_PGRP, os.getpgid(VICTIM), 19),
    "affinity": lambda: os.sched_setaffinity(VICTIM, os.sched_getaffinity(VICTIM)),
    "scheduler": scheduling,
    "priority-of-io": lambda: call(251, 30, 1, VICTIM, 3 << 13),
    "limits": lambda: resource.prlimit(VICTIM, resource.RLIMIT_CORE, (0, 0)),
    "oom-score": lambda: append(f"/proc/{VICTIM}/oom_score_adj", "500"),
    "shared-memory": lambda: call(31, 195, call(29, 194, 0, 4096, 0o600), IPC_RMID),
    "semaphores": lambda: call(66, 191, call(64, 190, 0, 1, 0o600), 0, IPC_RMID),
    "messages": lambda: call(71, 187, call(68, 186, 0, 0o600), IPC_RMID),
    "named-shared-memory": lambda: os.unlink(make_shared()),
    "abstract-socket": lambda: socket.socket(socket.AF_UNIX).bind(f"\0try-effects-{VICTIM}"),
    "named-socket": lambda: socket.socket(socket.AF_UNIX).bind(f"{FOLDER}/socket"),
}


def make_shared() -> str:
    path = f"/dev/shm/try-effects-{VICTIM}"
    append(path)
    return path


def own_work_is_done() -> None:
    """What a program does to itself, with which it must not be confused."""
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    fcntl.flock(reading(), fcntl.LOCK_SH)
    thread = threading.Thread(target=os.sched_yield)
    thread.start()
    thread.join()
    append(temporary("own"))


def main() -> None:
    own_work_is_done()
    print("own work")
    for name, way in WAYS.items():
        try:
            way()
        except OSError:
            continue
        print(name)


main()
