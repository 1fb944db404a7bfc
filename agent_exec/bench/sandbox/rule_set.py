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
    from agent_exec.launch.native import make_rule_set  # noqa: PLC0415 - absent on some systems

    real = filter(os.path.isdir, map(os.path.realpath, (*_PLACES, *folders)))
    made, _ = make_rule_set(
        landlock.attribute(abi, network=False, signal=False),
        landlock.rules(dict.fromkeys(real, landlock.READING | landlock.EXECUTE)),
        landlock.OF_FILES,
        -1,
        0,
    )
    try:
        yield made
    finally:
        os.close(made)
