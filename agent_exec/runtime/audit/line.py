"""A call and what became of it, as one line of JSON."""

from __future__ import annotations

import json
import time
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision
from agent_exec.model.result import ToolResult
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.audit.record import CallRecord
from agent_exec.schema.redact import Redactor

VERSION = 1

_MOST_KEPT = 256
_LONGEST_KEPT = 16384
# repr: a call that made no sense may hold anything.
_to_json = json.JSONEncoder(separators=(",", ":"), default=repr).encode


# How the call was sent and judged, and how it has ended, are pieces of their own.
_LINE = (
    f'{{"v":{VERSION},"time":"%s","id":%s,%s,"answer":%s,%s,'
    '"bytes":{"stdout":%d,"stderr":%d},"error":%s,'
    '"times":{"decide_ms":%.3f,"wait_ms":%.3f,"run_ms":%.3f},"asked_by":%s,%s,"pid":%d}'
)


class _Kept(NamedTuple):
    """What the line of a call begins with; the same call will have the same."""

    call: ToolCall
    decision: Decision
    text: str


class LineMaker:
    """Makes the lines of one log. Safe from any thread.

    ASCII: whatever reads a line later, no word of a call can break it.

    Args:
        redact: Takes secrets out.
        worktree, policy: Of the calls.
    """

    def __init__(self, redact: Redactor, *, worktree: str, policy: str) -> None:
        self._redact = redact
        self._where = f'"worktree":{self._json(worktree)},"policy":{self._json(policy)}'
        # By the identity of its decision, which calls that are the same share.
        self._kept: dict[int, _Kept] = {}
        self._endings: dict[tuple[object, ...], str] = {}
        self._second = (-1, "")

    def line(self, record: CallRecord, result: ToolResult, asked_by: str | None, pid: int) -> bytes:
        """All there is to say of a call. Outputs are not in it."""
        answer = "null" if record.answer is None else self._json(record.answer.to_json())
        error = "null" if result.error is None else self._json(result.error)
        who = "null" if asked_by is None else self._json(asked_by)
        line = _LINE % (
            self._iso(record.began),
            quoted(result.id or record.id),
            self._beginning(record),
            answer,
            self._ending(result),
            result.stdout.size,
            result.stderr.size,
            error,
            *record.times(),
            who,
            self._where,
            pid,
        )
        return line.encode()

    def _ending(self, result: ToolResult) -> str:
        """How it has ended, and with what: there are few ways."""
        stages = result.stages
        way = (
            *(result.ended, result.status, result.held_by),
            *[(each.launcher, each.template, each.because) for each in stages],
        )
        known = self._endings.get(way)
        if known is not None:
            return known
        launcher = quoted(stages[0].launcher) if stages else "null"
        templates = ["null" if each.template is None else quoted(each.template) for each in stages]
        recreated = [
            "null" if each.because is None else self._json(each.because) for each in stages
        ]
        status = "null" if result.status is None else result.status
        held_by = "null" if result.held_by is None else f"[{','.join(map(quoted, result.held_by))}]"
        text = (
            f'"ended":{quoted(result.ended)},"status":{status},"launcher":{launcher},'
            f'"templates":[{",".join(templates)}],"recreated":[{",".join(recreated)}],'
            f'"held_by":{held_by}'
        )
        if len(text) <= _LONGEST_KEPT:
            self._endings[way] = text
            for oldest in list(self._endings)[:-_MOST_KEPT]:
                self._endings.pop(oldest, None)
        return text

    def _beginning(self, record: CallRecord) -> str:
        call, decision = record.call, record.decision
        kept = self._kept.get(id(decision))
        # It holds its decision, so that no other one has that identity.
        if (
            kept is not None
            and kept.decision is decision
            and kept.call == call
            and type(kept.call.timeout_s) is type(call.timeout_s)
        ):
            return kept.text
        shown = "null" if decision is None else self._json(decision.to_json())
        text = f'"call":{self._json(record.shown_call())},"decision":{shown}'
        if decision is not None and len(text) <= _LONGEST_KEPT:
            self._keep(_Kept(call, decision, text))
        return text

    def _keep(self, kept: _Kept) -> None:
        # Each step is atomic, so that no lock is needed, which a fork could find taken.
        self._kept[id(kept.decision)] = kept
        for oldest in list(self._kept)[:-_MOST_KEPT]:
            self._kept.pop(oldest, None)

    def _json(self, value: Any) -> str:  # noqa: ANN401 - JSON
        text = _to_json(value)
        return (
            _to_json(_without_secrets(value, self._redact))
            if self._redact.may_touch(text)
            else text
        )

    def _iso(self, seconds: float) -> str:
        whole = int(seconds)
        known, text = self._second
        if known != whole:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
            self._second = (whole, text)
        return f"{text}.{int((seconds - whole) * 1000):03d}Z"


def _without_secrets(value: Any, redact: Redactor) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _without_secrets(each, redact) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_secrets(each, redact) for each in value]
    return value
