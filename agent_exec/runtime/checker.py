"""A call to its request and its decision: the steps of a call before anything is started.

A tool goes on from here; who only wants to know what would be decided stops.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from agent_exec.errors import InvalidCall, ProgramNotFound, TemplateError
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Executor, Route, Verdict
from agent_exec.model.request import Command, ExecRequest
from agent_exec.policy.decide import Planned
from agent_exec.policy.judge import Judge
from agent_exec.policy.load import load_policy
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.policy import Policy
from agent_exec.policy.tables import Tables
from agent_exec.runtime.environment import ChildEnvironment, policy_environment
from agent_exec.runtime.resolve import resolve


class Checker:
    """Judges the calls of one worktree. Safe from any thread.

    Args:
        worktree: Absolute, without links.
        policy: A shipped name, the path of a file, or a `Policy` made for this worktree.
        environ: As ``os.environb``: what the policy lets children inherit of it, they do.
        tables: What is known of programs; the shipped tables when not given.

    Raises:
        PolicyError: No such policy, or it is wrong.
    """

    def __init__(
        self,
        worktree: str,
        policy: str | os.PathLike[str] | Policy,
        environ: Mapping[bytes, bytes],
        *,
        tables: Tables | None = None,
    ) -> None:
        if not isinstance(policy, Policy):
            policy = load_policy(policy, worktree=worktree)
        self.worktree = worktree
        self.policy = policy
        variables = policy_environment(policy, environ)
        self.environment = ChildEnvironment(variables, worktree)
        self._judge = Judge(
            policy,
            load_tables() if tables is None else tables,
            worktree=worktree,
            variables={os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()},
        )

    def request(self, call: ToolCall, *, id_: str, find_programs: bool = True) -> ExecRequest:
        """What `call` means. Raises as `resolve`."""
        request = resolve(
            call,
            id_=id_,
            worktree=self.worktree,
            environment=self.environment,
            find_programs=find_programs,
        )
        if request.script is not None and self.policy.always_shell:
            request = request._replace(
                script=None, needs_shell="the policy gives every text to a shell"
            )
        return request

    def decide(self, request: ExecRequest, *, executor: Executor = Executor.OURS) -> Decision:
        """The verdict on `request`. Never raises."""
        route = Route.DIRECT if request.needs_shell is None else Route.SHELL
        return self._judge.judge(
            request.commands,
            cwd=request.cwd,
            planned=Planned(route, request.needs_shell, request.complete),
            variables=request.call.env or {},
            executor=executor,
        )

    def decide_command(self, call: ToolCall, command: Command) -> Decision:
        """The verdict on one command of a call, of which more is known than before."""
        return self._judge.judge(
            [command],
            cwd=self.worktree,
            planned=Planned(Route.DIRECT),
            variables=call.env or {},
        )

    def check(self, call: ToolCall, *, executor: Executor = Executor.OURS) -> Decision:
        """What would be decided. Nothing runs, and a program need not be there.

        Raises:
            InvalidCall: As `resolve`.
        """
        return self.decide(self.request(call, id_="", find_programs=False), executor=executor)

    def answer(self, call: ToolCall, *, executor: Executor = Executor.OURS) -> Decision:
        """`check`, which never raises: a call that makes no sense is denied."""
        try:
            return self.check(call, executor=executor)
        except (InvalidCall, ProgramNotFound, TemplateError) as error:
            return refused(str(error))


def refused(error: str) -> Decision:
    """The decision on a call that cannot be understood."""
    return Decision(Verdict.DENY, None, because=(error,), error=error)
