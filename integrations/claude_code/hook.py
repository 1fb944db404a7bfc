"""``agent-exec hook claude-code``: a PreToolUse hook. JSON on stdin, a decision on stdout.

Claude Code goes on as if there were no hook when one fails in any other way than with exit
status 2, or takes too long. So everything that is not understood ends with 2 or a decision,
and soon.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType

from agent_exec import AgentExecError
from agent_exec.daemon.hook import (
    Asked,
    absolute_policy,
    find_worktree,
    reasons_of,
    rule,
)
from agent_exec.daemon.protocol import can_be_named
from agent_exec.named_tuple import NamedTuple

TYPE_CHECKING = False  # as in `agent_exec`
if TYPE_CHECKING:
    from typing import Any

EXIT_BLOCKED = 2
LATE_S = 20
"""The hook's entry in the settings gives it longer."""
_MOST_BYTES = 32 * 1024 * 1024
_FOR_EVER_MS = 1e15
_INSTEAD = "Do it another way that this policy allows, or ask the user to do it."


class HookOptions(NamedTuple):
    """What the entry in the settings says."""

    policy: str = "default"
    worktree: str | None = None
    start: bool = False


class _Late(BaseException):
    pass


def main(options: HookOptions) -> int:
    """Answer one event; the exit status. Never raises."""
    try:
        signal.signal(signal.SIGALRM, _on_alarm)
        signal.alarm(LATE_S)
        try:
            answer = _answer(options, sys.stdin.buffer.read(_MOST_BYTES + 1))
        except _Late:
            answer = _decision("ask", f"not judged: it took longer than {LATE_S} s")
        finally:
            signal.alarm(0)
        if answer is not None:
            text = json.dumps(answer, ensure_ascii=True)
            os.write(1, text.encode() + b"\n")
    except _BlockedError as blocked:
        return _block(str(blocked))
    except BaseException as error:
        return _block(f"the hook failed, and nothing was judged: {error!r}")
    return 0


def _block(why: str) -> int:
    # By the descriptor: sys.stderr may be closed, and its end may fail.
    try:
        os.write(2, f"agent-exec hook claude-code: {why}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return EXIT_BLOCKED
    return EXIT_BLOCKED


class _BlockedError(Exception):
    """What came is no event that could be answered."""


def _on_alarm(_signum: int, _frame: FrameType | None) -> None:
    raise _Late


def _answer(options: HookOptions, given: bytes) -> dict[str, Any] | None:
    """The hook's output; None for what is not ours to judge.

    Raises:
        _BlockedError: It is no event.
    """
    if len(given) > _MOST_BYTES:
        raise _BlockedError(f"an event of more than {_MOST_BYTES} bytes")
    try:
        event = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise _BlockedError(f"stdin is no JSON: {error}") from None
    if not isinstance(event, dict):
        raise _BlockedError("stdin is no JSON object")
    name = event.get("hook_event_name", "PreToolUse")
    if name != "PreToolUse":
        raise _BlockedError(f"this is a hook for PreToolUse, and was called for {name!r:.100}")
    tool, given_to = event.get("tool_name"), event.get("tool_input")
    if not isinstance(tool, str):
        raise _BlockedError("the event has no tool_name")
    if tool != "Bash":
        return None
    if not isinstance(given_to, dict) or not isinstance(given_to.get("command"), str):
        return _decision("deny", "the call has no command: send command, a text")
    cwd = event.get("cwd") or os.getcwd()
    if not isinstance(cwd, str) or not os.path.isabs(cwd) or not can_be_named(cwd):
        return _decision("deny", "the event has a cwd that is no absolute path")
    return _judge(options, given_to, cwd)


def _judge(options: HookOptions, given: dict[str, Any], cwd: str) -> dict[str, Any]:
    asked = Asked(
        command=given["command"],
        cwd=cwd,
        worktree=_worktree(options, cwd),
        policy=absolute_policy(options.policy, cwd),
        timeout_s=_timeout_s(given),
    )
    try:
        ruling = rule(asked, start=options.start)
    except AgentExecError as error:
        why = "; ".join(reasons_of(error))
        return _decision("ask", f"agent_exec could not judge this command: {why}")
    why = "; ".join(ruling.because)
    if ruling.verdict == "allow":
        answer = _decision("allow", f"agent_exec: {why}")
        if ruling.command is not None:
            # All of it: what is not named here would be lost.
            answer["hookSpecificOutput"]["updatedInput"] = {**given, "command": ruling.command}
        return answer
    if ruling.verdict == "ask":
        return _decision("ask", f"agent_exec asks, because {why}")
    return _decision("deny", f"agent_exec does not allow this: {why}. {_INSTEAD}")


def _worktree(options: HookOptions, cwd: str) -> str:
    if options.worktree is not None:
        return os.path.abspath(options.worktree)
    project = os.environ.get("CLAUDE_PROJECT_DIR", "")
    return project if os.path.isabs(project) else find_worktree(cwd)


def _timeout_s(given: dict[str, Any]) -> float | None:
    """What the host gives the command, in seconds; None where it does not say."""
    if given.get("run_in_background") is True:
        return float("inf")
    timeout = given.get("timeout")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        return None
    return timeout / 1000 if timeout < _FOR_EVER_MS else float("inf")


def _decision(decision: str, reason: str) -> dict[str, Any]:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": decision,
            "permissionDecisionReason": reason,
        }
    }
