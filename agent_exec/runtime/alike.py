"""What follows from a call and its decision alone, made once for calls that are the same.

Calls that were judged before (`agent_exec.runtime.familiar`) share their decision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from agent_exec.model.decision import Decision, Grant
from agent_exec.model.request import ExecRequest

_T = TypeVar("_T")
_MOST_KEPT = 256
_MOST_CHARACTERS = 8192
# Of the fields of a request, those before are its own: its id, and the call as it was sent.
_SHARED = 2


class Alike(Generic[_T]):
    """Keeps what was made, the oldest out. Safe from any thread, and in a forked child.

    Args:
        make: Makes it of a grant, of which it may use neither the id nor the time limit.
    """

    def __init__(self, make: Callable[[Grant], _T]) -> None:
        self._make = make
        # By the identity of its decision.
        self._kept: dict[int, tuple[Decision, tuple[Any, ...], _T]] = {}

    def of(self, grant: Grant) -> _T:
        """What `make` makes of `grant`, or has made of one that was the same. Raises as `make`."""
        decision, request = grant.decision, grant.request[_SHARED:]
        kept = self._kept.get(id(decision))
        # It holds its decision, so that no other one has that identity. By another route, or
        # with other files, a request is another one.
        if kept is not None and kept[0] is decision and kept[1] == request:
            return kept[2]
        made = self._make(grant)
        if not _is_small(grant.request):
            return made
        # Each step is atomic, so that no lock is needed, which a fork could find taken.
        self._kept[id(decision)] = (decision, request, made)
        for oldest in list(self._kept)[:-_MOST_KEPT]:
            self._kept.pop(oldest, None)
        return made


def _is_small(request: ExecRequest) -> bool:
    size = sum(len(word) for each in request.commands for word in each.argv)
    size += len(request.text or "")
    return request.stdin is None and size <= _MOST_CHARACTERS
