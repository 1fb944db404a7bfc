"""How somebody who writes Python gives a call: words, stages or text, and options by keyword."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from agent_exec.errors import InvalidCall
from agent_exec.model.call import ToolCall
from agent_exec.runtime import checks
from agent_exec.runtime.call_options import CallOptions


def call_of(stages: tuple[tuple[str, ...], ...], options: CallOptions) -> ToolCall:
    """Raises InvalidCall."""
    if options.get("stdout_file") is not None and options.get("stdout") is not None:
        raise InvalidCall("stdout and stdout_file were given; an output goes to one of them")
    try:
        return ToolCall(stages=stages, **options)
    except TypeError:
        known = CallOptions.__annotations__.keys()
        unknown = ", ".join(sorted(options.keys() - known))
        raise InvalidCall(f"a call has no {unknown}; it takes {', '.join(known)}") from None


def text_call_of(text: str, options: CallOptions) -> ToolCall:
    """Raises InvalidCall."""
    if not isinstance(text, str):
        raise checks.wrong("command", text, "shell text such as 'git status | head'")
    return call_of((), options)._replace(command=text)


def words_of(argv: Sequence[str]) -> tuple[str, ...]:
    """One command; what is no list of words is refused later."""
    # A string is a sequence of strings, too: let resolve() say so, as of what is no sequence.
    return tuple(argv) if _is_list(argv) else argv  # type: ignore[return-value]


def stages_of(stages: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Commands joined by pipes. Raises InvalidCall."""
    if not _is_list(stages):
        raise checks.wrong("pipeline", stages, "a list of argv such as [['ls'], ['head']]")
    return tuple([words_of(argv) for argv in stages])


def _is_list(value: object) -> bool:
    if isinstance(value, list | tuple):
        return True
    # A set has no order, and of a mapping only the keys would be left.
    no_list = (str, bytes, bytearray, AbstractSet, Mapping)
    return isinstance(value, Iterable) and not isinstance(value, no_list)
