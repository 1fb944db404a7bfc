"""Does a program that a signal ends leave a core file here?"""

from __future__ import annotations

import resource
import signal

_CORE_SIGNALS = frozenset(
    {
        *(signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS),
        *(signal.SIGFPE, signal.SIGSEGV, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGSYS),
    }
)


def leaves_core(number: int) -> bool:
    """As far as the limit and the kernel's setting tell; see core(5)."""
    if number not in _CORE_SIGNALS:
        return False
    if resource.getrlimit(resource.RLIMIT_CORE)[0] > 0:
        return True
    try:
        # A pipe to a program is not bound by the limit.
        with open("/proc/sys/kernel/core_pattern", "rb") as file:
            return file.read(1) == b"|"
    except OSError:
        return False
