"""jq filters: what they load. A filter computes, reads the inputs, and prints; nothing else.

Understood: strings with their interpolations, comments, ``import`` and ``include`` of jq 1.6,
and that the programs called yq know functions beyond (``load``, ``system``). The environment,
which ``env`` shows, is no more than the policy let through. Source: the jq manual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.meaning import Meaning, unknown
from agent_exec.regex import regex

_TOKEN = regex(
    r"""(?P<space>[\s]+)|(?P<comment>\#[^\n]*)|(?P<field>\.[A-Za-z_]\w*|\$__\w+|\$\w+)
    |(?P<word>[A-Za-z_]\w*(?:::\w+)*)|(?P<quote>")|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_KEY = regex(r"\s*:(?!:)")
_LOADS = frozenset({"import", "include", "modulemeta", "get_search_list"})
_OF_YQ = frozenset(
    {
        *("load", "load_str", "load_xml", "load_props", "load_base64", "strload"),
        *("system", "eval", "envsubst"),
    }
)
# The first operand of one of the two programs called yq may be a sub-command.
_COMMANDS_OF_YQ = frozenset({"e", "ea", "eval", "eval-all", "completion", "shell-completion"})


def jq(text: str) -> Meaning:
    """What a filter does beyond its inputs and its output."""
    if text in _COMMANDS_OF_YQ:
        return unknown(f"{text} is no filter")
    effects: list[Effect] = []
    for word in _words(text):
        if word is None:
            return unknown("a jq filter that does not end")
        if word in _LOADS:
            effects.append(Effect(EffectKind.READ, because=f"{word} reads a module"))
        elif word in _OF_YQ:
            effects.append(Effect(EffectKind.UNKNOWN, because=f"{word} is no function of jq"))
    return Meaning(tuple(effects))


def _words(text: str) -> Iterator[str | None]:
    """Names of functions and keywords; None: nobody knows what follows."""
    at = 0
    open_brackets: list[str] = []  # '"(' : of an interpolation, whose string goes on after it
    in_string = False
    while at < len(text):
        if in_string:
            if text[at] == "\\":
                if text.startswith("\\(", at):
                    open_brackets.append('"(')
                    in_string = False
                at += 2
            else:
                in_string = text[at] != '"'
                at += 1
            continue
        match = _TOKEN.match(text, at)
        assert match is not None
        at = match.end()
        if match.lastgroup == "word":
            if not _KEY.match(text, at):
                yield match.group()
        elif match.lastgroup == "comment" and match.group().endswith("\\"):
            yield None  # some releases go on with the comment on the next line
        elif match.lastgroup == "quote":
            in_string = True
        elif match.group() == "(":
            open_brackets.append("(")
        elif match.group() == ")" and open_brackets:
            in_string = open_brackets.pop() == '"('
    if in_string:
        yield None
