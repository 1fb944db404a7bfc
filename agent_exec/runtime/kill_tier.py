"""What a kill reaches on this machine, found out by one call."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.plan import CallPlan, Containment, SpawnPlan
from agent_exec.runtime.select import select_engine


@dataclass(frozen=True, slots=True)
class KillTier:
    """Which tier of docs/concepts/launcher.md is in use, and whether a guardian is."""

    name: str
    why: str
    """Where the cgroups of calls are made, or why there are none."""
    guardian: str
    guardian_why: str


def find_kill_tier(launcher: str) -> KillTier:
    """The tier that calls get by default. Runs ``true`` once with the engine of `launcher`.

    Raises:
        AgentExecError: Nothing can be launched.
    """
    engine, chosen = select_engine(launcher, containment=Containment.AUTO)
    try:
        contains, text = engine.containment()
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
        return KillTier("cgroup", f"all that a call started; below {where}", guardian, why)
    searches = os.path.isdir("/proc/self/task")
    name = "session, group and mark" if searches else "session and group"
    return KillTier(name, text, guardian, why)
