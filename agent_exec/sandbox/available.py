"""What this machine can hold children to."""

from __future__ import annotations

import os
from collections.abc import Mapping

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
        "bubblewrap": False,
    }
    return frozenset(name for name, works in found.items() if works)


def tmp_folder(environ: Mapping[str, str]) -> str:
    """Where the temp directories of calls are: beneath the XDG state directory.

    Not in ``/tmp``: who may write there may write into any directory beneath.
    """
    home = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "agent_exec", _TMP)
