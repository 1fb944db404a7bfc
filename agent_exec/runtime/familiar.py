"""Calls that were judged before: as long as all that was looked at is still so, they are not
judged again.

What is decided on a call follows from the call, the policy, and what was looked at. So the same
call gets the same decision when everything that was looked at is looked at again and found
unchanged, which takes a tenth of the time.
"""

from __future__ import annotations

from typing import TypeAlias

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision
from agent_exec.model.request import ExecRequest
from agent_exec.policy.eyes import Eyes, MakeWitness, Witness

Key: TypeAlias = tuple[object, ...]

_MOST_CALLS = 256
_MOST_GLANCES = 256
_MOST_CHARACTERS = 8192


class Familiar:
    """One of them."""

    __slots__ = ("decision", "holds", "request")

    def __init__(self, request: ExecRequest, decision: Decision, holds: Witness) -> None:
        self.request = request
        self.decision = decision
        self.holds = holds

    def asked(self, call: ToolCall, id_: str) -> ExecRequest:
        """The request that `resolve` would make of a call of the same key."""
        timeout_s = self.request.call.timeout_s
        if call.timeout_s != timeout_s:  # as the policy has it
            call = call._replace(timeout_s=timeout_s)
        return ExecRequest(id_, call, *self.request[2:])


class FamiliarCalls:
    """Those of one tool, the oldest out. Safe from any thread, and in a forked child.

    Args:
        witness: Makes what tells whether everything is still so.
    """

    def __init__(self, witness: MakeWitness) -> None:
        self._witness = witness
        self._calls: dict[Key, Familiar] = {}

    def recall(self, key: Key) -> Familiar | None:
        """The call of that key, when all that was looked at is still so."""
        found = self._calls.get(key)
        return found if found is not None and found.holds() else None

    def keep(self, key: Key, request: ExecRequest, decision: Decision, eyes: Eyes) -> None:
        """A call that was judged with what `eyes` have seen."""
        glances = eyes.glances()
        if glances is None or len(glances) > _MOST_GLANCES or _size(key) > _MOST_CHARACTERS:
            return
        # Each step is atomic, so that no lock is needed, which a fork could find taken.
        self._calls.pop(key, None)
        self._calls[key] = Familiar(request, decision, self._witness(glances))
        for oldest in list(self._calls)[:-_MOST_CALLS]:
            self._calls.pop(oldest, None)


def key_of(call: ToolCall) -> Key | None:
    """All that counts in a call; None: it is not kept.

    Calls of one key are the same to `resolve`, to a policy and to `bind`: they differ at most
    in what they say of themselves.
    """
    if call.stdin is not None or call.keep_output is not False or call.append is not False:
        return None
    try:
        if call.env is not None:
            call = call._replace(env=tuple(sorted(call.env.items())))  # type: ignore[arg-type]
        # True is no number of seconds, but equal to one.
        key = (call[:_JUSTIFICATION], type(call.timeout_s))
        hash(key)
    except (AttributeError, TypeError):
        return None
    return key


_JUSTIFICATION = ToolCall._fields.index("justification")


def _size(value: object) -> int:
    """Characters in it."""
    if isinstance(value, str):
        return len(value)
    return sum(map(_size, value)) if isinstance(value, tuple) else 0
