"""The words of ``agent-exec run``, read without typer.

To import typer and have it convert one option takes longer (0.14 s with 0.29, which loads
pydantic for it) than all the rest of a short call. Whatever is not plain here (an
abbreviation, ``--help``, a mistake) is None, and typer reads it, and words the message.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.named_tuple import NamedTuple

_WITH_VALUE = {
    "-p": "policy",
    "--policy": "policy",
    "-w": "worktree",
    "--worktree": "worktree",
    "--cwd": "cwd",
    "--timeout": "timeout",
    "--launcher": "launcher",
    "-c": "command",
    "--command": "command",
}
_FLAGS = {"--json": "as_json", "-q": "quiet", "--quiet": "quiet"}


class RunOptions(NamedTuple):
    """What ``agent-exec run`` was asked to do."""

    argv: tuple[str, ...] = ()
    command: str | None = None
    """Shell text instead of `argv`."""
    policy: str = "default"
    worktree: str = "."
    cwd: str | None = None
    """Where the command works; None is the worktree."""
    as_json: bool = False
    quiet: bool = False
    """Do not say how a text was run."""
    timeout_s: float | None = None
    launcher: str = "auto"


def read_run(words: Sequence[str]) -> RunOptions | None:
    """The options of ``run [OPTIONS] (-- ARGV... | -c TEXT)``; None when it is for typer to say."""
    if not words or words[0] != "run" or not {"--", "-c", "--command"}.intersection(words):
        return None
    end = words.index("--") if "--" in words else len(words)
    argv, before = tuple(words[end + 1 :]), iter(words[1:end])
    values: dict[str, str] = {}
    flags: set[str] = set()
    for word in before:
        if word in _FLAGS:
            flags.add(_FLAGS[word])
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in _WITH_VALUE:
            return None
        given = value if equals else next(before, None)
        if given is None:
            return None
        values[_WITH_VALUE[name]] = given
    timeout = values.pop("timeout", None)
    try:
        timeout_s = None if timeout is None else float(timeout)
    except ValueError:
        return None
    if bool(argv) is ("command" in values):
        return None
    as_json, quiet = "as_json" in flags, "quiet" in flags
    return RunOptions(argv=argv, timeout_s=timeout_s, as_json=as_json, quiet=quiet, **values)
