"""Recorded calls, judged again by another policy, with the files of today."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from agent_exec.errors import AgentExecError
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Verdict
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.checker import Checker


class Replayed(NamedTuple):
    """One call. `now` is None where it cannot be judged again: `because` says why."""

    record: dict[str, Any]
    then: str
    now: Verdict | None
    because: str


def replay(
    records: Iterable[dict[str, Any]], checker_of: Callable[[str], Checker]
) -> Iterator[Replayed]:
    """Judge calls again.

    Args:
        records: Of the log.
        checker_of: By the worktree of a call; raises `AgentExecError` where there is none.
    """
    checkers: dict[str, Checker | str] = {}
    for record in records:
        if record.get("ended") == "running":
            continue  # the same session stands there at its end, too
        then = str((record.get("decision") or {}).get("verdict", "none"))
        worktree = str(record.get("worktree"))
        if worktree not in checkers:
            try:
                checkers[worktree] = checker_of(worktree)
            except AgentExecError as error:
                checkers[worktree] = str(error)
        checker = checkers[worktree]
        if isinstance(checker, str):
            yield Replayed(record, then, None, checker)
        else:
            yield _again(record, then, checker)


def _again(record: dict[str, Any], then: str, checker: Checker) -> Replayed:
    shown = dict(record.get("call") or {})
    if "stdin" in shown:
        # Only its digest is kept: whatever it was, it was not nothing.
        shown["stdin"] = " "
    try:
        decision = checker.check_call(ToolCall.from_json(shown))
    except AgentExecError as error:
        return Replayed(record, then, Verdict.DENY, str(error))
    except (KeyError, TypeError, ValueError) as error:
        return Replayed(record, then, None, f"the record holds no call: {error}")
    return Replayed(record, then, decision.verdict, "; ".join(decision.because))
