"""How we launch through the tool: `ExecTool.run`, from the argv to the result."""

from __future__ import annotations

import os
from contextlib import ExitStack

from agent_exec.bench.launch.drive import AsyncLaunch
from agent_exec.bench.launch.methods.loops import OnAsyncio, OnTrio
from agent_exec.bench.launch.programs import Program, Workbench, WrongResultError
from agent_exec.model.plan import TemplateUse
from agent_exec.model.result import ToolResult
from agent_exec.tool import ExecTool

# A template is kept from the second launch on, and used from the third.
_LAUNCHES_UNTIL_HOT = 3


def open_tool_asyncio(bench: Workbench) -> OnAsyncio:
    """`ExecTool.run` under asyncio."""
    calls = _Calls(bench)
    return OnAsyncio(calls.asynchronous, calls.holds)


def open_tool_trio(bench: Workbench) -> OnTrio:
    """`ExecTool.run` under trio."""
    calls = _Calls(bench)
    return OnTrio(calls.asynchronous, calls.holds)


class _Calls:
    """Makes and checks the calls of one method; owns its tool."""

    def __init__(self, bench: Workbench) -> None:
        self.holds = ExitStack()
        # Recorded as a user's calls are, but not among them.
        audit = os.path.join(os.path.dirname(bench.worktree), "audit")
        tool = ExecTool(bench.worktree, policy="open", audit=audit)
        self._tool = self.holds.enter_context(tool)

    def asynchronous(self, program: Program) -> AsyncLaunch:
        """For `OnAsyncio` and `OnTrio`."""
        for _ in range(_LAUNCHES_UNTIL_HOT):
            self._tool.run_sync(program.argv)

        async def launch() -> None:
            _check(program, await self._tool.run(program.argv))

        return launch


def _check(program: Program, result: ToolResult) -> None:
    (stage,) = result.stages
    if stage.template is not TemplateUse.HIT:
        raise WrongResultError(f"{program.name}: the template was no hit but {stage.template}")
    program.check(stage.exit_code, result.stdout.head.encode(), result.stderr.head.encode())
