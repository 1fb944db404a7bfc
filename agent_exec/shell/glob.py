"""Patterns to file names, as bash matches them with all its options off.

Names that begin with a dot match only a dot that is written; nothing matches a slash; a
pattern that matches nothing is left as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex
from agent_exec.shell.directories import of_each_process
from agent_exec.shell.expand import Field, Scope
from agent_exec.shell.names import is_utf8, sorts_by_bytes
from agent_exec.shell.needs_bash import NeedsBash

# Of the many paths that `*/*/*` can have: more than fit an argument vector.
_MOST_PATHS = 1_000_000
_LONGEST = 4096  # PATH_MAX
_STARS = regex(r"\*+")
_IN_BRACKETS = regex(r"[!^]?(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_.,=%@+~ ])+-?")
_RANGE = regex(r"([A-Za-z0-9])-([A-Za-z0-9])")

_Pieces = list[tuple[str, bool]]


class Files(Protocol):
    """What there is, seen from the directory of a command. Nothing here raises."""

    def names(self, folder: str) -> Sequence[str]:
        """What `folder` holds but ``.`` and ``..``; empty if it cannot be read.

        An empty `folder` is the directory itself.
        """
        ...

    def exists(self, path: str) -> bool:
        """Is there anything of that name, be it a link to nothing?"""
        ...

    def is_folder(self, path: str) -> bool:
        """Is it a directory, or a link to one?"""
        ...


class _Part(NamedTuple):
    """What stands between two slashes: a name, or a pattern of names."""

    name: str
    pattern: re.Pattern[str] | None


def check_patterns(fields: Sequence[Field], scope: Scope) -> None:
    """Refuse, before anything starts, what `expand_pattern` could not do.

    Raises:
        NeedsBash: A pattern of which bash's reading is not known to the letter, or a
            locale in which names are sorted by other rules than their bytes.
    """
    for field in fields:
        if field.is_pattern:
            if len(field.text) > _LONGEST:
                raise NeedsBash("a pattern longer than a path", 0)
            if not sorts_by_bytes(scope.variables):
                raise NeedsBash("a pattern, in a locale that sorts names by its own rules", 0)
            parts = _parts(field)
            above = [part.name for part in takewhile(lambda part: part.pattern is None, parts)]
            if of_each_process(scope.cwd, "/".join([*above, ""])):
                raise NeedsBash("a pattern of files that are others for each process", 0)


def expand_pattern(field: Field, files: Files, scope: Scope) -> list[str]:
    """The words that a field becomes: the paths that match, sorted by their bytes, or itself.

    Raises:
        NeedsBash: As `check_patterns`.
    """
    if not field.is_pattern:
        return [field.text]
    check_patterns([field], scope)
    parts = _parts(field)
    characters = is_utf8(scope.variables)
    paths = [""]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        paths = [
            path + name + ("" if last else "/")
            for path in paths
            for name in _names(part, path, files, characters=characters, last=last)
        ]
        if len(paths) > _MOST_PATHS:
            raise NeedsBash("a pattern that matches very many paths", 0)
    return sorted(paths, key=_bytes) or [field.text]


def _names(
    part: _Part, folder: str, files: Files, *, characters: bool, last: bool
) -> Sequence[str]:
    """The names of one part beneath `folder`, which is empty or ends in a slash."""
    if part.pattern is not None:
        found = [
            name
            for name in files.names(folder)
            if _matches(part.pattern, name, characters=characters)
            and (last or files.is_folder(folder + name))
        ]
    elif not last:
        found = [part.name]
    else:
        path = folder + part.name
        exists = files.exists(path) if part.name else files.is_folder(path)
        found = [part.name] if exists else []
    return found


def _matches(pattern: re.Pattern[str], name: str, *, characters: bool) -> bool:
    if not name.isascii():
        octets = _bytes(name)
        if not characters or not _is_text(octets):
            name = octets.decode("latin-1")
    return pattern.fullmatch(name) is not None


def _is_text(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _parts(field: Field) -> list[_Part]:
    """The parts of a pattern, an empty one before a leading slash and after a trailing one."""
    parts: list[_Part] = []
    for written in _split(field):
        name = "".join([text for text, _ in written])
        pieces = _with_plain_brackets(written, name)
        seen = "".join([text for text, pattern in pieces if pattern])
        if not any(char in seen for char in "*?["):
            parts.append(_Part(name, None))
        else:
            if not name.isascii():
                raise NeedsBash("a pattern with characters beyond ASCII", 0)
            parts.append(_Part(name, _compiled(pieces)))
    patterns = (index for index, part in enumerate(parts) if part.pattern is not None)
    if any(part.name == "" for part in parts[next(patterns, len(parts)) : -1]):
        raise NeedsBash("two slashes behind a pattern", 0)
    return parts


def _with_plain_brackets(pieces: _Pieces, name: str) -> _Pieces:
    """`pieces` of `name`, in which a bracket stands for itself where nothing closes it."""
    if "[" not in name or "]" in name[name.find("[") :]:
        return pieces
    return [
        (part, pattern and part != "[")
        for text, pattern in pieces
        for part in re.split(r"(\[)", text)
    ]


def _split(field: Field) -> list[_Pieces]:
    parts: list[_Pieces] = [[]]
    for text, pattern in field.pieces:
        first, *others = text.split("/")
        parts[-1].append((first, pattern))
        parts += [[(other, pattern)] for other in others]
    return parts


def _compiled(pieces: _Pieces) -> re.Pattern[str]:
    runs: list[list[str]] = [[]]
    for text, pattern in pieces:
        if pattern:
            first, *others = (_translated(run) for run in _STARS.split(text))
            runs[-1] += first
            runs += others
        else:
            runs[-1].append(re.escape(text))
    head, *rest = ("".join(run) for run in runs)
    expression = head
    if rest:
        # Atomic: the earliest match of each run is as good as any, so none is tried again.
        between = "".join(f"(?>.*?{run})" for run in rest[:-1])
        expression = f"{head}{between}.*{rest[-1]}"
    if next((text for text, _ in pieces if text), "").startswith("."):
        compiled = re.compile(expression, re.DOTALL)
        # Whether .* is also . and .. depends on the release of bash.
        if compiled.fullmatch(".") or compiled.fullmatch(".."):
            raise NeedsBash("a pattern that . and .. match", 0)
        return compiled
    return re.compile(rf"(?!\.){expression}", re.DOTALL)


def _translated(text: str) -> list[str]:
    """Unquoted text of one part, without stars, as parts of a regular expression."""
    made: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "?":
            made.append(".")
        elif char == "[":
            end = text.find("]", at)
            simple = end > 0 and _IN_BRACKETS.fullmatch(text, at, end)
            if not simple or any(low > high for low, high in _RANGE.findall(text, at, end)):
                raise NeedsBash("a bracket in a pattern that is not simple", 0)
            made.append(_set(text[at:end]))
            at = end + 1
        elif char == "\\":
            raise NeedsBash("a backslash in a pattern", 0)
        else:
            made.append(re.escape(char))
    return made


def _set(text: str) -> str:
    negated = text[0] in "!^"
    members = text[1:] if negated else text
    escaped = re.sub(r"([^A-Za-z0-9-])", r"\\\1", members.removesuffix("-"))
    dash = r"\-" if members.endswith("-") else ""
    return f"[{'^' if negated else ''}{escaped}{dash}]"
