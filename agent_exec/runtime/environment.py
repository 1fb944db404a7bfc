"""The environment of the children of one tool."""

from __future__ import annotations

import os
from collections.abc import Mapping

MARK = "AGENT_EXEC_CALL"
"""The variable by which descendants of a call are found; its value is the call's id.

In a call within a call it is this name with ``_2``, and so on: the outer call must find
what the inner one leaves.
"""

# No repository is there, so a worktree that holds them plants nothing in them.
_OF_THE_SYSTEM = frozenset(
    {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}
)
_NOT_INHERITED = frozenset({b"PWD", b"OLDPWD"})


def is_mark(name: str) -> bool:
    """May only a tool itself set this variable?"""
    return name == MARK or name.startswith(f"{MARK}_")


class ChildEnvironment:
    """A snapshot of an environment, as words that are made once and not per call.

    Args:
        variables: ``os.environb``, as a rule. Copied: later changes of it are not seen.
        worktree: The PWD of calls that name no other directory; programs are not looked
            up beneath it. Without links.
    """

    mark: str
    """The variable that marks our calls."""

    def __init__(self, variables: Mapping[bytes, bytes], worktree: str) -> None:
        self._variables = {
            name: value for name, value in variables.items() if name not in _NOT_INHERITED
        }
        level = sum(is_mark(os.fsdecode(name)) for name in variables) + 1
        self.mark = MARK if level == 1 else f"{MARK}_{level}"
        self._worktree = worktree
        self._words = self._join(self._variables, worktree)
        path = self._variables.get(b"PATH")
        self._path = self._folders(os.defpath if path is None else os.fsdecode(path))

    def search_path(self, extra: Mapping[str, str]) -> tuple[str, ...]:
        """The directories of PATH, in the environment that a call with `extra` has.

        Relative and empty entries are left out, and those that lie in the worktree but for
        the system's own.
        """
        return self._folders(extra["PATH"]) if "PATH" in extra else self._path

    def words(self, mark: bytes, cwd: str, extra: Mapping[str, str]) -> tuple[bytes, ...]:
        """The environment of one call: the snapshot, `extra` over it, PWD and the mark."""
        if not extra and cwd == self._worktree:
            return (*self._words, mark)
        variables = dict(self._variables)
        for name, value in extra.items():
            variables[os.fsencode(name)] = os.fsencode(value)
        return (*self._join(variables, cwd), mark)

    def _folders(self, path: str) -> tuple[str, ...]:
        return tuple(
            [
                entry
                for entry in path.split(os.pathsep)
                if os.path.isabs(entry) and self._is_trusted(os.path.realpath(entry))
            ]
        )

    def _is_trusted(self, folder: str) -> bool:
        # Beneath a worktree that is the root directory lies every program there is.
        if self._worktree == "/" or folder in _OF_THE_SYSTEM:
            return True
        return not f"{folder}/".startswith(f"{self._worktree}/")

    @staticmethod
    def _join(variables: Mapping[bytes, bytes], cwd: str) -> tuple[bytes, ...]:
        words = [name + b"=" + value for name, value in variables.items()]
        if b"PWD" not in variables:
            words.append(b"PWD=" + os.fsencode(cwd))
        return tuple(words)
