"""What this machine can hold children to."""

from __future__ import annotations

import os
from collections.abc import Mapping

from agent_exec.homes import state_home
from agent_exec.sandbox import landlock
from agent_exec.sandbox.profile import Enforced, FilterMaker

_TMP = "tmp"


def best(filter_maker: FilterMaker | None) -> Enforced:
    """Everything that works here.

    Args:
        filter_maker: None where no seccomp filter can be installed.
    """
    return Enforced(landlock.version(), filter_maker)


def names(enforced: Enforced, *, cgroup: bool) -> frozenset[str]:
    """What ``sandbox.require`` of a policy calls that which is enforced."""
    found = {
        "landlock": bool(enforced.landlock),
        "seccomp": enforced.filter is not None,
        "cgroup": cgroup,
        "bubblewrap": enforced.bubblewrap,
    }
    return frozenset(name for name, works in found.items() if works)


def tmp_folders(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where the temp directories of calls are: beneath the XDG state directory.

    In ``/tmp`` only where that cannot be written: who has the right to write there has it in
    any directory beneath.
    """
    return os.path.join(state_home(environ), "agent_exec", _TMP), f"/tmp/agent_exec-{os.geteuid()}"
