"""A call on its way through the steps: what there will be to say of it."""

from __future__ import annotations

import os
import time
from typing import Any

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision
from agent_exec.model.question import Answer
from agent_exec.runtime.tracing import CallSpan


class CallRecord:
    """Collects what there is to say of one call.

    Args:
        call: As it was understood.
        id_: Of the call.
        asked_by: Who sends it, where that is another than who sends the others.
        span: That of the call, where somebody traces.
    """

    decision: Decision | None = None
    answer: Answer | None = None
    _decided_s = 0.0
    _waited_s = 0.0

    def __init__(
        self,
        call: ToolCall,
        id_: str,
        asked_by: str | None = None,
        span: CallSpan | None = None,
    ) -> None:
        self.call = call
        self.id = id_
        self.asked_by = asked_by
        self.span = span
        self.began = time.time()
        self._began = time.perf_counter()

    def decided(self, decision: Decision) -> None:
        """The first time; later ones are part of the wait for an answer."""
        self.decision = decision
        if self.span is not None:
            self.span.decided(decision)
        self._decided_s = time.perf_counter() - self._began

    def answered(self, answer: Answer) -> None:
        """Somebody has said something."""
        self.answer = answer
        self._waited_s = time.perf_counter() - self._began - self._decided_s

    def shown_call(self) -> dict[str, Any]:
        """The call as it is recorded: input by its digest only."""
        try:
            return _shown(self.call)
        except (AttributeError, TypeError, ValueError):
            # It was refused for that: nothing in it need have the type that it should have.
            return {"nonsense": repr(self.call)[:_LONGEST_NONSENSE]}

    def times(self) -> tuple[float, float, float]:
        """How long it took so far to decide, to wait for answers and to run, in milliseconds."""
        whole = time.perf_counter() - self._began
        decided, waited = self._decided_s, self._waited_s
        return decided * 1000, waited * 1000, (whole - decided - waited) * 1000


_LONGEST_NONSENSE = 1000


def _shown(call: ToolCall) -> dict[str, Any]:
    if call.stdin is None and call.stdout is None and call.stderr is None:
        return call.to_json()
    shown = call._replace(stdin=None, stdout=None, stderr=None).to_json()
    if isinstance(call.stdin, int):
        shown["stdin"] = "a descriptor"
    elif call.stdin is not None:
        import hashlib  # noqa: PLC0415 - most calls have no input

        data = call.stdin if isinstance(call.stdin, bytes) else os.fsencode(_encodable(call.stdin))
        shown["stdin"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return shown


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
