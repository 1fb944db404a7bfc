"""Frozen values that C code makes field by field: dataclasses, as type checkers see them.

`dataclasses` imports `inspect`, `ast` and `tokenize`, and compiles four methods a class; a
process that runs one command would wait 15 ms for it.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self, dataclass_transform


class _Maker(type):
    """Makes slots of the annotated names, and takes their defaults."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Maker:
        fields = tuple(body.get("__annotations__", ())) if bases else ()
        defaults = {field: body.pop(field) for field in fields if field in body}
        body |= {"__slots__": fields, "__match_args__": fields, "_defaults": defaults}
        return super().__new__(cls, name, bases, body)


@dataclass_transform(frozen_default=True)
class Frozen(metaclass=_Maker):
    """The base of a value: its annotated names are its fields, in order."""

    __match_args__: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]

    def __init__(self, *values: object, **named: object) -> None:
        fields = self.__match_args__
        given = dict(zip(fields, values, strict=False))
        if len(values) > len(fields) or given.keys() & named.keys():
            raise TypeError(f"{type(self).__name__} takes {', '.join(fields)}, each once")
        given = {**self._defaults, **given, **named}
        if given.keys() != set(fields):
            wrong = ", ".join(sorted(given.keys() ^ set(fields)))
            raise TypeError(f"{type(self).__name__}: unknown, or missing: {wrong}")
        for field, value in given.items():
            object.__setattr__(self, field, value)

    def replaced(self, **changes: object) -> Self:
        """The same but for some fields."""
        return type(self)(
            **{**dict(zip(self.__match_args__, self._values(), strict=True)), **changes}
        )

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, field) for field in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        pairs = zip(self.__match_args__, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self._values()
