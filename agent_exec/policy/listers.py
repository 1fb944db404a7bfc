"""Which pipelines print the names of files, and where those lie."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Source
from agent_exec.regex import regex

_LISTS = frozenset({"find", "fd", "fdfind"})
# Its names begin with what it was told to begin at, even a dot.
_LISTS_BELOW = frozenset({"find"})
_LISTS_WHEN = {
    "rg": frozenset({"-l", "--files-with-matches", "--files", "--files-without-match"}),
    "grep": frozenset({"-l", "--files-with-matches", "-rl", "-lr", "-ril", "-irl", "-rli", "-L"}),
}
# Print some of the lines of their input, unchanged.
_PASSES = frozenset({"head", "tail", "sort", "uniq", "tac", "grep", "rg", "shuf"})
_OTHER_TEXT = frozenset({"-printf", "-ls", "-fprintf", "-exec", "-execdir", "-ok", "-okdir"})
# Print names of the index as they are.
_OF_LS_FILES = frozenset(
    {
        *("ls-files", "--", "-z", "-c", "-m", "-o", "-d", "--cached", "--modified", "--others"),
        *("--deleted", "--exclude-standard", "-co", "-mo"),
    }
)
# Print one column of their input.
_COLUMN = regex(
    r"(?:NR *[=<>]+ *[0-9]+ *)?\{ *print +\$(?:[0-9]+|NF)(?: *, *\$(?:[0-9]+|NF))* *;? *\}"
)
_SHORT = regex(r"-[A-Za-z0-9]+")
_CUT = regex(r"-d ?|-f ?[-0-9,]*|[0-9][-0-9,]*| ")
# What find prints so is names, numbers and times, with blanks and the like between.
_FORMAT = regex(r"(?:%[-+ 0-9.]*(?:[pfPsbkmMniugUGdy]|[TAC][@+A-Za-z])|\\[nt0]|[ \t,:;|_])*")
# Print numbers, hashes and times, and the names that they were given.
_TELL_OF_FILES = frozenset(
    {
        *("ls", "wc", "du", "md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum"),
        *("sha512sum", "b2sum", "cksum", "sum"),
    }
)


def names_listed(pipeline: Sequence[Analysed]) -> tuple[str, ...] | None:
    """Directories beneath which lie all files whose names the last command prints.

    Args:
        pipeline: Commands, of which each may read what the one before it prints.

    Returns:
        None when it may print anything else. A slash at the end of a directory says that its
        name is the beginning of all names beneath it.
    """
    column = False
    for found in reversed(pipeline):
        name = found.name[0] if found.name else ""
        words = found.command.argv[1:]
        if not found.command.certain:
            return None
        if _lists(name, words):
            return _folders(found, name)
        if column and _tells_of_files(name, words):
            # The column may be a name without its directory, or no name at all.
            folders = _folders(found, name)
            return None if folders is None else (*folders, ".")
        if _takes_column(name, words) and found.command.stdin is Source.PIPE:
            column = True
            continue
        reads = any(effect.kind is EffectKind.READ for effect in found.effects)
        if name not in _PASSES or reads or found.command.stdin is not Source.PIPE:
            return None
        if _changes_lines(name, words):
            return None
    return None


def _folders(found: Analysed, name: str) -> tuple[str, ...] | None:
    effects = [effect for effect in found.effects if effect.argv is None]
    paths = [effect.path for effect in effects if effect.kind is EffectKind.READ]
    known = tuple(_beneath(path, name) for path in paths if path is not None)
    return known if known and len(known) == len(effects) else None


def _takes_column(name: str, words: Sequence[str]) -> bool:
    if name == "awk":
        return len(words) == 1 and _COLUMN.fullmatch(words[0]) is not None
    return name == "cut" and all(map(_CUT.fullmatch, words))


def _tells_of_files(name: str, words: Sequence[str]) -> bool:
    """Does it print names that it was given, and nothing else that could be a path?"""
    if name != "find":
        return _tells_only(name, words)
    for at, word in enumerate(words):
        if word in ("-printf", "-fprintf") and not all(map(_FORMAT.fullmatch, words[at + 1 :][:1])):
            return False
        if word in ("-exec", "-execdir", "-ok", "-okdir"):
            inner = list(takewhile(lambda each: each not in (";", "+"), words[at + 1 :]))
            given = [each for each in inner[1:] if each != "{}"]
            program = inner[0] if inner else ""
            if not _tells_only(program, given) or not all(map(_SHORT.fullmatch, given)):
                return False
    return True


def _tells_only(name: str, words: Sequence[str]) -> bool:
    # A long option may say what to print instead; two dots are a directory that lies above.
    if any(word.startswith("--") for word in words):
        return False
    hidden = any(word.startswith("-") and set(word) & {"a", "f"} for word in words)
    return name in _TELL_OF_FILES and not (name == "ls" and hidden)


def _beneath(path: str, name: str) -> str:
    """With a slash at the end where every name begins with `path`, and so with no dash."""
    by_itself = path == "." and name not in _LISTS_BELOW
    return path if by_itself or path.startswith(("-", "*", "?", "[")) else f"{path.rstrip('/')}/"


def _lists(name: str, words: Sequence[str]) -> bool:
    if name in _LISTS:
        return _OTHER_TEXT.isdisjoint(words)
    if name == "git":
        return words[:1] == ("ls-files",) and _OF_LS_FILES.issuperset(
            word for word in words if word.startswith("-")
        )
    if name == "grep" and any(word.startswith("--la") for word in words):
        return False  # --label is printed in place of a name
    return not _LISTS_WHEN.get(name, frozenset()).isdisjoint(words)


def _changes_lines(name: str, words: Sequence[str]) -> bool:
    """Does a filter print more than whole lines: counts, numbers, names of its own?"""
    if name == "uniq":
        return any(word.startswith("-") for word in words)
    if name in ("grep", "rg"):
        options = [word for word in words if word.startswith("-")]
        harmless = {"-v", "-i", "-E", "-F", "-e", "-w", "-x", "-iv", "-vi", "-vE", "-Ev", "-iE"}
        return not harmless.issuperset(options)
    if name in ("head", "tail"):
        return any(word.startswith(("-c", "--bytes", "-v", "--verbose")) for word in words)
    return False
