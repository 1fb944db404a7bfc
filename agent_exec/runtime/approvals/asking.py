"""A decision to a question, and an answer to a grant, or none."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TypeAlias

from agent_exec.errors import ApprovalRefused, Denied, PolicyError
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Grant, Verdict
from agent_exec.model.question import Answer, Question, Reply
from agent_exec.model.request import ExecRequest
from agent_exec.policy.paths import is_beneath
from agent_exec.runtime.approvals.basis import Basis, basis_of
from agent_exec.runtime.approvals.code import why_not_remembered
from agent_exec.runtime.approvals.memory import Memory, new_entry
from agent_exec.runtime.approvals.pattern import offers, wide_of
from agent_exec.schema.harmless import escaped

Approver: TypeAlias = Callable[[Question], Answer | Awaitable[Answer]]
Judged: TypeAlias = tuple[ExecRequest, Decision]

# What it would do changed while somebody thought about it, so often.
_MOST_QUESTIONS = 3
_MOST_SHOWN = 10


class Asking:
    """Asks about the calls of one worktree. Safe from any thread.

    Args:
        memory: Of what was approved for good.
        worktree: Absolute, without links.
        shell: The program of texts that need one.
    """

    def __init__(self, memory: Memory, worktree: str, shell: str) -> None:
        self.memory = memory
        self._worktree = worktree
        self._shell = shell

    def basis(self, judged: Judged) -> Basis:
        """What an approval of this would rest on, now."""
        return basis_of(*judged, self._worktree, self._shell)

    def remembers(self, basis: Basis, decision: Decision) -> bool:
        """Was it approved for good? Not where the file cannot be read."""
        try:
            return decision.verdict is Verdict.ASK and self.memory.covers(basis, decision)
        except PolicyError:
            return False

    def question(self, judged: Judged, basis: Basis) -> Question:
        """What a person is asked."""
        request, decision = judged
        return Question(
            request.id,
            decision._replace(call=request.call, seal=basis.digest()),
            self._worktree,
            request.cwd,
            () if why_not_remembered(*judged) else _remembers(request, basis, self._worktree),
            offers(decision, request.cwd, self._worktree),
        )

    def steps(self, judge: Callable[[], Judged]) -> Generator[Question, Answer, Grant]:
        """Yields questions, is sent answers, and returns a grant.

        Args:
            judge: Resolves the call and decides on it, with the facts of the moment.

        Raises:
            Denied: By the policy; or it changes while it is asked about.
            ApprovalRefused: By a person.
        """
        judged = judge()
        for number in range(_MOST_QUESTIONS):
            request, decision = judged
            if decision.verdict is Verdict.ALLOW:
                return Grant(request, decision)
            if decision.verdict is Verdict.DENY:
                raise refusal(decision)
            basis = self.basis(judged)
            try:
                if self.memory.covers(basis, decision):
                    return Grant(request, decision, basis.programs)
            except PolicyError as error:
                # Whatever was approved there is asked about again.
                decision = decision._replace(because=(*decision.because, str(error)))
            question = self.question((request, decision), basis)
            if number:
                # An answer that comes late must not be taken for one to this question.
                question = question._replace(id=f"{question.id}.{number + 1}")
            answer = checked(question, (yield question))
            if answer.reply is Reply.NEVER:
                raise ApprovalRefused(answer.message or "a person said no, and gave no reason")
            again = judge()
            if again[1] == judged[1] and self.basis(again) == basis:
                return self.taken(question, answer, again, basis)
            judged = again
        raise Denied("what it would do changes while it is asked about", judged[1])

    def taken(self, question: Question, answer: Answer, judged: Judged, basis: Basis) -> Grant:
        """The grant that an answer is; what is to be remembered is."""
        request, decision = judged
        notice = self._remember(question, answer, judged, basis)
        if notice is not None:
            request = request._replace(notices=(*request.notices, notice))
        return Grant(request, decision, basis.programs)

    def _remember(
        self, question: Question, answer: Answer, judged: Judged, basis: Basis
    ) -> str | None:
        """Why it could not be remembered; None when that was not wanted, or is done."""
        shown = _call_shown(question.decision.call or ToolCall())
        if answer.reply is Reply.ALWAYS:
            because = why_not_remembered(*judged)
            if because is not None:
                return f"it was approved once: {because}"
            entry = new_entry(shown, basis=basis)
        elif answer.reply is Reply.WIDER:
            offered = [offer.words for offer in question.wider]
            if answer.pattern not in offered:
                return "it was approved once: that pattern was not offered"
            (ruling,) = [each for each in judged[1].commands if each.verdict is Verdict.ASK]
            wide = wide_of(ruling, answer.pattern or (), question.cwd, self._worktree)
            import shlex  # noqa: PLC0415 - for people only

            entry = new_entry(f"{shlex.join(wide.words)} ...", wide=wide)
        else:
            return None
        try:
            self.memory.remember(entry)
        except PolicyError as error:
            return f"it was approved once, and could not be remembered: {error}"
        return None


async def ask(approver: Approver | None, question: Question) -> Answer:
    """What `approver` says. A plain callable is called on a thread of its own.

    Raises:
        Denied: There is nobody, or no answer came of it.
    """
    if approver is None:
        raise refusal(question.decision)
    try:
        said = approver(question) if _is_async(approver) else await _on_a_thread(approver, question)
        answer = await said if isinstance(said, Awaitable) else said
    except Exception as error:
        raise _no_answer(question, f"{type(error).__name__}: {error}") from error
    except BaseException as error:
        if not _was_cancelled(error) or _are_we_cancelled():
            raise
        raise _no_answer(question, "who was to answer was cancelled") from error
    from anyio.lowlevel import checkpoint  # noqa: PLC0415 - see `_on_a_thread`

    # An approver that never waits lets no cancellation in, and what is cancelled is not to begin.
    await checkpoint()
    return checked(question, answer)


def _was_cancelled(error: BaseException) -> bool:
    """By asyncio. Trio lets nobody else's cancellation out of where it belongs."""
    asyncio = sys.modules.get("asyncio")  # takes longer to import than all else here
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _are_we_cancelled() -> bool:
    """Or only what the approver waited for?"""
    from asyncio import current_task  # noqa: PLC0415 - see `_was_cancelled`

    task = current_task()
    return task is None or task.cancelling() > 0


