"""The engine that goes with a launcher."""

from __future__ import annotations

from agent_exec.errors import Unsupported
from agent_exec.launch.base import Launcher
from agent_exec.launch.select import select_general, why_not_kernel
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import Containment
from agent_exec.runtime.engine import Engine


def select_engine(
    name: str = "auto",
    *,
    max_concurrent: int = 16,
    containment: Containment = Containment.SESSION,
) -> tuple[Engine, Launcher]:
    """An engine that starts its children as the launcher called `name` does, and that launcher.

    With ``kernel`` it is the engine of the general launcher: every stage of a call leads a
    session, which the kernel's calls cannot make.

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
            max_concurrent=max_concurrent, cgroups=containment is not Containment.SESSION
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
