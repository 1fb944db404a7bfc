"""`NamedTuple` as `typing` has it, made in a tenth of the time.

That of `typing` compiles each annotation in order to check it, and `collections.namedtuple` the
`__new__` of each: 0.25 ms for a tuple of seven fields. A process that runs one command makes more
than a hundred such types, and of most a few values: here a `__new__` is compiled when it pays.
Type checkers see `typing`'s.
"""

from __future__ import annotations

from operator import itemgetter

__all__ = ["NamedTuple", "new"]

new = tuple.__new__
"""Of a type and all its values: a named tuple, in half of the time that its constructor takes.
Nothing sees whether they are all there: `tests/policy/test_judgement_values.py` does."""

TYPE_CHECKING = False  # as in `agent_exec`

if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    try:
        from _collections import _tuplegetter as _getter  # what `collections` takes
    except ImportError:

        def _getter(index: int, doc: str) -> property:
            return property(itemgetter(index), doc=doc)

    def _make(cls: type, values: object) -> object:
        """Make a new one from a sequence or iterable."""
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self: object, /, **named: object) -> object:
        """A new one with some fields replaced."""
        made = self._make(map(named.pop, self._fields, self))
        if named:
            raise TypeError(f"Got unexpected field names: {list(named)!r}")
        return made

    def _asdict(self: object) -> dict[str, Any]:
        """The values by their field names."""
        return dict(zip(self._fields, self, strict=True))

    def _as_tuple(self: object) -> tuple[Any, ...]:
        return tuple(self)

    def _repr(self: object) -> str:
        shown = [f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)]
        return f"{type(self).__name__}({', '.join(shown)})"

    _FEW = 12  # as many take as long without as compiling does
    _COMMON = {
        "__slots__": (),
        "_make": classmethod(_make),
        "_replace": _replace,
        "__replace__": _replace,
        "_asdict": _asdict,
        "__repr__": _repr,
        "__getnewargs__": _as_tuple,
    }

    class _Maker(type):
        def __new__(cls, name: str, _bases: tuple[type, ...], body: dict[str, Any]) -> type:
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body[field] for field in fields if field in body}
            for field in fields[len(fields) - len(defaults) :]:
                if field not in defaults:
                    raise TypeError(f"{name}: {field} has no default, and one before it has")

            left = _FEW

            def new(cls: type, /, *values: object, **named: object) -> object:
                nonlocal left
                left -= 1
                rest = fields[len(values) :]
                given = {**defaults, **named}
                if (
                    left > 0
                    and len(values) <= len(fields)
                    and named.keys() <= set(rest) <= given.keys()
                ):
                    return tuple.__new__(cls, (*values, *[given[field] for field in rest]))
                return _compile(made)(cls, *values, **named)

            made = type(
                name,
                (tuple,),
                {
                    "__doc__": f"{name}({', '.join(fields)})",
                    **_COMMON,
                    **body,
                    "_fields": fields,
                    "__match_args__": fields,
                    "_field_defaults": defaults,
                    "__new__": new,
                    "__signature__": _Signature(),
                    **{
                        field: _getter(index, f"Alias for field number {index}")
                        for index, field in enumerate(fields)
                    },
                },
            )
            return made

    class _Signature:
        """What `inspect.signature` asks for first: None, and the `__new__` that it asks next shows
        the fields."""

        def __set_name__(self, made: type, name: str) -> None:
            self._made = made

        def __get__(self, value: object, cls: type) -> None:
            _compile(self._made)

    def _compile(made: type) -> object:
        """The `__new__` of a type, from now on. Two threads may both do it: it comes out equal."""
        words = "".join(f"{field}, " for field in made._fields)
        scope = {
            "__builtins__": {},
            "new": tuple.__new__,
            "__name__": f"namedtuple_{made.__name__}",
        }
        new = eval(f"lambda _cls, {words}: new(_cls, ({words}))", scope)
        new.__name__ = "__new__"
        new.__qualname__ = f"{made.__qualname__}.__new__"
        new.__defaults__ = tuple(made._field_defaults.values())
        new.__annotations__ = made.__annotations__
        new.__doc__ = f"Create new instance of {made.__name__}({words.rstrip(', ')})"
        made.__new__ = staticmethod(new)
        return new

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {"__module__": __name__})
