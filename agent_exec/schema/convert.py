"""What models send instead of what the schema says, where only one thing can be meant."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from agent_exec.errors import InvalidCall
from agent_exec.named_tuple import NamedTuple

EMPTY: tuple[object, ...] = ("", [], {})
"""What counts as left out, as null does: models that have to send every field send these."""
# Words of other tools for the same thing.
_OTHER_NAMES: Mapping[str, Mapping[str, str]] = {
    "exec": {
        "cmd": "command",
        "shell_command": "command",
        "script": "command",
        "args": "argv",
        "arguments": "argv",
        "stages": "pipeline",
        "workdir": "cwd",
        "working_directory": "cwd",
        "working_dir": "cwd",
        "dir_path": "cwd",
        "directory": "cwd",
        "input": "stdin",
        "environment": "env",
        "timeoutMs": "timeout_ms",
        "run_in_background": "background",
        "is_background": "background",
        "tty": "terminal",
        "pty": "terminal",
        "description": "justification",
        "reason": "justification",
    },
    "exec_read": {"session_id": "session", "handle": "session", "from": "offset"},
    "exec_write": {"session_id": "session", "handle": "session", "chars": "text", "input": "text"},
    "exec_stop": {"session_id": "session", "handle": "session"},
}
_NUMBERS = frozenset(
    {"timeout_ms", "timeout", "timeout_s", "offset", "wait_ms", "bytes", "rows", "columns"}
)
_FLAGS = frozenset({"background", "terminal", "append", "close"})
_SHELL = frozenset("|&;<>()$`*?[#~")
_LONGEST_SHOWN = 500
_ARGS = frozenset({"args", "arguments"})
_WORDS = {"true": True, "false": False}
# A time of that many is no number of seconds that anybody waits for.
_SURELY_MS = 1000
_FAR = 1e300


class Converted(NamedTuple):
    """The fields that were sent, by the names of the schema; hints on what was not so."""

    fields: dict[str, Any]
    hints: tuple[str, ...]


def convert(arguments: Mapping[str, Any], tool: str) -> Converted:
    """Rename and reshape what was sent; what is empty counts as left out.

    Raises:
        InvalidCall: A field was sent under two names.
    """
    work = _Conversion(tool)
    for name, value in arguments.items():
        # To write nothing is something else than not to write.
        said = tool == "exec_write" and _OTHER_NAMES[tool].get(name, name) == "text"
        if value is not None and (said or value not in EMPTY):
            work.take(str(name), value)
    return work.done()


class _Conversion:
    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._fields: dict[str, Any] = {}
        self._sent: set[str] = set()
        self._hints: list[str] = []

    def take(self, name: str, value: object) -> None:
        known = _OTHER_NAMES[self._tool].get(name, name)
        if known != name:
            self._hints.append(f"{name} was taken for {known}")
        if known in self._fields:
            raise InvalidCall(f"{known} was sent twice, once as {name}; send it once")
        self._fields[known] = value
        self._sent.add(name)

    def done(self) -> Converted:
        if self._tool == "exec":
            self._program()
            self._forms()
            self._timeout()
            self._env()
            self._output()
        for name in _NUMBERS.intersection(self._fields):
            self._number(name)
        for name in _FLAGS.intersection(self._fields):
            self._flag(name)
        return Converted(self._fields, tuple(self._hints))

    def _program(self) -> None:
        """``{"program": "git", "args": [...]}``, and ``command`` for ``program``."""
        fields = self._fields
        words = fields.get("argv", [])
        name = "program" if "program" in fields else "command"
        program = fields.get(name)
        if not isinstance(program, str) or not isinstance(words, list):
            return
        if name == "command" and (self._sent.isdisjoint(_ARGS) or " " in program):
            return
        if self._sent.isdisjoint(_ARGS) and "argv" in fields:
            return  # two calls in one: that is said later
        del fields[name]
        fields["argv"] = [program, *words]
        self._hints.append(f"{name} and its arguments were taken for argv")

    def _forms(self) -> None:
        fields = self._fields
        for name in ("argv", "pipeline"):
            if isinstance(fields.get(name), str) and fields[name].lstrip()[:1] == "[":
                self._parsed(name)
        if isinstance(fields.get("argv"), str):
            raise InvalidCall(f"argv is a list of words; {_as_words(fields['argv'])}")
        lines = fields.get("pipeline")
        if isinstance(lines, list) and lines and all(isinstance(each, str) for each in lines):
            raise InvalidCall(f"pipeline is a list of argv; {_as_words(' | '.join(lines))}")
        if isinstance(fields.get("command"), list) and "argv" not in fields:
            fields["argv"] = fields.pop("command")
            self._hints.append("command was taken for argv: it is a list")
        argv = fields.get("argv")
        are_lists = isinstance(argv, list) and argv and all(isinstance(e, list) for e in argv)
        if are_lists and "pipeline" not in fields:
            fields["pipeline"] = fields.pop("argv")
            self._hints.append("argv was taken for pipeline: it is a list of lists")
        if isinstance(fields.get("argv"), list):
            fields["argv"] = self._strings(fields["argv"], "argv")
        if isinstance(fields.get("pipeline"), list):
            fields["pipeline"] = [
                self._strings(each, "pipeline") if isinstance(each, list) else each
                for each in fields["pipeline"]
            ]

    def _parsed(self, name: str) -> None:
        try:
            self._fields[name] = json.loads(self._fields[name])
        except (ValueError, RecursionError):
            return  # a program may be called so
        self._hints.append(f"{name} was sent as text; send the list itself")

    def _strings(self, words: list[Any], where: str) -> list[Any]:
        made = [_as_text(word) for word in words]
        for word, text in zip(words, made, strict=True):
            if word is not text:
                self._hints.append(f'{where}: {text} was taken for "{text}"')
        return made

    def _timeout(self) -> None:
        fields = self._fields
        for name in ("timeout", "timeout_s", "timeout_seconds", "timeout_secs"):
            if name not in fields:
                continue
            self._number(name, whole=False)
            value = fields.pop(name)
            if not _is_usual(value):
                raise InvalidCall(f"{name} is no number of milliseconds; send timeout_ms")
            seconds = name != "timeout" or value < _SURELY_MS
            milliseconds = round(value * 1000) if seconds else round(value)
            if "timeout_ms" in fields:
                raise InvalidCall(f"timeout_ms and {name} were sent; send timeout_ms")
            fields["timeout_ms"] = milliseconds
            unit = "seconds" if seconds else "milliseconds"
            self._hints.append(f"{name} was taken for {unit}: timeout_ms {milliseconds}")

    def _env(self) -> None:
        env = self._fields.get("env")
        if isinstance(env, Mapping):
            self._fields["env"] = [
                {"name": name, "value": _as_text(value)} for name, value in env.items()
            ]
            self._hints.append('env was taken for a list of {"name", "value"}')

    def _output(self) -> None:
        output = self._fields.get("output")
        if isinstance(output, str):
            self._fields["output"] = {"keep": output}
            self._hints.append("output was taken for output.keep")

    def _number(self, name: str, *, whole: bool = True) -> None:
        value = self._fields.get(name)
        make: Callable[[str], int | float] = int if whole else float
        if isinstance(value, str):
            try:
                self._fields[name] = make(value)
            except ValueError:
                return  # said by the schema
            self._hints.append(f"{name} was sent as text; send {value}")
        elif whole and isinstance(value, float) and value.is_integer():
            self._fields[name] = int(value)

    def _flag(self, name: str) -> None:
        value = self._fields[name]
        if isinstance(value, str) and value.lower() in _WORDS:
            self._fields[name] = _WORDS[value.lower()]
            self._hints.append(f"{name} was sent as text; send {value.lower()}")


def _as_words(line: str) -> str:
    """What to send instead of a line."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    if not words or any(char in _SHELL for char in line) or len(line) > _LONGEST_SHOWN:
        shown = json.dumps(line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}...")
        return f'send {{"command": {shown}}}, which is shell text'
    return f'send {{"argv": {json.dumps(words)}}}'


def _as_text(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A number as the word that it surely is; everything else as it is."""
    is_number = isinstance(value, float) or _is_usual(value)
    return str(value) if is_number else value


def _is_usual(value: object) -> bool:
    """Is it a number that is finite, a thousand times as large, too, and that can be written?"""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_FAR < value < _FAR
