"""The JSON that a model sends, to a call: what it surely means is taken, and said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent_exec.errors import InvalidCall
from agent_exec.model.call import Keep, ToolCall
from agent_exec.named_tuple import NamedTuple
from agent_exec.schema.arguments import (
    TOOLS,
    ExecArguments,
    ReadArguments,
    StopArguments,
    WriteArguments,
)
from agent_exec.schema.convert import EMPTY, Converted, convert
from agent_exec.schema.wrong import first_mistake, unknown_names

MOST_STDIN = 16 * 1024 * 1024
"""Characters of literal input."""
_MOST_MS = 1_000_000_000
_FORMS = ("argv", "pipeline", "command")
_USUAL = {"argv": list, "command": str, "cwd": str, "timeout_ms": int, "justification": str}
_EXAMPLE = '{"argv": ["git", "status", "-s"]}'
_M = TypeVar("_M", bound=BaseModel)


class ReadCall(NamedTuple):
    """A call, and what was taken for something else than it said."""

    call: ToolCall
    hints: tuple[str, ...] = ()


def read_call(arguments: object) -> ReadCall:
    """A call of `exec`.

    Args:
        arguments: An object, or the text of one.

    Raises:
        InvalidCall: It does not say what to run, or not clearly; the message has what to send.
    """
    sent = as_object(arguments)
    usual = _usual(sent)
    if usual is not None:
        return ReadCall(usual)
    converted = convert(sent, "exec")
    read = _validated(ExecArguments, converted)
    given = [form for form in _FORMS if getattr(read, form) is not None]
    if not given:
        raise InvalidCall(f"there is nothing to run; send argv, such as {_EXAMPLE}")
    if len(given) > 1:
        raise InvalidCall(
            f"{' and '.join(given)} were sent; send one of them, and null for the others"
        )
    if read.stdin is not None and len(read.stdin) > MOST_STDIN:
        raise InvalidCall(
            f"stdin has {len(read.stdin)} characters, {MOST_STDIN} are taken at most; "
            "write them to a file, and name that"
        )
    limits = read.output
    call = ToolCall(
        stages=_stages(read),
        command=read.command,
        stdin=read.stdin,
        cwd=read.cwd,
        env=_variables(read),
        timeout_s=None if read.timeout_ms is None else _seconds(read.timeout_ms),
        stdout_file=read.stdout_file,
        append=bool(read.append),
        keep=Keep(limits.keep) if limits is not None and limits.keep is not None else Keep.BOTH,
        output_bytes=None if limits is None else limits.bytes,
        background=bool(read.background),
        terminal=bool(read.terminal),
        justification=read.justification,
    )
    return ReadCall(call, (*converted.hints, *_unused(call)))


def read_read(arguments: object) -> ReadArguments:
    """A call of `exec_read`. Raises as `read_call`."""
    return _validated(ReadArguments, convert(as_object(arguments), "exec_read"))


def read_write(arguments: object) -> WriteArguments:
    """A call of `exec_write`. Raises as `read_call`."""
    return _validated(WriteArguments, convert(as_object(arguments), "exec_write"))


def read_stop(arguments: object) -> StopArguments:
    """A call of `exec_stop`. Raises as `read_call`."""
    return _validated(StopArguments, convert(as_object(arguments), "exec_stop"))


def as_object(arguments: object) -> Mapping[str, Any]:
    """An object, or the JSON text of one.

    Raises:
        InvalidCall: It is neither.
    """
    if isinstance(arguments, str | bytes):
        try:
            arguments = json.loads(arguments, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise InvalidCall(f"the arguments are no JSON ({error}); send {_EXAMPLE}") from None
    if not isinstance(arguments, Mapping):
        raise InvalidCall(f"the arguments are one JSON object; send {_EXAMPLE}")
    return arguments


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _usual(sent: Mapping[str, Any]) -> ToolCall | None:
    """The call, where it is what most are: an argv or a text, and little beside it, all just as the
    schema has it. To read one in full takes ten times as long.
    """
    fields: dict[str, Any] = {}
    for name, value in sent.items():
        if value is None or value in EMPTY:
            continue
        if type(value) is not _USUAL.get(name):
            return None
        fields[name] = value
    argv: list[Any] = fields.pop("argv", [])
    milliseconds = fields.pop("timeout_ms", None)
    if bool(argv) is ("command" in fields) or (milliseconds is not None and milliseconds <= 0):
        return None
    # Beyond ASCII, there may be halves of characters.
    for word in (*argv, *fields.values()):
        if type(word) is not str or not word.isascii():
            return None
    stages = (tuple(argv),) if argv else ()
    timeout_s = None if milliseconds is None else _seconds(milliseconds)
    return ToolCall(stages=stages, timeout_s=timeout_s, **fields)


def _validated(model: type[_M], converted: Converted) -> _M:
    known = model.model_fields.keys()
    unknown = [name for name in converted.fields if name not in known]
    if unknown:
        raise InvalidCall(unknown_names(unknown, known, TOOLS))
    try:
        return model.model_validate(converted.fields)
    except ValidationError as error:
        raise InvalidCall(first_mistake(error)) from None


def _stages(read: ExecArguments) -> tuple[tuple[str, ...], ...]:
    if read.pipeline is not None:
        return tuple(tuple(argv) for argv in read.pipeline)
    return () if read.argv is None else (tuple(read.argv),)


def _variables(read: ExecArguments) -> dict[str, str] | None:
    if read.env is None:
        return None
    variables: dict[str, str] = {}
    for each in read.env:
        if variables.setdefault(each.name, each.value) != each.value:
            raise InvalidCall(f"env sets {each.name} twice; send one value")
    return variables


def _seconds(milliseconds: int) -> float:
    if not 0 < milliseconds <= _MOST_MS:
        raise InvalidCall(f"timeout_ms is from 1 to {_MOST_MS}, or null for the usual limit")
    return milliseconds / 1000


def _unused(call: ToolCall) -> list[str]:
    if call.terminal and not call.background:
        raise InvalidCall(
            "a terminal is for programs that go on: send background: true with it, or leave it out"
        )
    if call.append and call.stdout_file is None:
        return ["append says nothing without stdout_file"]
    return []
