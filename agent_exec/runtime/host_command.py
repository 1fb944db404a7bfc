"""A command that a host is about to run in its own shell -> what it is to do instead.

What may run is rewritten to run through ``agent-exec run``, so that it is judged, bounded and
recorded like any other call; there it is judged again. What cannot be rewritten is judged as
the host's own: then nothing rests on our environment, hardening or sandbox.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from agent_exec.errors import AgentExecError, InvalidCall
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Executor, Verdict
from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex
from agent_exec.runtime.checker import Checker

_OURS = "agent-exec"
_PACKAGE = regex(r"agent_exec(\..*)?")
# What a shell keeps for the next command of the host, and a process of ours cannot give it.
_MOVERS = frozenset({"cd", "chdir", "pushd", "popd"})
# A directory in which a shell expands nothing, then the rest.
_MOVED = regex(
    r"""\s*cd\s+(?:--\s+)?(?P<folder>[\w./+@%,:=][\w./+@%,:=-]*|'[^'\n]+'|"[^"$`\\!\n]+")\s*"""
    r"""(?:&&|;)\s*(?P<rest>\S.*)""",
    re.DOTALL,
)
_FAR = 1 << 63
_INSTEAD = "run the command itself, without agent-exec: every command goes through it by itself"


class HostCommand(NamedTuple):
    """What a host is about to run."""

    command: str
    """Shell text."""
    cwd: str
    """Absolute: where the host's shell is."""
    program: tuple[str, ...] = ()
    """The words that run ``agent-exec``; none: nothing is rewritten."""
    options: tuple[str, ...] = ()
    """Words for ``agent-exec run``: its policy and worktree."""
    timeout_s: float | None = None
    """What the host gives it; inf for what it leaves in the background."""

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> HostCommand:
        """From a request of the daemon.

        Raises:
            InvalidCall: It is none.
        """
        command, cwd, timeout_s = shown.get("command"), shown.get("cwd"), shown.get("timeout_s")
        if not isinstance(command, str) or not isinstance(cwd, str) or not os.path.isabs(cwd):
            raise InvalidCall("a host's command has command, a text, and cwd, an absolute path")
        if timeout_s is not None and (isinstance(timeout_s, bool) or not _is_number(timeout_s)):
            raise InvalidCall("timeout_s is a number of seconds")
        return cls(
            command,
            cwd,
            _words(shown.get("program", [])),
            _words(shown.get("options", [])),
            timeout_s,
        )


class HostRuling(NamedTuple):
    """What the host is to do."""

    verdict: Verdict
    because: tuple[str, ...]
    command: str | None = None
    """What it is to run instead; None: the command as it is, if it may run."""

    def to_json(self) -> dict[str, Any]:
        """For the daemon's answer."""
        return {
            "verdict": self.verdict.value,
            "because": list(self.because),
            "command": self.command,
        }


def judge(checker: Checker, asked: HostCommand) -> HostRuling:
    """What to do with `asked`. Never raises for what it says."""
    try:
        return _judge(checker, asked)
    except AgentExecError as error:
        return HostRuling(Verdict.DENY, (str(error),))


def _judge(checker: Checker, asked: HostCommand) -> HostRuling:
    if _starts_ours(asked):
        return HostRuling(Verdict.DENY, (_INSTEAD,))
    # The host's own input: nobody knows what is in it.
    call = ToolCall(command=asked.command, cwd=asked.cwd, stdin=0)
    ours = checker.check_call(call)
    ruling = None
    if ours.verdict is Verdict.ALLOW and asked.program:
        ruling = _rewritten(ours, asked)
    if ruling is None:
        host = checker.check_call(call, executor=Executor.HOST)
        strict = host if _strictness(host) >= _strictness(ours) else ours
        ruling = HostRuling(strict.verdict, _reasons(strict))
    if ruling.verdict is Verdict.ALLOW and any(_is_ours(one.argv, asked) for one in ours.commands):
        return HostRuling(Verdict.ASK, (f"it runs agent-exec itself; {_INSTEAD}",))
    return ruling


def _rewritten(decision: Decision, asked: HostCommand) -> HostRuling | None:
    """Through ``agent-exec run``; None where the host's shell would notice the difference."""
    moves = [one.argv for one in decision.commands if one.argv[:1] and one.argv[0] in _MOVERS]
    if not moves:
        return HostRuling(Verdict.ALLOW, decision.because, _run(asked, asked.command))
    moved = _MOVED.fullmatch(asked.command)
    if moved is None or len(moves) > 1 or moved["rest"].rstrip().endswith("&"):
        return None
    folder = moved["folder"].strip("'\"")
    named = os.path.join(asked.cwd, folder)
    where = os.path.normpath(named)  # as `cd` does, without -P
    # Only where `cd` is sure to work does it not matter which operator comes after it.
    if decision.commands[0].argv[-1] != folder or not os.access(where, os.X_OK):
        return None
    # Nor does it take back with dots a directory that is not there.
    if not os.path.isdir(where) or not os.path.isdir(named):
        return None
    run = _run(asked, moved["rest"])
    return HostRuling(
        Verdict.ALLOW, decision.because, f"cd -- {shlex.quote(os.path.realpath(where))} && {run}"
    )


def _run(asked: HostCommand, text: str) -> str:
    words = [*asked.program, "run", "-q", *asked.options, "--cwd", "."]
    if asked.timeout_s is not None:
        words += ["--timeout", f"{asked.timeout_s:g}"]
    return shlex.join([*words, "-c", text])


def _starts_ours(asked: HostCommand) -> bool:
    """Is it what we make of a command?"""
    moved = _MOVED.fullmatch(asked.command)
    try:
        words = shlex.split(asked.command if moved is None else moved["rest"])
    except ValueError:
        return False
    return _is_ours(words, asked) and "run" in words


def _is_ours(argv: Sequence[str], asked: HostCommand) -> bool:
    if not argv:
        return False
    if os.path.basename(argv[0]) == _OURS or (argv[0],) == asked.program:
        return True
    modules = [argv[at + 1] for at, word in enumerate(argv[:-1]) if word == "-m"]
    return any(_PACKAGE.fullmatch(module) for module in modules)


def _strictness(decision: Decision) -> int:
    return list(Verdict).index(decision.verdict)


def _reasons(decision: Decision) -> tuple[str, ...]:
    """With the rules that gave them, for somebody who wants to look them up."""
    rules = {
        rule: None
        for one in decision.commands
        if one.verdict is decision.verdict
        for rule in one.rules
    }
    named = (f"rule {', '.join(rules)} of the policy",) if rules else ()
    error = () if decision.error is None else (decision.error,)
    return (*error, *decision.because, *named)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise InvalidCall("program and options are lists of words")
    return tuple(value)


def _is_number(value: object) -> bool:
    """Of seconds: also infinity, but no whole number beyond all that a clock counts."""
    if isinstance(value, int):
        return 0 <= value < _FAR
    return isinstance(value, float) and value >= 0
