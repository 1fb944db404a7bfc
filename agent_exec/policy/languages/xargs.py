"""xargs(1) of GNU findutils: its options, and the command that it builds.

Nobody knows the words of its input; where these are names that a command before it lists, all
of them lie beneath known directories, as long as no name is split (see `Meaning.plain`).
Source: the findutils manual, 4.9.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import Source
from agent_exec.policy.meaning import Inner, Meaning, on
from agent_exec.policy.options import Given, Parsed, parse
from agent_exec.policy.table_source import make_table

_TABLE = make_table(
    "xargs",
    {
        "syntax": "posix",
        "flags": [
            "-0, --null",
            "-o, --open-tty",
            "-p, --interactive",
            "-r, --no-run-if-empty",
            "-t, --verbose",
            "-x, --exit",
            "--show-limits",
        ],
        "values": [
            "-a, --arg-file",
            "-d, --delimiter",
            "-E",
            "-I",
            "-L",
            "-n, --max-args",
            "-P, --max-procs",
            "-s, --max-chars",
            "--process-slot-var",
        ],
        "optional": ["-e, --eof", "-i, --replace", "-l, --max-lines"],
    },
    "xargs",
)
# Whatever their words are, they only print them.
_PRINTS = frozenset({"echo", "printf", "basename", "dirname", "/bin/echo", "/usr/bin/printf"})


def xargs(argv: Sequence[str], patterns: frozenset[int], names: tuple[str, ...] | None) -> Meaning:
    """What an xargs command does, the command that it builds among it."""
    parsed = parse(_TABLE, argv)
    effects = [
        Effect(EffectKind.UNKNOWN, because=f"nobody has said what {word} does")
        for word in parsed.unknown
    ]
    effects += _of_options(parsed)
    given = {option.option.names[0]: option for option in parsed.options}
    if "-a" in given:
        names = None
    first = parsed.operands[0][0] if parsed.operands else len(argv)
    words = tuple(argv[first:]) or ("echo",)
    globs = frozenset(at - first for at in patterns if at >= first)
    if any(at < first for at in patterns):
        effects.append(_unknown("a glob among the options of xargs"))
    if not words[0] or 0 in globs:
        return Meaning((*effects, _unknown("a command that nobody has named")))
    inner, placing = _command(words, globs, _replaced(given), names)
    # Their input is /dev/null, but for -a and -o.
    inner = inner._replace(stdin=None if {"-a", "-o"} & given.keys() else Source.NOTHING)
    plain = () if "-0" in given else names or ()
    return Meaning((*effects, *placing), (inner,), plain=plain, closed=names or ())


def _of_options(parsed: Parsed) -> list[Effect]:
    effects: list[Effect] = []
    for given in parsed.options:
        name = given.option.names[0]
        if name == "-a":
            effects += on(EffectKind.READ, given.values[0][1], "the value of -a")
        elif name == "--process-slot-var":
            effects.append(_unknown("a variable of the command that xargs runs"))
    return effects


def _replaced(given: dict[str, Given]) -> str | None:
    """The text that is replaced by a line of the input; None: lines are added at the end."""
    if "-I" in given:
        return given["-I"].values[0][1]
    if "-i" in given:
        return given["-i"].values[0][1] if given["-i"].values else "{}"
    return None


def _command(
    words: tuple[str, ...],
    globs: frozenset[int],
    replaced: str | None,
    names: tuple[str, ...] | None,
) -> tuple[Inner, list[Effect]]:
    more = names or ()
    if replaced is None:
        return Inner(words, globs, more), []
    if not replaced:
        return Inner(words, globs, more), [_unknown("-I of an empty text")]
    kept = len(words)
    while kept and words[kept - 1] == replaced:
        kept -= 1
    placed = any(replaced in word for word in words[:kept])
    if not kept or replaced in words[0]:
        return Inner(words, globs), [_unknown("the input names the command")]
    if not placed:
        at_end = more if kept < len(words) else None
        return Inner(words[:kept], frozenset(at for at in globs if at < kept), at_end), []
    if words[0] in _PRINTS:
        return Inner(words, globs), []
    return Inner(words, globs, more), [_unknown(f"{replaced} stands among the words of {words[0]}")]


def _unknown(because: str) -> Effect:
    return Effect(EffectKind.UNKNOWN, because=because)
