"""Which pipelines print the names of files, and where those lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Source

_LISTS = frozenset({"find", "fd", "fdfind"})
# Its names begin with what it was told to begin at, even a dot.
_LISTS_BELOW = frozenset({"find"})
_LISTS_WHEN = {
    "rg": frozenset({"-l", "--files-with-matches", "--files", "--files-without-match"}),
    "grep": frozenset({"-l", "--files-with-matches", "-rl", "-lr", "-ril", "-irl", "-rli", "-L"}),
    "git": frozenset({"ls-files"}),
}
# Print some of the lines of their input, unchanged.
_PASSES = frozenset({"head", "tail", "sort", "uniq", "tac", "grep", "rg", "shuf"})
_OTHER_TEXT = frozenset({"-printf", "-ls", "-fprintf", "-exec", "-execdir", "-ok", "-okdir"})


def names_listed(pipeline: Iterable[Analysed]) -> tuple[str, ...] | None:
    """Directories beneath which lie all files whose names the first of `pipeline` prints.

    Args:
        pipeline: Commands, the last first; each may read what the one after it here prints.

    Returns:
        None when it may print anything else. A slash at the end of a directory says that its
        name is the beginning of all names beneath it.
    """
    for found in pipeline:
        name = found.name[0] if found.name else ""
        words = found.command.argv[1:]
        if found.command.certain and _lists(name, words):
            paths = [effect.path for effect in found.effects if effect.kind is EffectKind.READ]
            known = tuple(_beneath(path, name) for path in paths if path is not None)
            return known if known and len(known) == len(paths) else None
        reads = any(effect.kind is EffectKind.READ for effect in found.effects)
        if name not in _PASSES or reads or found.command.stdin is not Source.PIPE:
            return None
        if _changes_lines(name, words):
            return None
    return None


def _beneath(path: str, name: str) -> str:
    """With a slash at the end where every name begins with `path`, and so with no dash."""
    by_itself = path == "." and name not in _LISTS_BELOW
    return path if by_itself or path.startswith(("-", "*", "?", "[")) else f"{path.rstrip('/')}/"


def _lists(name: str, words: Sequence[str]) -> bool:
    if name in _LISTS:
        return _OTHER_TEXT.isdisjoint(words)
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
