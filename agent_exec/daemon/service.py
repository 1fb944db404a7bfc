"""What the daemon does for one worktree by one policy, in JSON.

The one place of the daemon that knows `ExecTool`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from agent_exec.errors import InvalidCall
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Executor, Verdict
from agent_exec.model.question import Answer
from agent_exec.model.result import ToolResult
from agent_exec.runtime.approvals.asking import Approver
from agent_exec.runtime.host_command import HostCommand, judge
from agent_exec.runtime.live import Live
from agent_exec.tool import ExecTool

Json: TypeAlias = dict[str, Any]


class Service(Protocol):
    """Safe for any number of requests at once, all on one event loop."""

    async def call(
        self,
        arguments: Mapping[str, Any],
        *,
        name: str,
        owner: str,
        approver: Approver | None,
        live: Live | None,
    ) -> Json:
        """A model's call: run, or refused. Cancelling it kills what it has started."""

    async def check(self, call: Mapping[str, Any], *, executor: Executor) -> Json:
        """The decision on a call, which does not run."""

    async def judge(self, command: HostCommand) -> Json:
        """What a host is to do with a command."""

    async def decide(self, arguments: Mapping[str, Any]) -> Json:
        """The decision on a model's call, to be run later; with the question, if it asks."""

    async def run_decided(
        self, decision: Decision, answer: Answer, *, owner: str, live: Live | None
    ) -> Json:
        """Run what was decided on."""

    def is_idle(self) -> bool:
        """Whether nothing that it has started still runs."""

    def end_owner(self, owner: str) -> None:
        """End the sessions of somebody who is gone."""

    def close(self) -> None:
        """Kill what still runs."""


class ToolService:
    """A `Service` on an `ExecTool`.

    Raises:
        AgentExecError, OSError: As `ExecTool`.
    """

    def __init__(self, worktree: str, policy: str) -> None:
        self._tool = ExecTool(worktree, policy=policy, asked_by="daemon")
        try:
            # A daemon is killed when somebody tidies up: its first call must not outlive that.
            self._tool.warm_up()
        except BaseException:
            self._tool.close()
            raise

    async def call(
        self,
        arguments: Mapping[str, Any],
        *,
        name: str,
        owner: str,
        approver: Approver | None,
        live: Live | None,
    ) -> Json:
        """See `Service`."""
        result = await self._tool.call(
            arguments, name=name, approver=approver, owner=owner, live=live
        )
        return _shown(result)

    async def check(self, call: Mapping[str, Any], *, executor: Executor) -> Json:
        """See `Service`."""
        return await asyncio.to_thread(self._check, call, executor)

    def _check(self, call: Mapping[str, Any], executor: Executor) -> Json:
        try:
            given = ToolCall.from_json(call)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidCall(f"no call that could be judged: {error!r}") from None
        return self._tool.checker.check_call(given, executor=executor).to_json()

    async def judge(self, command: HostCommand) -> Json:
        """See `Service`."""
        ruling = await asyncio.to_thread(judge, self._tool.checker, command)
        return ruling.to_json()

    async def decide(self, arguments: Mapping[str, Any]) -> Json:
        """See `Service`."""
        decision = await self._tool.decide(arguments)
        question = None
        if decision.verdict is Verdict.ASK:
            question = self._tool.question(decision).to_json()
        return {"decision": decision.to_json(), "question": question}

    async def run_decided(
        self, decision: Decision, answer: Answer, *, owner: str, live: Live | None
    ) -> Json:
        """See `Service`."""
        return _shown(await self._tool.run_decided(decision, answer, owner=owner, live=live))

    def is_idle(self) -> bool:
        """See `Service`."""
        return self._tool.running_sessions == 0

    def end_owner(self, owner: str) -> None:
        """See `Service`."""
        self._tool.end_sessions(owner)

    def close(self) -> None:
        """See `Service`."""
        self._tool.close()


def _shown(result: ToolResult) -> Json:
    return {**result.to_json(), "text": result.text}
