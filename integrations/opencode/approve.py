"""``agent-exec opencode approve``: opencode's questions, answered by a policy.

For a server that nobody sits at. Questions about anything else than commands are left alone.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from agent_exec import AgentExecError, Decision, Verdict
from agent_exec.daemon.hook import own_program
from agent_exec.integrations.opencode.question import Pending
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Executor
from agent_exec.runtime.checker import Checker

OURS = "exec"
SHELLS = ("bash", "shell")
_INSTEAD = "do it another way that this policy allows"


class Answered(NamedTuple):
    """One question, and what was said."""

    question: Pending
    verdict: Verdict
    because: tuple[str, ...]
    reply: str | None
    """``once`` or ``reject``; None: it was left to a person."""

    def to_json(self) -> dict[str, object]:
        """For a line of output."""
        return {
            "id": self.question.id,
            "session": self.question.session,
            "permission": self.question.permission,
            "verdict": self.verdict.value,
            "because": list(self.because),
            "reply": self.reply,
        }


class Server(Protocol):
    """What is needed of `agent_exec.integrations.opencode.server.OpencodeServer`."""

    def events(self) -> Iterator[str]:
        """The types of what happens."""

    def pending(self) -> list[Pending]:
        """The questions that wait."""

    def tool_input(self, question: Pending) -> Mapping[str, Any]:
        """What the waiting tool was called with."""

    def reply(self, question: Pending, reply: str, message: str | None = None) -> None:
        """Answer one."""


class Approver:
    """Answers for one worktree by one policy.

    Args:
        server: That asks.
        checker: Judges.
        policy: By what name the policy was given; see `_within`.
        leave: What the policy asks about is left to a person, and not rejected.
    """

    def __init__(self, server: Server, checker: Checker, *, policy: str, leave: bool) -> None:
        self._server = server
        self._checker = checker
        self._prefix = (*own_program(), "run", "-q", "-p", policy, "-w", checker.worktree)
        self._leave = leave
        self._left: set[str] = set()

    def answers(self) -> Iterator[Answered]:
        """Answer what is asked, until the server closes the stream of events.

        Raises:
            ServerError: It has gone, or never was there.
        """
        for kind in self._server.events():
            # After the stream has begun: nothing falls between the two.
            if kind in ("server.connected", "permission.asked"):
                yield from self._answer_all()

    def _answer_all(self) -> Iterator[Answered]:
        for question in self._server.pending():
            if question.permission in (OURS, *SHELLS) and question.id not in self._left:
                yield self._answer(question)

    def _answer(self, question: Pending) -> Answered:
        verdict, because = self._judged(question)
        if verdict is Verdict.ASK and self._leave:
            self._left.add(question.id)
            return Answered(question, verdict, because, None)
        if verdict is Verdict.ALLOW:
            self._server.reply(question, "once")
            return Answered(question, verdict, because, "once")
        why = "; ".join(because)
        said = "nobody is there to approve it" if verdict is Verdict.ASK else "the policy denies it"
        self._server.reply(question, "reject", f"{said}: {why}; {_INSTEAD}")
        return Answered(question, verdict, because, "reject")

    def _judged(self, question: Pending) -> tuple[Verdict, tuple[str, ...]]:
        try:
            decision = self._decided(question)
        except (AgentExecError, KeyError, TypeError, ValueError) as error:
            return Verdict.ASK, (f"it cannot be understood: {error}",)
        mistake = () if decision.error is None else (decision.error,)
        return decision.verdict, (*mistake, *decision.because)

    def _decided(self, question: Pending) -> Decision:
        if question.permission == OURS:
            return self._checker.check_call(ToolCall.from_json(question.metadata["call"]))
        given = self._server.tool_input(question)
        command, folder = given["command"], given.get("workdir")
        cwd = os.path.join(self._checker.worktree, folder or ".")
        within = self._within(command)
        if within is not None:
            return self._checker.check_call(ToolCall(command=within, cwd=cwd, stdin=0))
        call = ToolCall(command=command, cwd=cwd, stdin=0)
        return self._checker.check_call(call, executor=Executor.HOST)

    def _within(self, command: str) -> str | None:
        """The text that the guard has made `command` of, to be judged by this same policy."""
        words = tuple(shlex.split(command))
        rest = words[len(self._prefix) :]
        if words[: len(self._prefix)] != self._prefix or rest[:2] != ("--cwd", "."):
            return None
        rest = rest[4:] if rest[2:3] == ("--timeout",) else rest[2:]
        made = len(rest) == 2 and rest[0] == "-c" and shlex.join(words) == command
        return rest[1] if made else None
