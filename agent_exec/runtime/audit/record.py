"""A call and what became of it, as one object."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import Any

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision
from agent_exec.model.question import Answer
from agent_exec.model.result import ToolResult
from agent_exec.runtime.tracing import CallSpan
from agent_exec.schema.redact import Redactor, without_secrets

VERSION = 1


class CallRecord:
    """Collects what there is to say of one call.

    Args:
        call: As it was understood.
        id_: Of the call.
        asked_by: Who sends it, where that is another than who sends the others.
        span: That of the call, where somebody traces.
    """

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
        self._waited_s = 0.0
        self._decided_s = 0.0
        self.decision: Decision | None = None
        self.answer: Answer | None = None

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

    def _shown_call(self) -> dict[str, Any]:
        try:
            return _shown(self.call)
        except (AttributeError, TypeError, ValueError):
            # It was refused for that: nothing in it need have the type that it should have.
            return {"nonsense": repr(self.call)[:_LONGEST_NONSENSE]}

    def to_json(self, result: ToolResult) -> dict[str, Any]:
        """The record. Outputs are not in it, and input by its digest only."""
        stages = result.stages
        whole = time.perf_counter() - self._began
        return {
            "v": VERSION,
            "time": _iso(self.began),
            "id": result.id or self.id,
            "call": self._shown_call(),
            "decision": None if self.decision is None else self.decision.to_json(),
            "answer": None if self.answer is None else self.answer.to_json(),
            "ended": result.ended.value,
            "status": result.status,
            "launcher": stages[0].launcher.value if stages else None,
            "templates": [
                None if each.template is None else each.template.value for each in stages
            ],
            "recreated": [each.because for each in stages],
            "bytes": {"stdout": result.stdout.size, "stderr": result.stderr.size},
            "error": result.error,
            "times": {
                "decide_ms": round(self._decided_s * 1000, 3),
                "wait_ms": round(self._waited_s * 1000, 3),
                "run_ms": round((whole - self._decided_s - self._waited_s) * 1000, 3),
            },
        }


_LONGEST_NONSENSE = 1000
# repr: a call that made no sense may hold anything.
_to_json = json.JSONEncoder(separators=(",", ":"), default=repr).encode


def as_line(record: dict[str, Any], redact: Redactor) -> bytes:
    """JSON in one line, ASCII: whatever reads it later, no word of a call can break it."""
    line = _to_json(record)
    if redact.may_touch(line):
        line = _to_json(without_secrets(record, redact))
    return line.encode()


def _shown(call: ToolCall) -> dict[str, Any]:
    if call.stdin is None and call.stdout is None and call.stderr is None:
        return call.to_json()
    shown = call._replace(stdin=None, stdout=None, stderr=None).to_json()
    if isinstance(call.stdin, int):
        shown["stdin"] = "a descriptor"
    elif call.stdin is not None:
        data = call.stdin if isinstance(call.stdin, bytes) else os.fsencode(_encodable(call.stdin))
        shown["stdin"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return shown


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _iso(seconds: float) -> str:
    whole = int(seconds)
    milliseconds = int((seconds - whole) * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milliseconds:03d}Z"
