"""call -> request: find the programs and the directory that a call names."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence

from agent_exec.errors import InvalidCall, ProgramNotFound, TemplateError
from agent_exec.model.call import ToolCall
from agent_exec.model.request import Command, ExecRequest
from agent_exec.runtime.checks import is_seconds
from agent_exec.runtime.environment import ChildEnvironment, is_mark
from agent_exec.runtime.mistakes import refuse_shell_syntax, split_line


def resolve(
    call: ToolCall, *, id_: str, worktree: str, environment: ChildEnvironment
) -> ExecRequest:
    """Find everything before anything is started.

    Args:
        call: As it arrived.
        id_: The id that the call is to have.
        worktree: Absolute, without links.
        environment: That of the tool; its PATH, or the call's, is where names are looked up.

    Raises:
        InvalidCall: No stages, an empty argv, what cannot be given to a program, shell
            syntax where no shell will see it.
        ProgramNotFound: A program is nowhere.
        TemplateError: EACCES: one was named by path, and is a directory or not executable.
    """
    if not call.stages:
        raise InvalidCall("a call has at least one stage; send argv such as ['git', 'status']")
    if call.timeout_s is not None and not is_seconds(call.timeout_s, above_zero=True):
        raise InvalidCall(f"timeout_s is {call.timeout_s!r}; send a number of seconds above 0")
    _check_variables(call.env)
    _check_descriptor("stdout", call.stdout)
    _check_descriptor("stderr", call.stderr)
    cwd = worktree if call.cwd is None else _directory(call.cwd, worktree)
    path = environment.search_path(call.env)
    return ExecRequest(
        id=id_,
        call=call,
        commands=tuple([_command(argv, cwd, path) for argv in call.stages]),
        cwd=cwd,
        stdin=_input(call.stdin),
    )


def find_program(name: str, *, cwd: str, path: Sequence[str]) -> str:
    """The absolute path of a program.

    A name without a slash is looked up in `path`; one with a slash is relative to `cwd`.
    Links are not followed: the path is kept as found.

    Raises:
        ProgramNotFound, TemplateError: As `resolve`.
    """
    if "/" in name:
        return _named_by_path(os.path.join(cwd, name))
    for folder in path:
        candidate = f"{folder}/{name}"
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    raise ProgramNotFound(name, tuple(path))


def _command(argv: Sequence[str], cwd: str, path: Sequence[str]) -> Command:
    def is_program(name: str) -> bool:
        try:
            find_program(name, cwd=cwd, path=path)
        except (ProgramNotFound, TemplateError):
            return False
        return True

    if isinstance(argv, str):
        words = split_line(argv)
        refuse_shell_syntax(words, is_program)
        raise InvalidCall(f"argv is a list of words, not one string; send argv {words!r}")
    if not argv or not argv[0]:
        raise InvalidCall("argv is empty: its first word is the program")
    for word in argv:
        _check_word(word, "argv")
    refuse_shell_syntax(argv, is_program)
    try:
        program = find_program(argv[0], cwd=cwd, path=path)
    except ProgramNotFound:
        words = split_line(argv[0])
        if len(words) == 1:
            raise
        corrected = [*words, *argv[1:]]
        refuse_shell_syntax(corrected, is_program)
        raise InvalidCall(f"no program is called {argv[0]!r}; send argv {corrected!r}") from None
    return Command(tuple(argv), program)


def _named_by_path(candidate: str) -> str:
    try:
        status = os.stat(candidate)
    except (FileNotFoundError, NotADirectoryError):
        raise ProgramNotFound(candidate) from None
    except OSError as error:
        raise TemplateError(candidate, error.errno or errno.EIO) from None
    if stat.S_ISDIR(status.st_mode):
        raise TemplateError(candidate, errno.EACCES, "a directory")
    if not os.access(candidate, os.X_OK):
        raise TemplateError(candidate, errno.EACCES, "not executable")
    return candidate


def _directory(cwd: str | os.PathLike[str], worktree: str) -> str:
    """Without links and dots: it is also the child's PWD, which may have none."""
    path = os.fspath(cwd) if isinstance(cwd, os.PathLike) else cwd
    _check_word(path, "cwd")
    return os.path.realpath(os.path.join(worktree, path))


def _input(stdin: str | bytes | int | None) -> bytes | int | None:
    if not isinstance(stdin, str | bytes):
        _check_descriptor("stdin", stdin, "text, bytes, ")
    if not isinstance(stdin, str):
        return stdin
    try:
        return stdin.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidCall(f"stdin: {error.object[error.start]!r} is no character") from None


def _check_descriptor(name: str, value: object, else_: str = "") -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidCall(f"{name} is {value!r}; give {else_}a descriptor's number, or nothing")


def _check_variables(env: Mapping[str, str]) -> None:
    if not isinstance(env, Mapping):
        raise InvalidCall(f"env is {env!r}; send names with their values, {{'NAME': 'value'}}")
    for name, value in env.items():
        _check_word(name, "env")
        _check_word(value, f"env, {name}")
        if not name or "=" in name:
            raise InvalidCall(f"env: no variable can be called {name!r}")
        if is_mark(name):
            raise InvalidCall(f"env: {name} is the tool's own; leave it out")


def _check_word(word: str, where: str) -> None:
    if not isinstance(word, str):
        raise InvalidCall(f"{where}: {word!r} is no string")
    if "\0" in word:
        raise InvalidCall(f"{where}: {word!r} holds a NUL, which no program can be given")
    if not word.isascii():
        try:
            os.fsencode(word)
        except UnicodeEncodeError:
            raise InvalidCall(f"{where}: {word!r} is no text that has bytes") from None
