"""A rule set of Landlock such as a call that only reads gets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from agent_exec.errors import Unsupported
from agent_exec.sandbox import landlock

_PLACES = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/dev")


@contextmanager
def reading(*folders: str) -> Iterator[int]:
    """The descriptor of one that lets `folders` and those of the system be read and executed.

    Raises:
        Unsupported: This machine has no Landlock.
    """
    abi = landlock.version()
    if not abi:
        raise Unsupported("this machine has no Landlock")
    made = landlock.create(abi, network=False, signal=False)
    try:
        for place in (*_PLACES, *folders):
            real = os.path.realpath(place)
            if os.path.isdir(real):
                fd = landlock.open_path(real)
                landlock.allow(made, fd, landlock.READING | landlock.EXECUTE)
                os.close(fd)
        yield made
    finally:
        os.close(made)
