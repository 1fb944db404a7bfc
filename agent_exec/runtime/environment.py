"""The environment of the children of one tool."""

from __future__ import annotations

import os
from collections.abc import Mapping

from agent_exec.errors import InvalidCall

MARK = "AGENT_EXEC_CALL"
"""The variable by which descendants of a call are found; its value is the call's id."""


class ChildEnvironment:
    """A snapshot of an environment, as words that are made once and not per call.

    Args:
        variables: ``os.environb``, as a rule. Copied: later changes of it are not seen.
        worktree: The PWD of calls that name no other directory.
    """

    def __init__(self, variables: Mapping[bytes, bytes], worktree: str) -> None:
        self._variables = {
            name: value
            for name, value in variables.items()
            if name not in {b"PWD", b"OLDPWD", os.fsencode(MARK)}
        }
        self._worktree = worktree
        self._words = self._join(self._variables, worktree)
        path = os.fsdecode(self._variables.get(b"PATH", os.fsencode(os.defpath)))
        self.path = tuple([entry for entry in path.split(os.pathsep) if os.path.isabs(entry)])
        """Where programs are looked up; relative and empty entries are left out."""

    def words(self, mark: bytes, cwd: str, extra: Mapping[str, str]) -> tuple[bytes, ...]:
        """The environment of one call: the snapshot, `extra` over it, PWD and the mark.

        Raises:
            InvalidCall: A name is empty or holds ``=``, or a NUL is in a name or value.
        """
        if not extra and cwd == self._worktree:
            return (*self._words, mark)
        variables = dict(self._variables)
        for name, value in extra.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise InvalidCall(f"env: {name!r} cannot be a variable with that name and value")
            variables[os.fsencode(name)] = os.fsencode(value)
        return (*self._join(variables, cwd), mark)

    @staticmethod
    def _join(variables: Mapping[bytes, bytes], cwd: str) -> tuple[bytes, ...]:
        words = [name + b"=" + value for name, value in variables.items()]
        if b"PWD" not in variables:
            words.append(b"PWD=" + os.fsencode(cwd))
        return tuple(words)
