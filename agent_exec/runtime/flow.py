"""One call through all of its steps: resolve, judge, ask, run, record."""

from __future__ import annotations

from functools import partial

from agent_exec.errors import AgentExecError
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Grant, Verdict
from agent_exec.model.outcome import Ended
from agent_exec.model.question import Answer, Reply
from agent_exec.model.result import ToolResult
from agent_exec.runtime.approvals.asking import Approver, Asking, Judged, ask, ask_sync
from agent_exec.runtime.audit.log import AuditLog
from agent_exec.runtime.audit.record import CallRecord
from agent_exec.runtime.checker import Checker
from agent_exec.runtime.familiar import FamiliarCalls, key_of
from agent_exec.runtime.live import Live
from agent_exec.runtime.refusal import not_run
from agent_exec.runtime.renewal import Updates
from agent_exec.runtime.resolve import resolve
from agent_exec.runtime.runner import Runner
from agent_exec.runtime.tracing import Tracing


class Flow:
    """Of all calls of one tool. Safe from any loop and thread.

    Args:
        checker: Judges.
        asking: Makes questions of what is to be asked.
        runner: Runs what may run.
        updates: Judges programs that were replaced.
        log: Where every call is recorded; None: nowhere.
        tracing: Makes spans.
        familiar: Calls that were judged before.
    """

    def __init__(
        self,
        checker: Checker,
        asking: Asking,
        runner: Runner,
        updates: Updates,
        log: AuditLog | None,
        tracing: Tracing,
        familiar: FamiliarCalls,
    ) -> None:
        self._checker = checker
        self._asking = asking
        self._runner = runner
        self._updates = updates
        self._log = log
        self._tracing = tracing
        self._familiar = familiar

    def judged(self, call: ToolCall, id_: str) -> Judged:
        """The call, resolved, and what is decided on it now. Raises as `resolve`."""
        key = key_of(call)
        familiar = None if key is None else self._familiar.recall(key)
        if familiar is not None:
            return familiar.asked(call, id_), self._updates.judge(familiar.decision)
        eyes = self._checker.eyes()
        request = resolve(
            call,
            id_=id_,
            worktree=self._checker.worktree,
            environment=self._checker.environment,
            eyes=eyes,
        )
        request = self._checker.by_policy(request)
        decision = self._checker.decide(request, eyes=eyes)
        if key is not None:
            self._familiar.keep(key, request, decision, eyes)
        return request, self._updates.judge(decision)

    def watched(self, live: Live) -> Flow:
        """The same for one call, which `live` looks at."""
        return Flow(
            self._checker,
            self._asking,
            self._runner.watched(live),
            self._updates,
            self._log,
            self._tracing,
            self._familiar,
        )

    async def run(
        self, call: ToolCall, id_: str, approver: Approver | None, asked_by: str | None = None
    ) -> ToolResult:
        """Under asyncio or trio. Raises as `ExecTool.run`."""
        record = self._begin(call, id_, asked_by)
        try:
            grant = self._allowed(call, id_, record) or await self._asked(
                call, id_, approver, record
            )
            result = await self._runner.run(grant)
        except BaseException as error:
            self._failed(record, error)
            raise
        self._done(record, result)
        return result

    def run_sync(self, call: ToolCall, id_: str, approver: Approver | None) -> ToolResult:
        """On the calling thread. Raises as `ExecTool.run`."""
        record = self._begin(call, id_)
        try:
            grant = self._allowed(call, id_, record) or self._asked_sync(
                call, id_, approver, record
            )
            result = self._runner.run_sync(grant)
        except BaseException as error:
            self._failed(record, error)
            raise
        self._done(record, result)
        return result

    async def granted(
        self, call: ToolCall, id_: str, approver: Approver | None, asked_by: str | None
    ) -> tuple[Grant, CallRecord]:
        """What lets a call run, and its record so far; a refusal is recorded. Raises as `run`."""
        record = self._begin(call, id_, asked_by)
        try:
            grant = self._allowed(call, id_, record) or await self._asked(
                call, id_, approver, record
            )
        except BaseException as error:
            self._failed(record, error)
            raise
        return grant, record

    def decided(self, grant: Grant) -> tuple[Grant, CallRecord]:
        """The same of what was decided and answered before."""
        record = self._begin(grant.request.call, grant.request.id)
        record.decided(grant.decision)
        return grant, record

    def record(self, record: CallRecord, result: ToolResult | BaseException) -> None:
        """Of a session: that it has begun, what became of it, or why there is none."""
        if isinstance(result, BaseException):
            self._failed(record, result)
        else:
            self._done(record, result)

    async def run_granted(self, grant: Grant) -> ToolResult:
        """What was decided and answered before."""
        record = self._begin(grant.request.call, grant.request.id)
        record.decided(grant.decision)
        try:
            result = await self._runner.run(grant)
        except BaseException as error:
            self._failed(record, error)
            raise
        self._done(record, result)
        return result

    def refused(
        self, decision: Decision, answer: Answer | None, id_: str, error: AgentExecError
    ) -> None:
        """What was decided on before is not run: record that."""
        record = self._begin(decision.call or ToolCall(), id_)
        record.decided(decision)
        # What was given for an answer may be anything.
        if isinstance(answer, Answer) and isinstance(answer.reply, Reply):
            record.answered(answer)
        self._failed(record, error)

    def not_understood(self, id_: str, error: AgentExecError) -> None:
        """A model's call could not be read."""
        span = self._tracing.begin(id_, None)
        if span is not None:
            span.end(not_run(error, id_), error)

    def _begin(self, call: ToolCall, id_: str, asked_by: str | None = None) -> CallRecord:
        return CallRecord(call, id_, asked_by, self._tracing.begin(id_, call))

    def _allowed(self, call: ToolCall, id_: str, record: CallRecord) -> Grant | None:
        request, decision = self.judged(call, id_)
        record.decided(decision)
        return Grant(request, decision) if decision.verdict is Verdict.ALLOW else None

    async def _asked(
        self, call: ToolCall, id_: str, approver: Approver | None, record: CallRecord
    ) -> Grant:
        steps = self._asking.steps(partial(self.judged, call, id_))
        try:
            question = next(steps)
            while True:
                answer = await ask(approver, question)
                record.answered(answer)
                question = steps.send(answer)
        except StopIteration as done:
            grant: Grant = done.value
            return grant

    def _asked_sync(
        self, call: ToolCall, id_: str, approver: Approver | None, record: CallRecord
    ) -> Grant:
        steps = self._asking.steps(partial(self.judged, call, id_))
        try:
            question = next(steps)
            while True:
                answer = ask_sync(approver, question)
                record.answered(answer)
                question = steps.send(answer)
        except StopIteration as done:
            grant: Grant = done.value
            return grant

    def _done(self, record: CallRecord, result: ToolResult) -> None:
        if record.span is not None:
            self._end_span(record, result)
        if self._log is not None:
            self._log.write(record, result)

    def _failed(self, record: CallRecord, error: BaseException) -> None:
        if self._log is None and record.span is None:
            return
        if isinstance(error, AgentExecError):
            result = not_run(error, record.id)
        else:
            # Cancelled, or a fault of ours: then the kind of it is all there is to say.
            decision = record.decision
            result = ToolResult(
                id=record.id,
                verdict=Verdict.DENY if decision is None else decision.verdict,
                route=None if decision is None else decision.route,
                ended=Ended.CANCELLED,
                error=type(error).__name__,
            )
        self._end_span(record, result, error)
        if self._log is not None:
            self._log.write(record, result)

    def _end_span(
        self, record: CallRecord, result: ToolResult, error: BaseException | None = None
    ) -> None:
        # Of a session, which is recorded again at its end, it is the span of the call.
        if record.span is not None:
            record.span.end(result, error)
            record.span = None