def _is_async(approver: Approver) -> bool:
    from inspect import iscoroutinefunction  # noqa: PLC0415 - where there is one to ask

    # An object whose call is a coroutine function, too.
    return iscoroutinefunction(approver) or iscoroutinefunction(type(approver).__call__)


async def _on_a_thread(approver: Approver, question: Question) -> Answer | Awaitable[Answer]:
    from anyio import to_thread  # noqa: PLC0415 - a call that nobody asks about needs none

    return await to_thread.run_sync(approver, question, abandon_on_cancel=True)


def ask_sync(approver: Approver | None, question: Question) -> Answer:
    """The same, for a caller without an event loop: a coroutine gets one of its own."""
    if approver is None:
        raise refusal(question.decision)
    try:
        said = approver(question)
        answer = _awaited(said) if isinstance(said, Awaitable) else said
    except Exception as error:
        raise _no_answer(question, f"{type(error).__name__}: {error}") from error
    except BaseException as error:
        if not _was_cancelled(error):
            raise
        raise _no_answer(question, "who was to answer was cancelled") from error
    return checked(question, answer)


def _awaited(said: Awaitable[Answer]) -> Answer:
    import anyio  # noqa: PLC0415 - see `_on_a_thread`

    async def wait() -> Answer:
        return await said

    try:
        return anyio.run(wait)
    finally:
        if isinstance(said, Coroutine):
            said.close()  # never begun, where this thread runs a loop already


def refusal(decision: Decision) -> Denied:
    """Of what is denied; or would have to be asked about, and nobody is there."""
    reasons = "; ".join(decision.because)
    if decision.verdict is Verdict.ASK:
        return Denied(f"somebody would have to be asked, and nobody is there: {reasons}", decision)
    return Denied(reasons, decision)


def checked(question: Question, answer: object) -> Answer:
    """`answer`, which an approver has given.

    Raises:
        Denied: It is none.
    """
    if not isinstance(answer, Answer):
        raise _no_answer(question, f"{type(answer).__name__} is no Answer")
    try:
        reply = Reply(answer.reply)
        pattern = None if answer.pattern is None else tuple(answer.pattern)
    except (TypeError, ValueError) as error:
        raise _no_answer(question, str(error)) from None
    message = None if answer.message is None else str(answer.message)
    return Answer(reply, message, pattern)


def _no_answer(question: Question, why: str) -> Denied:
    reasons = "; ".join(question.decision.because)
    return Denied(f"it was asked about, and no answer came ({why}): {reasons}", question.decision)


def _remembers(request: ExecRequest, basis: Basis, worktree: str) -> tuple[str, ...]:
    lines = [f"exactly this call: {_call_shown(request.call)}"]
    lines.append(f"in {escaped(request.cwd)}")
    lines += [f"with {escaped(program)} as it is now" for program in basis.programs]
    lines += [
        f"with {escaped(f'{name}={value}')}" for name, value in (request.call.env or {}).items()
    ]
    if request.stdin is not None:
        lines.append("with any input" if isinstance(request.stdin, int) else "with the same input")
    names = [escaped(_named(path, worktree)) for path in basis.code]
    if names:
        more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
        lines.append(f"with these files as they are now: {', '.join(names[:_MOST_SHOWN])}{more}")
    if basis.unnamed:
        lines.append("it also runs code that has no name here; changes of that are not noticed")
    return tuple(lines)


def _named(path: str, worktree: str) -> str:
    return os.path.relpath(path, worktree) if is_beneath(path, worktree) else path


def _call_shown(call: ToolCall) -> str:
    """In one line, for people."""
    if call.command is not None:
        return escaped(call.command)
    import shlex  # noqa: PLC0415 - for people only

    return escaped(" | ".join(shlex.join(argv) for argv in call.stages))
