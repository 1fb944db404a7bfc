"""Values as `typing` makes them, made here with less."""

from __future__ import annotations

import copy
import pickle
import typing

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


def test_a_default_may_not_stand_before_none() -> None:
    with pytest.raises(TypeError, match="second has no default, and one before it has"):

        class Wrong(NamedTuple):
            first: int = 1
            second: int  # type: ignore[misc]
