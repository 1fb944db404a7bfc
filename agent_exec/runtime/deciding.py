"""Decisions that are answered later: sealed now, made again before they count."""

from __future__ import annotations

from agent_exec.errors import ApprovalRefused, Denied, InvalidCall
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Grant, Verdict
from agent_exec.model.question import Answer, Question, Reply
from agent_exec.runtime.approvals.asking import Asking, Judged, checked, refusal
from agent_exec.runtime.flow import Flow


class Deciding:
    """The first half of calls whose second half may come days later.

    Args:
        flow: Judges calls.
        asking: What was approved, and how it is asked about.

    Each `id_` is that of a call, new for each time that it is judged.
    """

    def __init__(self, flow: Flow, asking: Asking) -> None:
        self._flow = flow
        self._asking = asking

    def decided(self, call: ToolCall, id_: str) -> Decision:
        """What is decided on `call` now; allowed, too, where that was approved for good."""
        return self._sealed(call, self._flow.judged(call, id_))

    def _sealed(self, call: ToolCall, judged: Judged) -> Decision:
        decision = judged[1]
        if decision.verdict is not Verdict.ASK:
            # What a rule says does not rest on what is in files.
            return decision._replace(call=call)
        basis = self._asking.basis(judged)
        if self._asking.remembers(basis, decision):
            because = ("it was approved for good",)
            decision = decision._replace(verdict=Verdict.ALLOW, because=because)
        return decision._replace(call=call, seal=basis.digest())

    def judged_later(self, decision: Decision, id_: str) -> Judged:
        """A decision, made again.

        Raises:
            InvalidCall: It holds no call.
            Denied: It comes out different.
        """
        call = decision.call
        if call is None:
            raise InvalidCall("this decision holds no call; take one that `decide` has made")
        judged = self._flow.judged(call, id_)
        now = self._sealed(call, judged)
        # What was approved for good since then is still what a person was asked about.
        asked = judged[1]._replace(call=call, seal=now.seal)
        if decision.to_json() not in (now.to_json(), asked.to_json()):
            raise Denied("it is no longer what was decided on: decide on the call again", now)
        return judged

    def question(self, decision: Decision, id_: str) -> Question:
        """What a person is asked about `decision`. Raises as `judged_later`."""
        if decision.verdict is not Verdict.ASK:
            raise InvalidCall(f"the verdict is {decision.verdict}: there is nothing to ask")
        judged = self.judged_later(decision, id_)
        return self._asking.question(judged, self._asking.basis(judged))

    def answered(self, decision: Decision, judged: Judged, answer: Answer | None) -> Grant:
        """Leave to run what was decided on and comes out as `judged` now.

        Raises:
            Denied: The answer, or what is now, forbids it.
            ApprovalRefused: A person said no.
        """
        if judged[1].verdict is Verdict.ALLOW:
            return Grant(*judged)
        if decision.verdict is Verdict.DENY:
            raise refusal(judged[1])
        basis = self._asking.basis(judged)
        if basis.digest() != decision.seal:
            raise Denied("it is no longer what was decided on: decide on the call again", judged[1])
        if decision.verdict is Verdict.ALLOW:
            return Grant(*judged, basis.programs)
        if answer is None:
            raise refusal(judged[1])
        question = self._asking.question(judged, basis)
        answer = checked(question, answer)
        if answer.reply is Reply.NEVER:
            raise ApprovalRefused(answer.message or "a person said no, and gave no reason")
        return self._asking.taken(question, answer, judged, basis)
