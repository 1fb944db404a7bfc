"""The token that clients have to know: from a file, from the environment, or a new one."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from typing import NamedTuple

from agent_exec import InvalidCall

TOKEN_VARIABLE = "AGENT_EXEC_MCP_TOKEN"
_SHORTEST = 16
_LONGEST = 4096


class Token(NamedTuple):
    """The secret, and what is told to whoever starts the server."""

    value: str
    told: str


def find_token(file: str | None, worktree: str, environ: Mapping[str, str]) -> Token:
    """That of `file`, where one is named, else of the environment, else a new one.

    Args:
        file: Is made, for its owner alone, where it does not exist.
        worktree: Where it must not be: calls may read there.
        environ: Of the process.

    Raises:
        InvalidCall: The file, or what is in it, is not safe; the message says what to do.
    """
    if file is not None:
        return Token(_of_file(file, worktree), f"the token is in {file}")
    given = environ.get(TOKEN_VARIABLE)
    if given:
        return Token(_checked(given, TOKEN_VARIABLE), f"the token is that of {TOKEN_VARIABLE}")
    made = secrets.token_urlsafe(32)
    return Token(made, f"clients send: Authorization: Bearer {made}")


def _of_file(file: str, worktree: str) -> str:
    path = os.path.realpath(file)
    root = os.path.realpath(worktree)
    if os.path.commonpath([path, root]) == root:
        raise InvalidCall(f"{file} is in the worktree, where calls can read it; name another place")
    try:
        return _made(path)
    except FileExistsError:
        pass
    except OSError as error:
        raise InvalidCall(f"the token cannot be kept in {file}: {error.strerror}") from None
    try:
        return _checked(_read(path, file), file)
    except OSError as error:
        raise InvalidCall(f"the token cannot be read from {file}: {error.strerror}") from None


def _made(path: str) -> str:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    token = secrets.token_urlsafe(32)
    with open(os.open(path, flags, 0o600), "w", encoding="ascii") as new:
        new.write(f"{token}\n")
    return token


def _read(path: str, shown: str) -> str:
    # A pipe would be waited for.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise InvalidCall(f"{shown} is no file; name one, or a place for a new one")
        if info.st_uid != os.geteuid() or info.st_mode & 0o077:
            raise InvalidCall(f"others can read or change {shown}; make it yours alone: chmod 600")
        return os.read(fd, _LONGEST).decode("ascii", "replace")
    finally:
        os.close(fd)


def _checked(given: str, where: str) -> str:
    token = given.strip()
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidCall(
            f"{where} holds no token: at least {_SHORTEST} characters of ASCII, no spaces in them"
        )
    return token
