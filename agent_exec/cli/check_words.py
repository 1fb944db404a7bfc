"""The words of ``agent-exec check``, read without typer; see `agent_exec.cli.run_words`."""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.named_tuple import NamedTuple

_WITH_VALUE = {
    "-p": "policy",
    "--policy": "policy",
    "-w": "worktree",
    "--worktree": "worktree",
    "-c": "command",
    "--command": "command",
    "--batch": "batch",
}


class CheckOptions(NamedTuple):
    """What ``agent-exec check`` was asked to do."""

    argv: tuple[str, ...] = ()
    command: str | None = None
    batch: str | None = None
    """A file of JSON lines, ``-`` for our input."""
    policy: str = "default"
    worktree: str = "."
    as_json: bool = False


def read_check(words: Sequence[str]) -> CheckOptions | None:
    """The options of ``check``; None when it is for typer to say."""
    if not words or words[0] != "check":
        return None
    end = words.index("--") if "--" in words else len(words)
    argv, before = tuple(words[end + 1 :]), iter(words[1:end])
    values: dict[str, str] = {}
    as_json = False
    for word in before:
        if word == "--json":
            as_json = True
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in _WITH_VALUE:
            return None
        given = value if equals else next(before, None)
        if given is None:
            return None
        values[_WITH_VALUE[name]] = given
    if bool(argv) + ("command" in values) + ("batch" in values) != 1:
        return None
    return CheckOptions(argv=argv, as_json=as_json, **values)
