"""What bash says, and the status it gives, when a command cannot be executed."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex
from agent_exec.shell.message_names import shown_name

_NOT_FOUND = 127
_NOT_EXECUTED = 126
_SAMPLE = 128  # bytes that bash looks at, HASH_BANG_BUFSIZ
_HEAD = 256  # bytes that the kernel looks at, BINPRM_BUF_SIZE
_INTERPRETER = regex(rb"#![ \t]*([^ \t\n]*)")


class Failure(NamedTuple):
    """A message without its ``bash: line N: ``, and an exit status."""

    message: str
    status: int
    lined: bool = True
    """False: it is said without the line."""


def not_found(name: str, cwd: str, variables: Mapping[str, str]) -> Failure:
    """No program is called `name`, or what is there cannot be executed."""
    if "/" not in name:
        return Failure(f"{shown_name(name, variables)}: command not found", _NOT_FOUND)
    path = os.path.join(cwd, name)
    if os.path.isdir(path):
        return Failure(f"{name}: {os.strerror(errno.EISDIR)}", _NOT_EXECUTED)
    try:
        os.stat(path)
        number = errno.EACCES
    except OSError as error:
        number = error.errno or errno.EIO
    status = _NOT_FOUND if number == errno.ENOENT else _NOT_EXECUTED
    return Failure(f"{name}: {os.strerror(number)}", status)


def not_executed(name: str, program: str, number: int) -> Failure:
    """execve(2) failed with `number` for the file `program`, which is executable."""
    called = name if "/" in name else program
    if number == errno.ENOENT:
        return Failure(f"{called}: cannot execute: required file not found", _NOT_FOUND)
    what = os.strerror(number)
    if number == errno.ENOEXEC:
        return Failure(f"{called}: cannot execute binary file: {what}", _NOT_EXECUTED)
    interpreter = _INTERPRETER.match(_sample(program))
    if interpreter is not None and number not in (errno.E2BIG, errno.ENOMEM):
        named = os.fsdecode(interpreter.group(1))
        return Failure(f"{called}: {named}: bad interpreter: {what}", _NOT_EXECUTED, lined=False)
    return Failure(f"{called}: {what}", _NOT_EXECUTED)


def interpreter_error(program: str, cwd: str) -> int:
    """With which errno would execve(2) refuse the interpreter of a script? 0 for none."""
    found = _INTERPRETER.match(_sample(program, _HEAD))
    if found is None or found.end() == _HEAD:  # the kernel does not take what it sees half of
        return 0
    if not found.group(1):
        return errno.ENOEXEC
    try:
        path = os.path.join(os.fsencode(cwd), found.group(1))
        os.stat(path)
    except OSError as error:
        return error.errno or errno.EIO
    return 0 if os.path.isfile(path) and os.access(path, os.X_OK) else errno.EACCES


def is_text(program: str) -> bool:
    """Would bash read a file that is no program as a text of its own?"""
    sample = _sample(program)
    return not sample.startswith(b"\x7fELF") and b"\0" not in sample.partition(b"\n")[0]


def _sample(program: str, size: int = _SAMPLE) -> bytes:
    try:
        with open(program, "rb", buffering=0) as file:
            return file.read(size)
    except OSError:
        return b""
