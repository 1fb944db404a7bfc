"""Judge a call as the tool would, up to its verdict: for tables of commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agent_exec.model.decision import Decision, Executor, Route
from agent_exec.model.request import Command, Source
from agent_exec.policy.decide import Planned
from agent_exec.policy.judge import Judge
from agent_exec.policy.load import load_policy
from agent_exec.policy.load_tables import load_tables
from agent_exec.shell.reading import Scope, read

_INHERITED = {"HOME": "/nothing", "LC_ALL": "C.UTF-8"}


class Bench:
    """Judges calls in one worktree by one policy, with the shipped tables."""

    def __init__(self, policy: str | Path, worktree: Path) -> None:
        self._worktree = str(worktree)
        self._judge = Judge(
            load_policy(policy, worktree=self._worktree),
            load_tables(),
            worktree=self._worktree,
            variables=_INHERITED,
        )

    def judge(
        self,
        call: tuple[str, ...] | str,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        *,
        executor: Executor = Executor.OURS,
    ) -> Decision:
        """The decision on an argument vector, or on a text for bash."""
        env = env or {}
        if isinstance(call, str):
            scope = Scope({**_INHERITED, **env}, home=_INHERITED["HOME"], cwd=self._worktree)
            reading = read(call, scope)
            commands = tuple(
                [
                    command._replace(variables=(*env.items(), *command.variables))
                    for command in reading.commands
                ]
            )
            route = Route.DIRECT if reading.script is not None else Route.SHELL
            planned = Planned(route, reading.needs_bash, reading.complete)
        else:
            source = Source.NOTHING if stdin is None else Source.TEXT
            variables = tuple(env.items())
            commands = (Command(call, None, variables=variables, stdin=source, text=stdin),)
            planned = Planned(Route.DIRECT)
        return self._judge.judge(
            commands, cwd=self._worktree, planned=planned, variables=env, executor=executor
        )
