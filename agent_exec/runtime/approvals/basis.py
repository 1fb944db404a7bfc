"""What an approval rests on: the call, and the files that decide what it does."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from typing import Any

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Ruling
from agent_exec.model.request import ExecRequest
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.paths import is_beneath
from agent_exec.runtime.approvals.code import code_files, interpreters
from agent_exec.runtime.approvals.identity import identity_at

# How it is shown, and how long it may take, is no part of what runs.
_NOT_WHAT_RUNS = frozenset({"justification", "timeout_s", "keep", "output_bytes", "keep_output"})
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
    """Files that the call runs, scripts above all: absolute path -> digest."""
    effects: tuple[Mapping[str, Any], ...]
    """Of every command, in order."""
    unnamed: bool
    """It runs code that nobody can name beforehand."""
    rights: str = ""
    """Digest of what its commands, and a shell that runs them, may do."""

    def to_json(self) -> dict[str, Any]:
        """As it is remembered."""
        return {
            "call": dict(self.call),
            "cwd": self.cwd,
            "programs": dict(self.programs),
            "code": dict(self.code),
            "effects": [dict(effect) for effect in self.effects],
            "rights": self.rights,
        }

    def digest(self) -> str:
        """The same for equal ones only."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return _sha256(text)


def basis_of(request: ExecRequest, decision: Decision, worktree: str, shell: str) -> Basis:
    """Look at the files that `decision` rests on, as they are now.

    Args:
        request: What was decided on.
        decision: On it.
        worktree: Absolute, without links.
        shell: The program of a text that needs one.
    """
    programs = [ruling.program for ruling in decision.commands if ruling.program is not None]
    programs += [each.program for each in request.commands if each.program is not None]
    if request.needs_shell is not None:
        programs.append(shell)
    programs = list(dict.fromkeys(programs))
    for program in tuple(programs):
        programs += interpreters(program, request.cwd)
    files, unnamed = code_files(request, decision, worktree)
    # Programs of the system are known by their identity alone.
    files = [path for path in files if path not in programs]
    files += [path for path in programs if is_beneath(os.path.realpath(path), worktree)]
    return Basis(
        _what_runs(request.call),
        request.cwd,
        {program: identity_at(program) for program in dict.fromkeys(programs)},
        _digests(files),
        tuple([{**effect} for ruling in decision.commands for effect in _shown(ruling)]),
        unnamed,
        _rights(decision),
    )


def _rights(decision: Decision) -> str:
    rights = (decision.rights, *[ruling.rights for ruling in decision.commands])
    return _sha256(repr(rights))


def _what_runs(call: ToolCall) -> dict[str, Any]:
    handed_on = isinstance(call.stdin, int)
    plain = call._replace(stdin=None if handed_on else call.stdin, stdout=None, stderr=None)
    shown = {key: value for key, value in plain.to_json().items() if key not in _NOT_WHAT_RUNS}
    if handed_on:
        # As data; who might run it is not remembered, see `why_not_remembered`.
        shown["stdin"] = "a descriptor"
    elif isinstance(shown.get("stdin"), str):
        text = str(shown.pop("stdin"))
        shown["stdin_sha256"] = _sha256(text)
    return shown


def _shown(ruling: Ruling) -> list[Mapping[str, Any]]:
    effects: Any = ruling.to_json()["effects"]
    return [{**effect, "of": list(ruling.argv), "in": ruling.cwd} for effect in effects]


def _digests(paths: Iterable[str]) -> dict[str, str]:
    real = dict.fromkeys(map(os.path.realpath, paths))
    return {path: _digest(path) for path in sorted(real)}


def _digest(path: str) -> str:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                return identity_at(path)
            import hashlib  # noqa: PLC0415 - see _sha256

            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _sha256(text: str) -> str:
    import hashlib  # noqa: PLC0415 - loads a library for it, and most calls remember nothing

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
