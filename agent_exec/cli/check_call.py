"""Decisions, without anything being run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from agent_exec.cli.check_words import CheckOptions
from agent_exec.errors import AgentExecError, InvalidCall
from agent_exec.model.decision import Decision, Route, Verdict
from agent_exec.runtime.checker import Checker

EXIT_CODES = {Verdict.ALLOW: 0, Verdict.ASK: 10, Verdict.DENY: 11}
_MOST_BYTES = 16 * 1024 * 1024


def execute(options: CheckOptions) -> int:
    """Print what is decided; the exit status for it.

    Raises:
        AgentExecError: There is no decision: the policy is wrong, no such worktree.
    """
    checker = Checker(options.worktree, options.policy)
    if options.batch is not None:
        for line in _lines(options.batch):
            _print({"id": line.get("id"), **_answer(checker, line)})
        return 0
    if options.command is None:
        decision = checker.check({"argv": list(options.argv)})
    else:
        decision = checker.check({"command": options.command})
    if options.as_json:
        _print({"id": None, **decision.to_json()})
    else:
        _explain(decision)
    return EXIT_CODES[decision.verdict]


def _lines(name: str) -> Iterator[dict[str, Any]]:
    if name == "-" and sys.stdin is None:
        raise InvalidCall("stdin is closed; give the calls there, or name a file that has them")
    try:
        file = sys.stdin.buffer if name == "-" else open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise InvalidCall(f"{name}: {error.strerror}") from None
    with file:
        for line in file:
            if line.strip():
                yield _object(line)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > _MOST_BYTES:
        return {"error": f"a line of more than {_MOST_BYTES} bytes"}
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"error": f"no JSON: {error}"}
    return content if isinstance(content, dict) else {"error": "a line is one JSON object"}


def _answer(checker: Checker, line: dict[str, Any]) -> dict[str, object]:
    try:
        if "error" in line:
            raise InvalidCall(str(line["error"]))
        return checker.check({key: value for key, value in line.items() if key != "id"}).to_json()
    except AgentExecError as error:
        return Decision(Verdict.DENY, None, error=str(error)).to_json()


def _print(shown: dict[str, object]) -> None:
    if sys.stdout is None:
        return
    text = json.dumps(shown, ensure_ascii=False)
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def _explain(decision: Decision) -> None:
    route = ""
    if decision.route is Route.SHELL:
        route = f", by a shell ({decision.route_reason})"
    elif decision.route is Route.DIRECT:
        route = ", without a shell"
    print(f"{decision.verdict.value}{route}")
    depth: dict[int, int] = {}
    for index, ruling in enumerate(decision.commands):
        depth[index] = 0 if ruling.of is None else depth[ruling.of] + 1
        indent = "  " * (depth[index] + 1)
        rules = f" [{', '.join(ruling.rules)}]" if ruling.rules else ""
        print(f"{indent}{ruling.verdict.value}: {_line(ruling.argv)}{rules}")
        for effect in ruling.effects:
            if effect.argv is None:
                what = f" {_line((effect.path,))}" if effect.path is not None else ""
                why = f" ({effect.because})" if effect.because else ""
                print(f"{indent}  {effect.kind.value}{what}{why}")
    for reason in decision.because:
        print(f"because {_line((reason,), quote=False)}")


def _line(words: tuple[str, ...], *, quote: bool = True) -> str:
    """Words as one line that no terminal obeys."""
    import shlex  # noqa: PLC0415 - for people only

    text = shlex.join(words) if quote else words[0]
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
