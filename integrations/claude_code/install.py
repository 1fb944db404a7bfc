"""``agent-exec claude-code install`` and ``uninstall``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator

from agent_exec import InvalidCall
from agent_exec.daemon.hook import absolute_policy, own_program
from agent_exec.homes import home
from agent_exec.integrations import installed
from agent_exec.integrations.claude_code.settings import (
    other_rules,
    settings_path,
    take_back,
    with_ours,
)
from agent_exec.named_tuple import NamedTuple

HOST = "claude-code"


class Prepared(NamedTuple):
    """A change that has not been made yet."""

    path: str
    before: bytes | None
    after: bytes

    def diff(self) -> str:
        """For people."""
        old = [] if self.before is None else self.before.decode("utf-8", "replace").splitlines()
        new = self.after.decode("utf-8", "replace").splitlines()
        origin = os.devnull if self.before is None else self.path
        return "\n".join(difflib.unified_diff(old, new, origin, self.path, lineterm=""))

    @property
    def is_none(self) -> bool:
        """It is there already."""
        return self.before == self.after


def prepare(
    *, scope: str, project: str, policy: str, worktree: str | None, start_daemon: bool
) -> Prepared:
    """The entry for `scope`.

    Raises:
        InvalidCall: There is no such scope, or its file cannot be understood.
    """
    project = os.path.abspath(project)
    path = os.path.realpath(settings_path(scope, project, home()))
    words = [*own_program(), "hook", "claude-code", "--policy", absolute_policy(policy, project)]
    if worktree is not None:
        words += ["--worktree", os.path.abspath(worktree)]
    if start_daemon:
        words += ["--start-daemon"]
    before = installed.read_file(path)
    after = with_ours(_text(before, path), words, path)
    return Prepared(path, before, before if before == after.encode() else after.encode())


def install(prepared: Prepared) -> Iterator[str]:
    """Make the change; what there is to say, line by line.

    Raises:
        InvalidCall: It cannot be made.
    """
    if prepared.is_none:
        yield f"{prepared.path} has the hook already"
        return
    installed.record_change(prepared.path, prepared.before, prepared.after, host=HOST)
    yield f"{prepared.path}: Claude Code asks agent_exec before each Bash command"
    if other_rules(prepared.after.decode("utf-8", "replace")):
        yield (
            "its deny and ask rules for Bash may not match a command that runs through "
            "agent-exec; take them over: agent-exec policy import --from claude-code"
        )


def uninstall(*, scope: str, project: str) -> Iterator[str]:
    """Take the entry of `scope` back; what was done, line by line.

    Raises:
        InvalidCall: There is no such scope, or its file cannot be understood or written.
    """
    project = os.path.abspath(project)
    path = os.path.realpath(settings_path(scope, project, home()))
    ours = [one for one in installed.changes(host=HOST) if one.path == path]
    found = False
    for change in reversed(ours):
        if done := installed.undo(change, take_back):
            found = True
            yield done
    if not found:
        yield from _without_record(path)


def _without_record(path: str) -> Iterator[str]:
    """An entry of which the record is gone."""
    before = installed.read_file(path)
    text = _text(before, path)
    # As if there had been no hooks before: an empty list of them means nothing.
    left = take_back(text, b"{}") if text.strip() else text
    if before is None or left is None or left == text:
        yield f"{path} has no hook of ours"
        return
    change = installed.record_change(path, before, left.encode(), host=HOST)
    installed.forget(change)
    yield f"{path} is without our entry"


def _text(content: bytes | None, path: str) -> str:
    try:
        return "" if content is None else content.decode()
    except UnicodeDecodeError:
        raise InvalidCall(f"{path} is no UTF-8") from None
