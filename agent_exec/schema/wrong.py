"""Mistakes in words that a model can act on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError

_LONGEST = 80
_SHAPES = {
    "argv": 'a list of strings, such as ["git", "status"]',
    "pipeline": 'a list of argv, such as [["ls"], ["head", "-3"]]',
    "command": 'shell text, such as "git status | head"',
    "env": 'a list such as [{"name": "CI", "value": "1"}]',
    "output": '{"keep": "both", "head" or "tail", "bytes": a number or null}',
    "background": "true or false",
    "terminal": "true or false",
    "append": "true or false",
    "close": "true or false",
}
_NUMBERS = frozenset({"timeout_ms", "offset", "wait_ms", "bytes", "rows", "columns"})


def unknown_names(
    unknown: Iterable[str], known: Iterable[str], tools: Mapping[str, type[BaseModel]]
) -> str:
    """Of fields that the tool does not have."""
    fields = list(known)
    said = []
    for name in unknown:
        near = difflib.get_close_matches(name, fields, 1)
        elsewhere = [tool for tool, model in tools.items() if name in model.model_fields]
        shown = _shown(name)
        if near:
            said.append(f"there is no field {shown}; did you mean {near[0]}")
        elif elsewhere:
            said.append(f"{shown} is a field of {elsewhere[0]}")
        else:
            said.append(f"there is no field {shown}; leave it out")
    return f"{'; '.join(said)}. Fields are {', '.join(fields)}"


def first_mistake(error: ValidationError) -> str:
    """What is wrong with the first field that is, and what to send."""
    found = error.errors(include_url=False)[0]
    place = found["loc"]
    name = str(place[0]) if place else "the call"
    if found["type"] == "missing":
        missing = ".".join(str(part) for part in place)
        return f"{missing} is missing; send {name} as {_shape(name)}"
    where = name + "".join(f"[{part}]" if isinstance(part, int) else "" for part in place[1:])
    return f"{where} is {_shown(found['input'])}; send {name} as {_shape(name)}"


def _shape(name: str) -> str:
    return _SHAPES.get(name) or ("a whole number" if name in _NUMBERS else "a string")


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
