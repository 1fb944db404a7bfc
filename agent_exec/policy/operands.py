"""Which operand of a table the operands of a command are."""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.named_tuple import new as _new
from agent_exec.policy.options import Parsed
from agent_exec.policy.table import Operand, Operands


def present(operands: Operands, parsed: Parsed) -> Operands:
    """Those that the options of a command leave there."""
    if not operands.conditional:
        return operands
    names = parsed.names
    specs: list[Operand] = []
    repeated = None
    for spec in operands.specs:
        _, repeats, unless, given, _, _ = spec
        if unless.isdisjoint(names) and not (given and given.isdisjoint(names)):
            if repeats:
                repeated = len(specs)
            specs.append(spec)
    return _new(Operands, (tuple(specs), repeated, True, operands.absent))


def known(operands: Operands, n_given: int) -> list[Operand | None]:
    """For each of so many words, which one it is; None: one too many."""
    specs, repeated, _, _ = operands
    n_specs = len(specs)
    found: list[Operand | None] = []
    for place in range(n_given):
        at = _place(n_specs, repeated, place, n_given)
        found.append(None if at is None else specs[at])
    return found


def reached(
    operands: Operands, n_given: int, globs: Sequence[int], more: tuple[str, ...] | None
) -> list[list[Operand | None]]:
    """For each of so many words, what it may be; None, which comes last: one too many.

    Args:
        operands: Of the table.
        n_given: Words of the command.
        globs: The places of those that stand for one word or more, in order.
        more: What follows all of them; see `agent_exec.model.request.Command.more`.
    """
    specs = operands.specs
    found = []
    for place in range(n_given):
        ats = _reached(operands, place, n_given, globs, more)
        found.append([None if at is None else specs[at] for at in sorted(ats, key=_none_last)])
    return found


def _reached(
    operands: Operands,
    place: int,
    n_given: int,
    globs: Sequence[int],
    more: tuple[str, ...] | None,
) -> set[int | None]:
    # A word with no glob before it has its number from the start, and one with no glob from it
    # on has its number from the end.
    n_specs = len(operands.specs)
    from_start = from_end = range(1)
    if globs and globs[0] <= place:
        from_start = range(n_specs + 1)
    if more is not None or globs[-1] >= place:
        from_end = range(n_specs + 1)
    return {
        _place(n_specs, operands.repeated, place + shift, n_given + shift + extra)
        for shift in from_start
        for extra in from_end
    }


def _place(n_specs: int, repeated: int | None, place: int, n_given: int) -> int | None:
    """Which operand the word at `place` is, of so many words.

    Where one repeats, those behind it have their words first, then those before it.
    """
    if repeated is None:
        return place if place < n_specs else None
    from_end = n_given - 1 - place
    if from_end < n_specs - 1 - repeated:
        return n_specs - 1 - from_end
    return min(place, repeated)


def _none_last(at: int | None) -> tuple[bool, int]:
    return (True, 0) if at is None else (False, at)
