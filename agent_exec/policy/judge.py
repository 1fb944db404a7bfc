"""The three steps of a judgement, one after another: analyse, look, decide."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from agent_exec.model.decision import Decision, Executor, Verdict
from agent_exec.model.request import Command
from agent_exec.policy.analyse import analyse
from agent_exec.policy.decide import Planned, decide
from agent_exec.policy.eyes import Eyes, MakeWitness
from agent_exec.policy.look import look
from agent_exec.policy.look_program import Programs
from agent_exec.policy.policy import Policy
from agent_exec.policy.tables import Tables

_OURS = Executor.OURS


class Judge:
    """Judges the calls of one worktree by one policy. Safe from any thread.

    Args:
        policy: That applies.
        tables: What is known of programs.
        worktree: Absolute, without links.
        variables: The environment of the children.
        witness: See `Programs`.
    """

    def __init__(
        self,
        policy: Policy,
        tables: Tables,
        *,
        worktree: str,
        variables: Mapping[str, str],
        witness: MakeWitness | None = None,
    ) -> None:
        self.policy = policy
        self._tables = tables
        self._programs = Programs(policy.path, worktree, policy.trust, witness)
        self._variables = variables

    def judge(
        self,
        commands: Sequence[Command],
        *,
        cwd: str,
        planned: Planned,
        variables: Mapping[str, str],
        executor: Executor = Executor.OURS,
        eyes: Eyes | None = None,
    ) -> Decision:
        """The decision on one call. Never raises.

        Args:
            commands: Of the call; `Command.variables` has those of the call already.
            cwd: Absolute, without links: where commands work that name no other directory.
            planned: How it would run.
            variables: Those that the call sets.
            executor: Who would run it.
            eyes: What looks.
        """
        refused: Sequence[str] = ()
        inside = self._variables
        if variables:
            refused = [name for name in variables if not self._may_set(name)]
            inside = {**inside, **variables}
        known = executor is _OURS
        analysed = analyse(commands, self._tables, cwd=cwd, variables=inside, known=known)
        facts = look(analysed, self._programs, cwd=cwd, eyes=eyes)
        decision = decide(self.policy, analysed, facts, cwd=cwd, planned=planned, executor=executor)
        if not refused:
            return decision
        listed = ", ".join(self.policy.environment.from_call) or "none"
        because = (
            f"env.from_call of the policy does not list {', '.join(sorted(refused))}; "
            f"a call may set {listed}"
        )
        return decision._replace(verdict=Verdict.DENY, because=(because, *decision.because))

    def _may_set(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, each) for each in self.policy.environment.from_call)
