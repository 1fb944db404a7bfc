"""`NamedTuple` as `typing` has it, and made in a third of the time.

That of `typing` compiles each annotation in order to check it: 0.23 ms for a tuple of seven
fields. A process that runs one command makes more than a hundred; type checkers see `typing`'s.
"""

from __future__ import annotations

from collections import namedtuple

__all__ = ["NamedTuple"]

TYPE_CHECKING = False  # as in `agent_exec`

if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    _NOT_COPIED = frozenset({"__annotations__", "__module__", "__qualname__", "__dict__"})

    class _Maker(type):
        def __new__(cls, name: str, _bases: tuple[type, ...], body: dict[str, Any]) -> type:
            notes = body.get("__annotations__", {})
            fields = [*notes]
            defaults = [body[field] for field in fields if field in body]
            for field in fields[len(fields) - len(defaults) :]:
                if field not in body:
                    raise TypeError(f"{name}: {field} has no default, and one before it has")
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])  # noqa: PYI024 - this is what it is made of
            made.__annotations__ = made.__new__.__annotations__ = notes
            made.__qualname__ = body["__qualname__"]
            for key, value in body.items():
                if key not in _NOT_COPIED and key not in notes:
                    setattr(made, key, value)
            return made

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {"__module__": __name__})
