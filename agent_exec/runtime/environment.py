"""The environment of the children of one tool."""

from __future__ import annotations

import fnmatch
import itertools
import os
from collections.abc import Iterable, Mapping

from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.policy import Policy
from agent_exec.regex import regex

MARK = "AGENT_EXEC_CALL"
"""The variable by which descendants of a call are found; its value is the call's id.

A tool whose own process belongs to a call leaves that call's mark as it is, and marks its
calls by ``AGENT_EXEC_CALL_2``, one below by ``AGENT_EXEC_CALL_3``: so the outer call finds what
the inner ones leave behind.
"""

_MARKS = regex(rf"{MARK}(?:_[0-9]+)?")
_MOST_KEPT = 64
_NOT_INHERITED = frozenset({b"PWD", b"OLDPWD"})
_SYSTEM_FOLDERS = (
    *("/bin", "/sbin", "/usr/bin", "/usr/sbin"),
    *("/usr/local/bin", "/usr/local/sbin"),
)


def is_mark(name: str) -> bool:
    """Whether a variable is the mark of some call."""
    return _MARKS.fullmatch(name) is not None


class SearchPath(NamedTuple):
    """Where programs are looked up by name."""

    folders: tuple[str, ...]
    inside: tuple[str, ...] = ()
    """Directories of PATH that are left out, because they lie in the worktree."""


def policy_environment(policy: Policy, environ: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """What the children of a tool with `policy` get of `environ`, and what it sets for them."""
    inherited = policy.environment.inherit
    marks = (name for name in environ if is_mark(os.fsdecode(name)))
    variables = {
        name: value
        for name, value in environ.items()
        if any(fnmatch.fnmatchcase(os.fsdecode(name), each) for each in inherited)
    }
    variables.update({name: environ[name] for name in marks})
    variables[b"PATH"] = os.fsencode(os.pathsep.join(policy.path))
    for name, value in policy.environment.set:
        variables[os.fsencode(name)] = os.fsencode(value)
    return variables


class ChildEnvironment:
    """A snapshot of an environment, as words that are made once and not per call.

    Args:
        variables: ``os.environb``, as a rule. Copied: later changes of it are not seen.
        worktree: The PWD of calls that name no other directory; programs are not looked
            up beneath it. Without links.
    """

    def __init__(self, variables: Mapping[bytes, bytes], worktree: str) -> None:
        self._variables = {
            name: value for name, value in variables.items() if name not in _NOT_INHERITED
        }
        self._text = {os.fsdecode(name): os.fsdecode(v) for name, v in self._variables.items()}
        self._worktree = worktree
        self._mark = _free_mark(variables)
        self._words = self._join(self._variables, worktree)
        # Of calls that set nothing themselves: git's hardening is dozens of variables.
        self._kept: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[bytes, ...]] = {}
        path = self._variables.get(b"PATH")
        self._path = self._split(os.defpath if path is None else os.fsdecode(path))

    def mark(self, id_: str) -> bytes:
        """The word by which the descendants of the call `id_` are found."""
        return f"{self._mark}={id_}".encode()

    def search_path(self, extra: Mapping[str, str]) -> SearchPath:
        """The directories of PATH, in the environment that a call with `extra` has.

        Relative and empty entries are left out, and those that lie in the worktree, so that
        a repository does not choose the program. In a worktree that itself holds a program
        directory of the system (``/``, ``/usr``) none are: who could plant a program there
        could replace the system's.
        """
        return self._split(extra["PATH"]) if "PATH" in extra else self._path

    def variables(self, cwd: str) -> dict[str, str]:
        """The environment of a call that works in `cwd` and sets nothing, but for its mark."""
        return {"PWD": cwd, **self._text}

    def words(
        self,
        cwd: str,
        extra: Mapping[str, str],
        hardening: tuple[tuple[str, str], ...] = (),
    ) -> tuple[bytes, ...]:
        """The environment of one command, but for its mark: the snapshot, `extra` over it, PWD.

        Args:
            cwd: Where it works.
            extra: What the call sets.
            hardening: What the decision sets, over that.
        """
        if extra:
            return self._joined(cwd, (*extra.items(), *hardening))
        if not hardening and cwd == self._worktree:
            return self._words
        words = self._kept.get((cwd, hardening))
        if words is None:
            words = self._joined(cwd, hardening)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[cwd, hardening] = words
        return words

    def _joined(self, cwd: str, extra: Iterable[tuple[str, str]]) -> tuple[bytes, ...]:
        variables = dict(self._variables)
        for name, value in extra:
            variables[os.fsencode(name)] = os.fsencode(value)
        return self._join(variables, cwd)

    def _split(self, path: str) -> SearchPath:
        folders = [entry for entry in path.split(os.pathsep) if os.path.isabs(entry)]
        inside = [entry for entry in folders if _holds(self._worktree, os.path.realpath(entry))]
        if not inside or _is_system(self._worktree):
            return SearchPath(tuple(folders))
        return SearchPath(tuple([entry for entry in folders if entry not in inside]), tuple(inside))

    @staticmethod
    def _join(variables: Mapping[bytes, bytes], cwd: str) -> tuple[bytes, ...]:
        words = [name + b"=" + value for name, value in variables.items()]
        if b"PWD" not in variables:
            words.append(b"PWD=" + os.fsencode(cwd))
        return tuple(words)


def _free_mark(variables: Mapping[bytes, bytes]) -> str:
    names = itertools.chain([MARK], (f"{MARK}_{level}" for level in itertools.count(2)))
    return next(name for name in names if os.fsencode(name) not in variables)


def _is_system(worktree: str) -> bool:
    return any(_holds(worktree, os.path.realpath(folder)) for folder in _SYSTEM_FOLDERS)


def _holds(worktree: str, folder: str) -> bool:
    return f"{folder}/".startswith(f"{worktree.rstrip('/')}/")
