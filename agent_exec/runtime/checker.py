"""Decisions on calls that are not run: no engine, no templates."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from agent_exec.errors import InvalidCall
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Executor, Route, Verdict, strictest
from agent_exec.model.request import Command, ExecRequest
from agent_exec.policy.decide import Planned
from agent_exec.policy.eyes import Eyes, IsStraight, MakeWitness
from agent_exec.policy.judge import Judge
from agent_exec.policy.load import load_policy
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.policy import Policy
from agent_exec.runtime.checks import wrong
from agent_exec.runtime.environment import ChildEnvironment, policy_environment
from agent_exec.runtime.resolve import resolve
from agent_exec.schema.redact import withheld_secrets

_KEYS = frozenset({"argv", "pipeline", "command", "cwd", "env", "stdin"})


class Checker:
    """Judges calls in one worktree by one policy. Safe from any thread.

    Args:
        worktree: A directory.
        policy: A shipped name, the path of a file, or a `Policy`.
        witness: See `agent_exec.policy.look_program.Programs`.
        ask_straight: See `agent_exec.policy.eyes.Eyes`.

    Raises:
        PolicyError: It is wrong, or not to be had.
        InvalidCall: The worktree is no directory.
    """

    def __init__(
        self,
        worktree: str | os.PathLike[str],
        policy: str | os.PathLike[str] | Policy,
        witness: MakeWitness | None = None,
        ask_straight: IsStraight | None = None,
    ) -> None:
        self.worktree = os.path.realpath(worktree)
        if not os.path.isdir(self.worktree):
            raise InvalidCall(f"the worktree {self.worktree} is no directory")
        if not isinstance(policy, Policy):
            policy = load_policy(policy, worktree=self.worktree)
        self.policy = policy
        self.enforced: Callable[[], frozenset[str]] = partial(_enforced_for, policy)
        """Says what children are held to, in the words of ``sandbox.require``: at first, what the
        launcher of the policy can do here."""
        variables = policy_environment(policy, os.environb)
        self._variables = {
            os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()
        }
        self.environment = ChildEnvironment(variables, self.worktree)
        self._ask_straight = ask_straight
        self._judge = Judge(
            policy,
            load_tables(),
            worktree=self.worktree,
            variables=self._variables,
            witness=witness,
        )

    def eyes(self) -> Eyes:
        """What looks for one judgement."""
        return Eyes(self._ask_straight)

    def withheld_secrets(self) -> list[str]:
        """Values of variables that children do not get, and that look like secrets."""
        return withheld_secrets(os.environ, self._variables)

    def check(self, call: Mapping[str, Any]) -> Decision:
        """The decision on a call in JSON: argv, pipeline or command; cwd, env, stdin.

        Raises:
            InvalidCall: It cannot be understood.
        """
        return self.check_call(_tool_call(call))

    def check_call(self, call: ToolCall, *, executor: Executor = Executor.OURS) -> Decision:
        """The decision on a call. Raises as `check`."""
        request = resolve(
            call,
            id_="",
            worktree=self.worktree,
            environment=self.environment,
            find_programs=False,
            by_host=executor is Executor.HOST,
        )
        return self.decide(self.by_policy(request), executor=executor)

    def by_policy(self, request: ExecRequest) -> ExecRequest:
        """A request as the policy has it run: by which route, and for how long at most."""
        call, longest = request.call, self.policy.limits.max_timeout_s
        if call.timeout_s is not None and call.timeout_s > longest and not call.background:
            request = request._replace(call=call._replace(timeout_s=longest))
        if request.script is not None and self.policy.always_shell:
            because = "route.shell of the policy is always"
            request = request._replace(script=None, needs_shell=because)
        before_last = request.commands[:-1]
        # Each program that we start leads a session; a terminal belongs to one, and hangs up when
        # its leader ends.
        several = request.script is not None and not all(each.builtin for each in before_last)
        if call.terminal and several:
            because = "of several commands at a terminal, a shell has to lead"
            request = request._replace(script=None, needs_shell=because)
        return request

    def decide(
        self,
        request: ExecRequest,
        *,
        executor: Executor = Executor.OURS,
        eyes: Eyes | None = None,
    ) -> Decision:
        """The decision on a request, as `eyes` see its files. Never raises."""
        decision = self._decide(request, executor, eyes)
        if request.text is None or request.call.command is not None:
            return decision
        # A text out of the words of a shell: rules on that shell count, though none may run.
        shell = request._replace(
            commands=(Command(request.call.stages[0], None),), script=None, needs_shell=None
        )
        outer = self._decide(shell, executor, eyes)
        if strictest(decision.verdict, outer.verdict) is decision.verdict:
            return decision
        return decision._replace(verdict=outer.verdict, because=outer.because)

    def _decide(self, request: ExecRequest, executor: Executor, eyes: Eyes | None) -> Decision:
        route = Route.DIRECT if request.needs_shell is None else Route.SHELL
        nothing = request.script is not None and not request.commands
        decision = self._judge.judge(
            request.commands,
            cwd=request.cwd,
            planned=Planned(route, request.needs_shell, request.complete, nothing),
            variables=request.call.env or {},
            executor=executor,
            eyes=self.eyes() if eyes is None else eyes,
        )
        if decision.verdict is Verdict.ALLOW and executor is Executor.OURS and self._unmet:
            lacks = ", ".join(self._unmet)
            because = (
                f"sandbox.require of the policy lists {lacks}, which cannot be had here"
                " (see agent-exec doctor): it would run with less around it"
            )
            return decision._replace(verdict=Verdict.ASK, because=(because,))
        return decision

    @cached_property
    def _unmet(self) -> tuple[str, ...]:
        """What the policy requires and this machine does not have."""
        require = self.policy.sandbox.require
        return tuple(sorted(require - self.enforced())) if require else ()


def _enforced_for(policy: Policy) -> frozenset[str]:
    # What is not allowed never gets to be held to anything.
    from agent_exec.runtime.enforcing import what_is_enforced  # noqa: PLC0415

    cgroup = "cgroup" in policy.sandbox.require
    return what_is_enforced(policy.launcher, cgroup=cgroup, policy=policy)


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    unknown = call.keys() - _KEYS
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise InvalidCall(f"a call has no {', '.join(sorted(unknown))}; it takes {known}")
    forms = [key for key in ("argv", "pipeline", "command") if call.get(key) is not None]
    if len(forms) != 1:
        raise InvalidCall("a call has exactly one of argv, pipeline and command")
    value = call[forms[0]]
    given = {key: call[key] for key in ("cwd", "env", "stdin") if call.get(key) is not None}
    if forms[0] == "command":
        if not isinstance(value, str):
            raise wrong("command", value, "shell text such as 'git status | head'")
        return ToolCall(command=value, **given)
    if forms[0] == "argv":
        return ToolCall(stages=(tuple(value) if isinstance(value, list) else value,), **given)
    if not isinstance(value, list):
        raise wrong("pipeline", value, "a list of argv such as [['ls'], ['head']]")
    return ToolCall(
        stages=tuple(tuple(argv) if isinstance(argv, list) else argv for argv in value), **given
    )
