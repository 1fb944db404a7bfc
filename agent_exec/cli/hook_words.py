"""The words of ``agent-exec hook claude-code``, read without typer; see `run_words`."""

from __future__ import annotations

from collections.abc import Sequence

_WITH_VALUE = frozenset({"--policy", "-p", "--worktree", "-w"})


def read_hook(words: Sequence[str]) -> dict[str, str | bool] | None:
    """The options, by their names in `HookOptions`; None when it is for typer to say."""
    if list(words[:2]) != ["hook", "claude-code"]:
        return None
    options: dict[str, str | bool] = {}
    rest = iter(words[2:])
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word == "--start-daemon":
            options["start"] = True
        elif name in _WITH_VALUE:
            given = value if equals else next(rest, None)
            if given is None:
                return None
            options["policy" if name in ("--policy", "-p") else "worktree"] = given
        else:
            return None
    return options
