"""What this system has of that for which there is a C core, and else another way."""

from __future__ import annotations

import importlib.util
from functools import partial

from agent_exec.errors import Unsupported
from agent_exec.launch.base import Launcher
from agent_exec.launch.select import select_general, why_not_kernel
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import Containment
from agent_exec.policy.eyes import IsStraight, MakeWitness, is_still_so
from agent_exec.runtime.engine import Engine


def select_engine(
    name: str = "auto",
    *,
    max_concurrent: int = 16,
    containment: Containment = Containment.SESSION,
    processes: int | None = None,
    memory_mib: int | None = None,
) -> tuple[Engine, Launcher]:
    """An engine that starts its children as the launcher called `name` does, and that launcher.

    With ``kernel`` it is the engine of the general launcher: every stage of a call leads a
    session, which the kernel's calls cannot make. `processes` and `memory_mib` are for the cgroups
    of calls; see `NativeEngine`.

    Raises:
        Unsupported: `name` is no launcher, or does not work here; or `containment` is
            ``cgroup`` and that cannot be had.
    """
    reason = why_not_kernel() if name == "kernel" else None
    if reason is not None:
        raise Unsupported(f"the kernel launcher cannot be used: {reason}")
    launcher = select_general("auto" if name == "kernel" else name)
    # As in select_general: one of the two is imported.
    if launcher.name is LauncherName.VFORK:
        from agent_exec.runtime.native_engine import NativeEngine  # noqa: PLC0415

        engine: Engine = NativeEngine(
            max_concurrent=max_concurrent,
            cgroups=containment is not Containment.SESSION,
            processes=processes,
            memory_mib=memory_mib,
        )
    else:
        from agent_exec.runtime.thread_engine import ThreadEngine  # noqa: PLC0415

        engine = ThreadEngine(launcher, max_concurrent=max_concurrent)
    if containment is Containment.CGROUP:
        works, why_not = engine.containment()
        if not works:
            engine.close()
            raise Unsupported(f"calls cannot have cgroups of their own: {why_not}")
    return engine, launcher


def select_witness() -> MakeWitness:
    """What makes, of what was looked at, a question whether all of it is still so."""
    if importlib.util.find_spec("agent_exec._native") is None:
        return lambda glances: partial(is_still_so, glances)
    from agent_exec.launch.glances import asker  # noqa: PLC0415 - absent on some systems

    return asker


def select_straight() -> IsStraight | None:
    """What asks of all names of a path at once; None: nothing can."""
    if importlib.util.find_spec("agent_exec._native") is None:
        return None
    from agent_exec.launch.native import is_straight  # noqa: PLC0415 - absent on some systems

    return is_straight
