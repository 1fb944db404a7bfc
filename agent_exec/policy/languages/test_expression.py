"""Words of test(1), and of ``[``: files are looked at, and bash evaluates some of them.

What is an operator and what an operand depends on how many words there are; here every word
that could be an operator counts as one. bash evaluates the subscript of a variable's name,
so ``-v 'a[$(command)]'`` runs a command. Source: the bash manual, 5.2; POSIX.1-2017, test.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.meaning import Meaning, on
from agent_exec.regex import regex

_FILE = frozenset(f"-{letter}" for letter in "abcdefghkprsuwxGLNOS")
_FILES = frozenset({"-nt", "-ot", "-ef"})
_VARIABLE = frozenset({"-v", "-R"})
_NUMBERS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_NUMBER = regex(r"[ \t]*[-+]?[0-9]+[ \t]*")
_MAY_BE_OPERATOR = "-=!()<>*?["


def expression(
    argv: Sequence[str], patterns: frozenset[int], _names: tuple[str, ...] | None
) -> Meaning:
    """What a test looks at, and what bash would run in it."""
    words = list(argv[1:])
    effects: list[Effect] = []
    if argv[0].rpartition("/")[2] == "[":
        if words[-1:] != ["]"]:
            return Meaning((_unknown("[ without its ]"),))
        words.pop()
    for place, word in enumerate(words):
        if place + 1 in patterns and word[:1] in _MAY_BE_OPERATOR:
            effects.append(_unknown(f"{word} may match names that are operators"))
        before = words[place - 1] if place else None
        after = words[place + 1] if place + 1 < len(words) else None
        if word in _FILE and after is not None:
            effects += on(EffectKind.READ, after, f"{word} looks at a file")
        elif word in _FILES:
            for path in (before, after):
                if path is not None:
                    effects += on(EffectKind.READ, path, f"{word} looks at a file")
        elif word in _VARIABLE and after is not None:
            if "[" in after or place + 2 in patterns:
                effects.append(_execute(f"{word} evaluates a subscript"))
        elif word in _NUMBERS:
            for number in (before, after):
                if number is not None and not _NUMBER.fullmatch(number):
                    effects.append(_execute(f"{word} of what is no number"))
    return Meaning(tuple(effects))


def _execute(because: str) -> Effect:
    return Effect(EffectKind.EXECUTE, because=because)


def _unknown(because: str) -> Effect:
    return Effect(EffectKind.UNKNOWN, because=because)
