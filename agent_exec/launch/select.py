"""Choose a launcher by name, or the best that this machine has."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from agent_exec.errors import LaunchError, Unsupported
from agent_exec.launch.base import Launcher

if TYPE_CHECKING:
    from agent_exec.launch.park import Parker

CHOICES = ("auto", "vfork", "kernel", "portable")


def why_not_vfork() -> str | None:
    """Why the `vfork` launcher cannot be used here; None when it can. Tried once in a process."""
    if importlib.util.find_spec("agent_exec._native") is None:
        return "this installation was built without the C core (agent_exec._native)"
    try:
        from agent_exec.launch.vfork_probe import WORKS  # noqa: PLC0415 - absent on some systems
    except (OSError, LaunchError) as error:  # and tried again the next time
        return f"it could not be tried: {error}"
    if not WORKS:
        return "a vfork child does not share memory with its parent on this system"
    return None


def why_not_kernel() -> str | None:
    """Why the `kernel` launcher cannot be used here; None when it can. Tried once in a process."""
    if sys.platform != "linux":
        return "the calls are Linux's"
    from agent_exec.launch.kernel_probe import WHY_NOT  # noqa: PLC0415 - tries it

    return WHY_NOT


def select_launcher(name: str = "auto") -> Launcher:
    """The launcher called `name`; `auto` is `kernel` where it works, else as `select_general`.

    Raises:
        Unsupported: `name` is no launcher, or does not work here; the message says why.
    """
    reason = None if name not in {"auto", "kernel"} else why_not_kernel()
    if name not in {"auto", "kernel"} or (name == "auto" and reason is not None):
        return select_general(name)
    if reason is not None:
        raise Unsupported(f"the kernel launcher cannot be used: {reason}")
    from agent_exec.launch.kernel import KernelLauncher  # noqa: PLC0415
    from agent_exec.launch.system_call import system_call  # noqa: PLC0415

    return KernelLauncher(system_call, select_general())


def select_parker() -> Parker:
    """What keeps writers from the files of templates.

    Raises:
        Unsupported: It needs the C core.
    """
    reason = why_not_vfork()
    if reason is not None:
        raise Unsupported(f"templates.deny_write cannot be had: {reason}")
    from agent_exec.launch.park import Parker  # noqa: PLC0415 - absent on some systems

    return Parker()


def select_general(name: str = "auto") -> Launcher:
    """A launcher for every kind of plan: `auto` is `vfork` where it works, else `portable`.

    Raises:
        Unsupported: As `select_launcher`.
    """
    if name not in CHOICES:
        raise Unsupported(f"{name!r} is not a launcher; choose one of {', '.join(CHOICES)}")
    reason = None if name == "portable" else why_not_vfork()
    if name == "vfork" and reason is not None:
        raise Unsupported(f"the vfork launcher cannot be used: {reason}")
    # One of the two is imported: both take longer than a launch, and one may be absent.
    if name == "portable" or reason is not None:
        from agent_exec.launch.portable import PortableLauncher  # noqa: PLC0415

        return PortableLauncher()
    from agent_exec.launch.vfork import VforkLauncher  # noqa: PLC0415

    return VforkLauncher()
