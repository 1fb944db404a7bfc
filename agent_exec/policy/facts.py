"""What a decision rests on besides the words of a call; `look` finds it out."""

from __future__ import annotations

from collections.abc import Mapping

from agent_exec.named_tuple import NamedTuple


class Program(NamedTuple):
    """What the first word of a command names."""

    path: str
    """Absolute, as found."""
    real: str
    """Without links."""
    distrusted: str | None
    """Why it need not be the program that its name says; None: it is."""


class GitFacts(NamedTuple):
    """What the configuration of a repository sets."""

    keys: tuple[str, ...]
    problem: str | None
    """Why a command that only reads may run something there; None: hardened, it does not."""


class Facts(NamedTuple):
    """Of one call, at one moment. Goes into the log, so that a decision can be made again."""

    paths: Mapping[str, tuple[str, ...]]
    """Absolute, as commands name them -> without links, as far as they exist. One that is a
    pattern stands for every file that it matches. Empty: too many, or none can be named."""
    entries: Mapping[str, tuple[str, ...]]
    """The same of what is removed: a link itself, not what it leads to."""
    programs: Mapping[str, Program | None]
    """By `program_key`; None: there is none."""
    plain: Mapping[str, bool]
    """Directory, as `paths` has it -> no name beneath it has blanks, quotes or backslashes."""
    links: Mapping[str, tuple[str, ...]]
    """Directory, as `paths` has it -> itself without links, then where the links beneath it
    lead, but for those that stay beneath. Empty: there are too many names to look at."""
    git: Mapping[str, GitFacts]
    """By the directory where a git command works, as `paths` has it."""


def program_key(name: str, cwd: str) -> str:
    """One that is named by a path depends on where the command works."""
    return f"{cwd}\0{name}" if "/" in name else name


def absolute(path: str, cwd: str) -> str:
    """As `Facts` has it: `path` as it was named, made absolute, dots and links kept."""
    return path if path.startswith("/") else f"{cwd.rstrip('/')}/{path}"
