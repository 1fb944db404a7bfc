"""call -> request: find the programs and the directory that a call names."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Sequence

from agent_exec.errors import InvalidCall, ProgramNotFound, TemplateError
from agent_exec.model.call import ToolCall
from agent_exec.model.request import Command, ExecRequest


def resolve(call: ToolCall, *, id_: str, worktree: str, path: Sequence[str]) -> ExecRequest:
    """Find everything before anything is started.

    Args:
        call: As it arrived.
        id_: The id that the call is to have.
        worktree: Absolute.
        path: Directories to look programs up in; the worktree's own are left out.

    Raises:
        InvalidCall: No stages, an empty argv, a NUL, a shell line in one word.
        ProgramNotFound: A program is nowhere.
        TemplateError: EACCES: one was named by path, and is a directory or not executable.
    """
    if not call.stages:
        raise InvalidCall("a call has at least one stage; send argv such as ['git', 'status']")
    cwd = worktree if call.cwd is None else os.path.join(worktree, _without_nul(call.cwd, "cwd"))
    commands = tuple([_command(argv, cwd, worktree, path) for argv in call.stages])
    return ExecRequest(id=id_, call=call, commands=commands, cwd=cwd)


def _command(argv: Sequence[str], cwd: str, worktree: str, path: Sequence[str]) -> Command:
    if isinstance(argv, str):
        suggestion = shlex.split(argv) if _splits(argv) else [argv]
        raise InvalidCall(f"argv is a list of words, not one string; send {suggestion!r}")
    if not argv or not argv[0]:
        raise InvalidCall("argv is empty: its first word is the program")
    for word in argv:
        _without_nul(word, "argv")
    return Command(tuple(argv), find_program(argv[0], cwd=cwd, worktree=worktree, path=path))


def _without_nul(word: str, where: str) -> str:
    if not isinstance(word, str):
        raise InvalidCall(f"{where}: {word!r} is no string")
    if "\0" in word:
        raise InvalidCall(f"{where}: {word!r} holds a NUL, which no program can be given")
    return word


def find_program(name: str, *, cwd: str, worktree: str, path: Sequence[str]) -> str:
    """The absolute path of a program.

    A name without a slash is looked up in `path`, never in the worktree; one with a
    slash is relative to `cwd`. Links are not followed: the path is kept as found.
    """
    if "/" in name:
        return _named_by_path(os.path.join(cwd, name))
    searched = tuple(
        [folder for folder in path if folder != worktree and not folder.startswith(worktree + "/")]
    )
    for folder in searched:
        candidate = f"{folder}/{name}"
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    if len(name.split()) > 1 and _splits(name):
        raise InvalidCall(f"no program is called {name!r}; send argv {shlex.split(name)!r}")
    raise ProgramNotFound(name, searched)


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


def _splits(text: str) -> bool:
    try:
        return bool(shlex.split(text))
    except ValueError:
        return False
