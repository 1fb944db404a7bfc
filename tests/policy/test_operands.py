"""Which operand of a table a word is, whatever the globs before and behind it match."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.policy.operands import known, present, reached
from agent_exec.policy.options import Given, Parsed
from agent_exec.policy.table import Operand, Operands, Option, Role, operands_of

ONE, TWO, MANY = Operand(Role.READ), Operand(Role.WRITE), Operand(Role.UPDATE, repeats=True)
LAST = Operand(Role.DELETE)


def with_options(*names: str, negated: bool = False) -> Parsed:
    options = tuple(Given(Option((name,)), (), negated) for name in names)
    return Parsed(options, (), (), (), None)


@pytest.mark.parametrize(
    ("specs", "n_given", "expected"),
    [
        ((), 2, [None, None]),
        ((ONE, TWO), 1, [ONE]),
        ((ONE, TWO), 3, [ONE, TWO, None]),
        ((MANY,), 3, [MANY, MANY, MANY]),
        ((ONE, MANY), 3, [ONE, MANY, MANY]),
        # cp SOURCE... TARGET: one alone is the target.
        ((MANY, LAST), 3, [MANY, MANY, LAST]),
        ((MANY, LAST), 1, [LAST]),
        ((ONE, MANY, LAST), 2, [ONE, LAST]),
        ((ONE, MANY, TWO, LAST), 2, [TWO, LAST]),
        ((MANY, TWO, LAST), 1, [LAST]),
        ((ONE, MANY), 0, []),
    ],
)
def test_words_have_their_operands_in_order(
    specs: tuple[Operand, ...], n_given: int, expected: list[Operand | None]
) -> None:
    assert list(known(operands_of(specs), n_given)) == expected


@st.composite
def operands(draw: st.DrawFn) -> Operands:
    """Up to four, told apart by their effects' place; one of them may repeat."""
    n_specs = draw(st.integers(0, 4))
    repeated = draw(st.none() | st.integers(0, n_specs - 1)) if n_specs else None
    return operands_of(
        tuple(
            Operand(Role.READ, at == repeated, given=frozenset({str(at)})) for at in range(n_specs)
        )
    )


@given(operands(), st.lists(st.booleans(), min_size=1, max_size=4), st.booleans())
def test_a_word_is_one_of_what_it_may_be_whatever_globs_match(
    specs: Operands, are_globs: list[bool], has_more: bool
) -> None:
    globs = [place for place, is_glob in enumerate(are_globs) if is_glob]
    more = () if has_more else None
    if not globs and more is None:
        return
    may_be = reached(specs, len(are_globs), globs, more)
    seen: list[set[Operand | None]] = [set() for _ in are_globs]
    most = range(1, len(specs.specs) + 2)
    for sizes in product(*[most if is_glob else (1,) for is_glob in are_globs]):
        for n_more in range(len(specs.specs) + 2) if has_more else (0,):
            got = known(specs, sum(sizes) + n_more)
            begin = 0
            for place, size in enumerate(sizes):
                seen[place].update(got[begin : begin + size])
                begin += size
    assert [set(each) for each in may_be] == seen
    for each in may_be:
        assert each == sorted(each, key=lambda spec: spec is None)
        assert len(set(each)) == len(each)


def test_options_take_operands_away_and_bring_them() -> None:
    pattern = Operand(Role.DATA, unless=frozenset({"-e"}))
    script = Operand(Role.SED, given=frozenset({"-s"}))
    specs = operands_of((pattern, script, MANY))
    assert present(specs, with_options()).specs == (pattern, MANY)
    assert present(specs, with_options("-e")).specs == (MANY,)
    both = present(specs, with_options("-s"))
    assert (both.specs, both.repeated) == ((pattern, script, MANY), 2)
    assert present(specs, with_options("-e", negated=True)).specs == (pattern, MANY)


def test_what_depends_on_no_option_stays_as_it_is() -> None:
    specs = operands_of((ONE, MANY))
    assert present(specs, with_options("-e")) is specs


@pytest.mark.timeout(30)
def test_many_words_take_time_as_they_are_many() -> None:
    specs, n_given = operands_of((ONE, MANY, LAST)), 100_000
    assert known(specs, n_given).count(MANY) == n_given - 2
    may_be = reached(specs, n_given, [5], None)
    assert [len(each) for each in may_be[:6]] == [1, 1, 1, 1, 1, 1]
    assert may_be[-1] == [LAST]
