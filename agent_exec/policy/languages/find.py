"""find(1) of GNU findutils: starting points, tests, actions, and the commands of -exec.

Understood: all that 4.9 documents. ``{}`` in an inner command is taken for the starting points
that its file lies beneath, and marked as a word that stands for names. A predicate that is
not listed here is unknown. Source: the findutils manual; `find_parser` in find/parser.c.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.meaning import Inner, Meaning, on
from agent_exec.regex import regex

_NO_VALUE = frozenset(
    {
        *("-daystart", "-depth", "-d", "-ignore_readdir_race", "-noignore_readdir_race"),
        *("-mount", "-xdev", "-noleaf", "-nowarn", "-warn", "-help", "--help", "-version"),
        *("--version", "-empty", "-executable", "-false", "-true", "-nogroup", "-nouser"),
        *("-readable", "-writable", "-ls", "-print", "-print0", "-prune", "-quit"),
        *("-a", "-and", "-o", "-or", "-not", "!", "(", ")", ","),
    }
)
_DATA = frozenset(
    {
        *("-maxdepth", "-mindepth", "-amin", "-atime", "-cmin", "-ctime", "-mmin", "-mtime"),
        *("-fstype", "-gid", "-group", "-uid", "-user", "-used", "-inum", "-links", "-size"),
        *("-name", "-iname", "-lname", "-ilname", "-path", "-ipath", "-wholename"),
        *("-iwholename", "-regex", "-iregex", "-regextype", "-perm", "-type", "-xtype"),
        *("-context", "-printf"),
    }
)
_READ = frozenset({"-newer", "-anewer", "-cnewer", "-samefile"})
_WRITE = frozenset({"-fprint", "-fprint0", "-fls", "-fprintf"})
_RUN = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_NEWER = regex(r"-newer[aBcm][aBcmt]")
_NAME = "{}"
_PLAIN_OPTION = regex(r"-[A-Za-z]?[0-9]*|--[a-z-]+")
# Whatever their words are, they only print them.
_PRINTS = frozenset({"echo", "printf", "/bin/echo", "/usr/bin/echo"})


def find(argv: Sequence[str], patterns: frozenset[int], _names: tuple[str, ...] | None) -> Meaning:
    """What a find command does, its inner commands among it."""
    return _Find(argv, patterns).meaning()


class _Find:
    def __init__(self, argv: Sequence[str], patterns: frozenset[int]) -> None:
        self._argv = argv
        self._patterns = patterns
        self._at = 1
        self._starts: list[str] = []
        self._starts_known = True
        self._effects: list[Effect] = []
        self._inner: list[Inner] = []
        self._runs: list[tuple[str, tuple[int, ...], bool]] = []
        self._deletes = False
        self._follows = False

    def meaning(self) -> Meaning:
        self._options()
        self._starting_points()
        while self._at < len(self._argv):
            self._predicate()
        starts = self._starts or (["."] if self._starts_known else [])
        for start in starts:
            self._effects += on(EffectKind.READ, start, "a starting point")
            if self._deletes:
                self._effects += on(EffectKind.DELETE, start, "-delete")
        if not self._starts_known:
            self._do(EffectKind.READ, None, "starting points that a file names")
            if self._deletes:
                self._do(EffectKind.DELETE, None, "-delete")
        for action, words, many in self._runs:
            self._run(action, words, starts, many=many)
        names = any(_NAME in self._argv[at] for _, words, _ in self._runs for at in words)
        closed = tuple(starts) if self._follows or names else ()
        return Meaning(tuple(self._effects), tuple(self._inner), closed=closed)

    def _options(self) -> None:
        while self._at < len(self._argv):
            word = self._argv[self._at]
            if word == "-L":
                self._follows = True
            elif word == "-D":
                self._at += 1
            elif word not in ("-H", "-P", "--") and not re.fullmatch(r"-O[0-9]", word):
                return
            self._at += 1

    def _starting_points(self) -> None:
        while self._at < len(self._argv) and not _is_expression(self._argv[self._at]):
            word = self._argv[self._at]
            if self._at in self._patterns and (not word or word[0] in "-*?[!(),+"):
                self._unknown(f"{word} may match names that are expressions")
            self._starts.append("./-" if word == "-" else word or ".")
            self._at += 1

    def _predicate(self) -> None:
        word = self._argv[self._at]
        if self._at in self._patterns:
            self._unknown(f"a glob in an expression: {word}")
        self._at += 1
        if word in _NO_VALUE:
            return
        if word in _DATA:
            self._value(word)
        elif word in _READ:
            self._do(EffectKind.READ, self._value(word), word)
        elif _NEWER.fullmatch(word):
            value = self._value(word)
            if not word.endswith("t"):
                self._do(EffectKind.READ, value, word)
        elif word == "-follow":
            self._follows = True
        elif word == "-delete":
            self._deletes = True
        elif word in _WRITE:
            self._do(EffectKind.WRITE, self._value(word), word)
            if word == "-fprintf":
                self._value(word)
        elif word == "-files0-from":
            self._do(EffectKind.READ, self._value(word), word)
            self._starts_known = False
        elif word in _RUN:
            self._action(word)
        else:
            self._unknown(f"nobody has said what {word} does")

    def _value(self, predicate: str) -> str | None:
        if self._at == len(self._argv):
            self._unknown(f"{predicate} without its value")
            return None
        if self._at in self._patterns:
            self._unknown(f"a glob is the value of {predicate}")
        word = self._argv[self._at]
        self._at += 1
        return word

    def _action(self, action: str) -> None:
        """Words up to ``;``, or for -exec and -execdir up to ``{} +``."""
        begin = self._at
        for at in range(begin, len(self._argv)):
            word = self._argv[at]
            many = word == "+" and at > begin and self._argv[at - 1] == _NAME
            if word == ";" or (many and action in ("-exec", "-execdir")):
                self._at = at + 1
                self._runs.append((action, tuple(range(begin, at)), many))
                return
        self._at = len(self._argv)
        self._unknown(f"{action} without its end")

    def _run(
        self, action: str, words: tuple[int, ...], starts: Sequence[str], *, many: bool
    ) -> None:
        argv = [self._argv[index] for index in words]
        globs = {place for place, index in enumerate(words) if index in self._patterns}
        if not argv or not argv[0]:
            self._unknown(f"{action} without a command")
            return
        if _NAME in argv[0] or 0 in globs:
            for start in starts:
                self._do(EffectKind.EXECUTE, start, f"{action} runs what it finds")
            self._do(EffectKind.EXECUTE, None, f"{action} runs what it finds")
            return
        if not self._starts_known:
            self._unknown(f"{action} on files that nobody has named")
        if not _safely_placed(argv):
            self._unknown(f"{_NAME} stands inside another word of {action}")
        if action.endswith("dir"):
            self._add_in_folders(action, argv, globs, starts, many=many)
        elif many:
            self._add([*argv[:-1], *starts], {*globs, *_last(argv, len(starts))}, None)
        elif not any(_NAME in word for word in argv):
            self._add(argv, globs, None)
        else:
            for start in starts:
                self._add_named(argv, globs, start, None)

    def _add_in_folders(
        self, action: str, argv: list[str], globs: set[int], starts: Sequence[str], *, many: bool
    ) -> None:
        """The directory of a file: where a starting point lies, or any beneath it."""
        if any(".." in start.split("/") for start in starts):
            self._unknown(f"{action} where nobody has named the directory")
        if not all(word == _NAME or _PLAIN_OPTION.fullmatch(word) for word in argv[1:]):
            self._unknown(f"words of {action} that may name files of any directory")
        if many:
            globs = {*globs, len(argv) - 1}
        for start in starts:
            folder, _, name = start.rstrip("/").rpartition("/")
            self._add_named(argv, globs, name or ".", folder or ("/" if start[0] == "/" else "."))
            self._add_named(argv, globs, ".", start)

    def _add_named(self, argv: list[str], globs: set[int], name: str, cwd: str | None) -> None:
        """All that a word with a found name may name lies beneath `name`."""
        marked = {place for place, word in enumerate(argv) if _NAME in word}
        words = [name if word.startswith(_NAME) else word.replace(_NAME, name) for word in argv]
        self._add(words, globs | marked, cwd)

    def _add(self, argv: list[str], marked: set[int], cwd: str | None) -> None:
        self._inner.append(Inner(tuple(argv), frozenset(marked), cwd=cwd))

    def _do(self, kind: EffectKind, path: str | None, because: str) -> None:
        if path == "-":
            path = "./-"
        self._effects += on(kind, path, because)

    def _unknown(self, because: str) -> None:
        self._effects.append(Effect(EffectKind.UNKNOWN, because=because))


def _is_expression(word: str) -> bool:
    if word.startswith("-"):
        return len(word) > 1
    return word in ("(", ")", "!", ",")


def _is_below(word: str) -> bool:
    """``{}/x``: a file in a directory that is found."""
    rest = word.removeprefix(f"{_NAME}/")
    return rest != word and _NAME not in rest and ".." not in rest.split("/")


def _safely_placed(argv: Sequence[str]) -> bool:
    if argv[0] in _PRINTS:
        return True
    return all(word == _NAME or _NAME not in word or _is_below(word) for word in argv)


def _last(argv: Sequence[str], n_names: int) -> range:
    """Places of the names that follow in place of the last word."""
    return range(len(argv) - 1, len(argv) - 1 + n_names)
