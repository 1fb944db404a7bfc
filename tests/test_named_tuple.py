"""Values as `typing` makes them, made here with less."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
from typing import Any

import pytest

from agent_exec.named_tuple import NamedTuple


class Ours(NamedTuple):
    """Of us."""

    first: int
    second: tuple[str, ...] = ()
    """Said of a field."""
    third: str | None = None

    @property
    def both(self) -> tuple[object, ...]:
        return (self.first, self.second)

    @classmethod
    def made(cls) -> Ours:
        return cls(7)


class Theirs(typing.NamedTuple):
    """Of us."""

    first: int
    second: tuple[str, ...] = ()
    third: str | None = None


def test_a_named_tuple_is_that_of_typing() -> None:
    value = Ours.made()
    assert value == tuple(Theirs(7))
    assert value.both == (7, ())
    assert repr(Ours(1, third="c")) == repr(Theirs(1, third="c")).replace("Theirs", "Ours")
    for name in ("__doc__", "__module__", "_fields", "_field_defaults", "__match_args__"):
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert (Ours.__name__, Ours.__qualname__) == ("Ours", "Ours")
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert value._replace(third="c")._asdict() == {"first": 7, "second": (), "third": "c"}
    for again in (pickle.loads(pickle.dumps(value)), copy.copy(value)):
        assert (type(again), again) == (Ours, value)


def test_values_are_made_as_typing_makes_them() -> None:
    """Before `__new__` was compiled, and after it."""

    class Late(NamedTuple):
        first: int
        second: str = "b"

        def __str__(self) -> str:
            return f"{self.first} of {type(self).__name__}"

    class Below(Late):
        """Made before any of the class above."""

        __slots__ = ()

    assert str(Below(1)) == "1 of Below"
    assert type(Late(1)) is Late
    for _ in range(30):
        assert Late(1) == Late(first=1) == Late(1, "b") == Late(second="b", first=1) == (1, "b")
    assert Late(second="c", first=1) == (1, "c")
    assert Late._make([1, "c"]) == (1, "c")
    with pytest.raises(TypeError, match="Expected 2 arguments, got 1"):
        Late._make([1])
    with pytest.raises(TypeError, match="third"):
        Late(1)._replace(third=3)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Late(1).first = 2  # type: ignore[misc]
    assert str(inspect.signature(Late.__new__)) == "(_cls, first: 'int', second: 'str' = 'b')"


def test_its_fields_are_in_its_signature() -> None:
    class Fresh(NamedTuple):
        first: int
        second: str = "b"

    class Below(Fresh):
        __slots__ = ()

    for each in (Below, Fresh):
        assert str(inspect.signature(each)) == "(first: 'int', second: 'str' = 'b')"
    assert Below(1) == (1, "b")
    assert type(Below(1)) is Below


@pytest.mark.parametrize("made_before", [0, 30])
@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param((), {}, id="none"),
        pytest.param((), {"second": "b"}, id="not-the-first"),
        pytest.param((1, "b", 3), {}, id="too-many"),
        pytest.param((1,), {"third": 3}, id="no-such-field"),
        pytest.param((1,), {"first": 1}, id="twice"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    words: tuple[Any, ...], named: dict[str, Any], made_before: int
) -> None:
    class Fresh(NamedTuple):
        first: int
        second: str = "b"

    for number in range(made_before):
        Fresh(number)
    with pytest.raises(TypeError, match=r"Fresh\.__new__\(\)"):
        Fresh(*words, **named)
    assert Fresh(1) == (1, "b")


def test_a_default_may_not_stand_before_none() -> None:
    with pytest.raises(TypeError, match="second has no default, and one before it has"):

        class Wrong(NamedTuple):
            first: int = 1
            second: int  # type: ignore[misc]
