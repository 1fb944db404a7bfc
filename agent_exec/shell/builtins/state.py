"""What a builtin works on, and what it leaves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from agent_exec.named_tuple import NamedTuple


class ShellState(NamedTuple):
    """Of a shell, between two commands."""

    cwd: str
    """Absolute, as ``cd`` left it: with the links that it went through."""
    variables: Mapping[str, str]
    """The environment of its children."""
    status: int = 0
    """``$?``."""
    foreseen: bool = True
    """Is `cwd` where the words of the text lead? Not where links do."""
    moved: str | None = None
    """By what absolute path the current directory is reached, where `cwd` has become another."""
    remembered: Mapping[str, str] = MappingProxyType({})
    """Where names of programs were found, as ``hash`` shows it."""

    @property
    def here(self) -> str:
        """An absolute path of the current directory, whatever has become of `cwd`."""
        return self.cwd if self.moved is None else self.moved


class Places(Protocol):
    """The file system, as the builtins ask for it."""

    def enter(self, path: str) -> int:
        """Can `path` (absolute) become the current directory? 0, or an errno."""
        ...

    def real(self, path: str) -> str:
        """`path` (absolute) without links."""
        ...

    def status(self, path: str, *, follow: bool) -> os.stat_result | None:
        """Of stat(2) or lstat(2); None when it cannot be had."""
        ...

    def access(self, path: str, mode: int) -> bool:
        """Of faccessat(2) with the effective ids."""
        ...


class Done(NamedTuple):
    """What a builtin did."""

    state: ShellState
    status: int
    out: bytes = b""
    error: str = ""
    """A message, without its ``bash: line N: `` and its newline; empty for none."""
    ends: bool = False
    """The shell ends."""
