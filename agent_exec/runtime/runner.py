"""Runs what may run: a grant to its result."""

from __future__ import annotations

import errno
from collections.abc import Coroutine
from functools import partial
from typing import Any

from agent_exec.errors import Denied, TemplateError
from agent_exec.model.decision import Decision, Grant, Verdict
from agent_exec.model.outcome import Outcome
from agent_exec.model.request import Command, ExecRequest
from agent_exec.model.result import ToolResult
from agent_exec.runtime.approvals.again import was_approved
from agent_exec.runtime.approvals.asking import Judged, refusal
from agent_exec.runtime.bind import Bound, Settings
from agent_exec.runtime.checker import Checker
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.live import Live
from agent_exec.runtime.render import render
from agent_exec.runtime.renewal import MOST_RENEWALS, on_stale
from agent_exec.runtime.resolve import by_shell, resolve
from agent_exec.runtime.script_call import ScriptCall
from agent_exec.runtime.stdout_file import stdout_to_file


class Runner:
    """Binds, launches and renders, with or without an event loop.

    Args:
        engine: That runs the plans.
        settings: Of the tool.
        checker: Judges again what is known only when it runs.
    """

    def __init__(self, engine: Engine, settings: Settings, checker: Checker) -> None:
        self._engine = engine
        self._settings = settings
        self._checker = checker

    def watched(self, live: Live) -> Runner:
        """The same for one call, which `live` looks at."""
        return Runner(self._engine, self._settings._replace(live=live), self._checker)

    def run(self, grant: Grant) -> Coroutine[Any, Any, ToolResult]:
        """Under asyncio or trio. Raises as `ExecTool.run`."""
        grant = self._by_route(grant)
        if grant.request.call.stdout_file is None:
            return self._launch(grant)
        return self._launch_to_file(grant)

    def run_sync(self, grant: Grant) -> ToolResult:
        """On the calling thread. Raises as `ExecTool.run`."""
        grant = self._by_route(grant)
        if grant.request.call.stdout_file is None:
            return self._launch_sync(grant)
        with stdout_to_file(grant) as with_file:
            return self._launch_sync(with_file)

    async def _launch_to_file(self, grant: Grant) -> ToolResult:
        with stdout_to_file(grant) as with_file:
            return await self._launch(with_file)

    async def _launch(self, grant: Grant) -> ToolResult:
        if grant.request.script is not None:
            with ScriptCall(grant, self._settings, partial(self._judge_again, grant)) as script:
                return await script.run(self._engine)
        bound = Bound(grant, self._settings)
        ran = False
        try:
            for _ in range(MOST_RENEWALS):
                try:
                    outcome = bound.confining.ended(await self._engine.run(bound.plan))
                    break
                except TemplateError as error:
                    self._renew(bound, error)
            else:
                outcome = bound.confining.ended(await self._engine.run(bound.plan))
            ran = True
        finally:
            bound.release(ran=ran)
        return _result(bound, outcome)

    def _launch_sync(self, grant: Grant) -> ToolResult:
        if grant.request.script is not None:
            with ScriptCall(grant, self._settings, partial(self._judge_again, grant)) as script:
                return script.run_sync(self._engine)
        bound = Bound(grant, self._settings)
        ran = False
        try:
            for _ in range(MOST_RENEWALS):
                try:
                    outcome = bound.confining.ended(self._engine.run_sync(bound.plan))
                    break
                except TemplateError as error:
                    self._renew(bound, error)
            else:
                outcome = bound.confining.ended(self._engine.run_sync(bound.plan))
            ran = True
        finally:
            bound.release(ran=ran)
        return _result(bound, outcome)

    def _by_route(self, grant: Grant) -> Grant:
        if grant.request.needs_shell is None:
            return grant
        return grant._replace(request=by_shell(grant.request, self._settings.shell_program))

    def _judge_again(self, grant: Grant, command: Command) -> Decision:
        """Of a command whose words are known only now."""
        request = grant.request
        again = self._checker.decide(request._replace(commands=(command,), text=None))
        if again.verdict is not Verdict.ASK or grant.decision.verdict is not Verdict.ASK:
            return again
        cwd, worktree = command.cwd or request.cwd, self._checker.worktree
        if was_approved(grant.decision, again, cwd=cwd, worktree=worktree):
            return again._replace(verdict=Verdict.ALLOW)
        return again

    def _renew(self, bound: Bound, error: TemplateError) -> None:
        """The launcher refused a template, before anything had started."""
        if error.errno not in {errno.ESTALE, errno.EACCES}:
            raise error
        decision = bound.grant.decision
        verdict, because = on_stale(self._settings.on_update, error)
        if verdict is Verdict.ALLOW and decision.verdict is Verdict.ASK:
            raise Denied(f"it is no longer what was approved: {error}", decision)
        if verdict is not Verdict.ALLOW:
            raise refusal(decision._replace(verdict=verdict, because=(because,)))
        request, decision = self._judged(bound.grant.request)
        if decision.verdict is not Verdict.ALLOW:
            raise refusal(decision)
        bound.renew(self._by_route(Grant(request, decision)), error)

    def _judged(self, request: ExecRequest) -> Judged:
        request = resolve(
            request.call,
            id_=request.id,
            worktree=self._checker.worktree,
            environment=self._settings.environment,
        )
        request = self._checker.by_policy(request)
        return request, self._checker.decide(request)


def _result(bound: Bound, outcome: Outcome) -> ToolResult:
    result = render(
        bound.grant,
        outcome,
        bound.leases,
        held_by=bound.confining.held_by,
        stdout_file=None if bound.stdout_file is None else bound.stdout_file.path,
        stderr_file=None if bound.stderr_file is None else bound.stderr_file.path,
    )
    return bound.confining.explained(result, bound.grant.request.cwd)
