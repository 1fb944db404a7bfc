"""What an approval rests on: the call, and the files that decide what it does."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Ruling
from agent_exec.model.effect import EffectKind
from agent_exec.model.request import ExecRequest

# How it is shown, and how long it may take, is no part of what runs.
_NOT_WHAT_RUNS = frozenset(
    {"justification", "timeout_s", "keep", "output_bytes", "keep_output", "background"}
)
# Read by programs that run what stands in them, whichever of them does.
_BUILD_FILES = (
    *("Makefile", "GNUmakefile", "makefile", "justfile", "Rakefile", "Gemfile", "CMakeLists.txt"),
    *("package.json", "Cargo.toml", "build.rs", "go.mod", "pom.xml", "build.gradle"),
    *("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "conftest.py"),
)
_MOST_BYTES = 64 * 1024 * 1024


class Basis(NamedTuple):
    """Equal ones stand for the same: the same call, doing the same, with the same files."""

    call: Mapping[str, Any]
    """As `ToolCall.to_json`, without what only concerns how it is shown."""
    cwd: str
    """Absolute, without links."""
    programs: Mapping[str, str]
    """Absolute path -> which file that is."""
    code: Mapping[str, str]
    """Files in the worktree that the call runs: absolute path -> digest."""
    effects: tuple[Mapping[str, Any], ...]
    """Of every command, in order."""
    unnamed: bool
    """It runs code that nobody can name beforehand."""

    def to_json(self) -> dict[str, Any]:
        """As it is remembered."""
        return {
            "call": dict(self.call),
            "cwd": self.cwd,
            "programs": dict(self.programs),
            "code": dict(self.code),
            "effects": [dict(effect) for effect in self.effects],
        }

    def digest(self) -> str:
        """The same for equal ones only."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def basis_of(request: ExecRequest, decision: Decision, worktree: str, shell: str) -> Basis:
    """Look at the files that `decision` rests on, as they are now.

    Args:
        request: What was decided on.
        decision: On it.
        worktree: Absolute, without links.
        shell: The program of a text that needs one.
    """
    programs = [ruling.program for ruling in decision.commands if ruling.program is not None]
    if request.needs_shell is not None:
        programs.append(shell)
    code: dict[str, str] = {}
    unnamed = False
    for ruling in decision.commands:
        for path in _executed(ruling, request.cwd):
            if path is None or os.path.isdir(path):
                unnamed = True
                code.update(_digests(_build_files(request.cwd, worktree), worktree))
            else:
                code.update(_digests([path], worktree))
    return Basis(
        _what_runs(request.call),
        request.cwd,
        {program: _identity(program) for program in dict.fromkeys(programs)},
        dict(sorted({**code, **_digests(programs, worktree)}.items())),
        tuple([{**effect} for ruling in decision.commands for effect in _shown(ruling)]),
        unnamed,
    )


def _what_runs(call: ToolCall) -> dict[str, Any]:
    handed_on = isinstance(call.stdin, int)
    plain = call._replace(stdin=None if handed_on else call.stdin, stdout=None, stderr=None)
    shown = {key: value for key, value in plain.to_json().items() if key not in _NOT_WHAT_RUNS}
    if handed_on:
        # Whatever comes of it is data: who runs it has an effect of its own, without a name.
        shown["stdin"] = "a descriptor"
    elif isinstance(shown.get("stdin"), str):
        text = str(shown.pop("stdin"))
        shown["stdin_sha256"] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return shown


def _shown(ruling: Ruling) -> list[Mapping[str, Any]]:
    effects: Any = ruling.to_json()["effects"]
    return [{**effect, "of": list(ruling.argv)} for effect in effects]


def _executed(ruling: Ruling, cwd: str) -> Iterator[str | None]:
    """Paths of what a command runs; a directory is any code in it, None is any at all."""
    for effect in ruling.effects:
        if effect.kind is EffectKind.EXECUTE and effect.argv is None:
            yield None if effect.path is None else os.path.join(cwd, effect.path)


def _build_files(cwd: str, worktree: str) -> list[str]:
    return [
        path
        for folder in dict.fromkeys([cwd, worktree])
        for name in _BUILD_FILES
        if os.path.isfile(path := os.path.join(folder, name))
    ]


def _digests(paths: Iterable[str], worktree: str) -> dict[str, str]:
    """Of those in the worktree; what lies elsewhere is known by its identity or not at all."""
    found = {}
    for path in paths:
        real = os.path.realpath(path)
        if real == worktree or real.startswith(f"{worktree.rstrip('/')}/"):
            found[real] = _digest(real)
    return found


def _digest(path: str) -> str:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                return _identity(path)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _identity(path: str) -> str:
    try:
        seen = os.stat(path)
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return (
        f"{seen.st_dev}:{seen.st_ino} size {seen.st_size} mode {seen.st_mode:o} "
        f"owner {seen.st_uid} changed {seen.st_ctime_ns} modified {seen.st_mtime_ns}"
    )
