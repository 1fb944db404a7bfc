"""The guardian of an engine, before its first call."""

from __future__ import annotations

from agent_exec.launch.base import Launcher
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.plan import CallPlan, SpawnPlan
from agent_exec.runtime.engine import Engine


def start_guardian(engine: Engine, launcher: Launcher, mark: bytes) -> None:
    """Run ``true``: an engine starts its guardian with its first call, just after the child.

    Args:
        engine: Of one tool.
        launcher: The one that it has.
        mark: Of a call of that tool.

    Raises:
        LaunchError, TemplateError: It does not start.
    """
    import shutil  # noqa: PLC0415 - most calls start it themselves

    program = shutil.which("true")
    if program is None:
        return
    with SpawnTemplate.create(program, launcher=launcher) as template:
        stage = SpawnPlan(executable=template.executable, argv=(b"true",), session=True)
        engine.run_sync(CallPlan(stages=(stage,), mark=mark))
