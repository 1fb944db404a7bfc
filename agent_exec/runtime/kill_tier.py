"""What a kill reaches on this machine, found out by one call."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.plan import CallPlan, Containment, SpawnPlan
from agent_exec.runtime.select import select_engine

_MANY = 1 << 20
_CONTROLLERS = {"pids": "processes", "memory": "memory"}


@dataclass(frozen=True, slots=True)
class KillTier:
    """Which tier of docs/concepts/launcher.md is in use, and whether a guardian is."""

    name: str
    why: str
    """Where the cgroups of calls are made, or why there are none."""
    guardian: str
    guardian_why: str
    bounded: tuple[str, ...] = ()
    """What the cgroups of calls limit: ``processes``, ``memory``."""


def find_kill_tier(launcher: str) -> KillTier:
    """The tier that calls get by default. Runs ``true`` once with the engine of `launcher`.

    Raises:
        AgentExecError: Nothing can be launched.
    """
    engine, chosen = select_engine(
        launcher, containment=Containment.AUTO, processes=_MANY, memory_mib=_MANY
    )
    try:
        contains, text = engine.containment()
        bounded = _bounded_by(text) if contains else ()
        program = shutil.which("true")
        if program is None:
            guardian, why = "not tried", "there is no program called true"
        else:
            with SpawnTemplate.create(program, launcher=chosen) as template:
                stage = SpawnPlan(executable=template.executable, argv=(b"true",), session=True)
                # The mark of one call of an owner: all that a guardian needs.
                engine.run_sync(CallPlan(stages=(stage,), mark=b"AGENT_EXEC_CALL=doctor-1"))
            pid, error = engine.guardian()
            guardian, why = ("works", "") if pid else ("none", os.strerror(error))
    finally:
        engine.close()
    if contains:
        where = os.path.dirname(text)
        why_so = f"all that a call started; below {where}"
        return KillTier("cgroup", why_so, guardian, why, bounded)
    searches = os.path.isdir("/proc/self/task")
    name = "session, group and mark" if searches else "session and group"
    return KillTier(name, text, guardian, why)


def _bounded_by(cgroup: str) -> tuple[str, ...]:
    """What the cgroups below `cgroup`, an engine's, have limits of."""
    with open(f"{cgroup}/cgroup.subtree_control", encoding="ascii") as file:
        handed_on = file.read().split()
    return tuple([what for name, what in _CONTROLLERS.items() if name in handed_on])
