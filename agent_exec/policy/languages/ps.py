"""Words of ps(1): do they show the environments of processes?

The letter ``e`` shows them in a word without a dash, as in BSD; in one with a dash it selects
all processes. But where ps does not understand words with dashes, or the names that they hold,
it reads all of them once more without: ``ps -ex`` is ``ps ex``. Source: procps-ng 4.0,
``src/ps/parser.c``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from re import Pattern

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.meaning import Meaning, unknown
from agent_exec.regex import regex

# Their value is the rest of the word, or the next word, however the words are read.
_VALUED = "OUNkopqt"
_LONG = "cols|columns|format|group|Group|lines|pid|ppid|quick-pid|rows|sid|sort|tty|user|User|width"
_TAKES_NEXT = regex(rf"-?[^\W{_VALUED}]*[{_VALUED}]|--(?:{_LONG})")
_KNOWN = regex(
    rf"--(?:(?:{_LONG})(?:=.*)?|no-?head(?:ings?|ers?)?|head(?:ings?|ers?)|cumulative|context"
    r"|deselect|forest|info|help(?:=.*)?|version)"
)
_TAKES_NAME = regex(rf"-[^\WC{_VALUED}]*C")
# With a dash, and no name that may be wrong; -C takes any.
_UNDERSTOOD = regex(rf"--.*|-[AadeflFjyHLmMTVwNPZc]*(?:[C{_VALUED}].*)?")
_SHOWS = regex(rf"-?[^\W{_VALUED}]*e\w*")
_SHOWN = "environ"


def ps(argv: Sequence[str], patterns: frozenset[int], _names: tuple[str, ...] | None) -> Meaning:
    """What ps shows of processes besides their names, words and numbers."""
    if patterns:
        return unknown("names that ps would take for options")
    words = list(_words(argv, _TAKES_NEXT, _TAKES_NAME))
    for word in words:
        if word[:2] == "--" and _KNOWN.fullmatch(word) is None:
            return unknown(f"nobody has said what {word} does")
    if all(word[:1] != "-" or _UNDERSTOOD.fullmatch(word) for word in words):
        words = [word for word in words if word[:1] != "-"]
    else:
        words = list(_words(argv, _TAKES_NEXT))
    if any(map(_SHOWS.fullmatch, words)) or any(_SHOWN in word.lower() for word in argv):
        because = "it shows the environments of processes"
        return Meaning((Effect(EffectKind.READ, because=because),))
    return Meaning()


def _words(argv: Sequence[str], *takes: Pattern[str]) -> Iterator[str]:
    """Those that are not the value of the word before."""
    is_value = False
    for word in argv[1:]:
        if is_value:
            is_value = False
            continue
        yield word
        is_value = any(each.fullmatch(word) for each in takes)
