"""What readers count on in a record, which somebody else may have written or torn."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

_OBJECTS = ("call", "decision", "answer", "times")
_LISTS = ("templates", "held_by")


def is_record(value: object) -> TypeGuard[dict[str, Any]]:
    """Is this an object with everything that is read of one of the type that it has to have?

    What is not there, or null, is missing: older releases wrote less.
    """
    if not isinstance(value, dict) or type(value.get("v")) is not int:
        return False
    if not all(_is(value.get(name), dict) for name in _OBJECTS):
        return False
    return (
        all(_is(value.get(name), list) for name in _LISTS)
        and _is_call(value.get("call") or {})
        and _is_decision(value.get("decision") or {})
        and all(_is_time(each) for each in (value.get("times") or {}).values())
    )


def _is_call(call: dict[str, Any]) -> bool:
    stages = call.get("pipeline")
    return (
        _is(call.get("command"), str)
        and _is(call.get("argv"), list)
        and _is(stages, list)
        and all(isinstance(stage, list) for stage in stages or ())
    )


def _is_decision(decision: dict[str, Any]) -> bool:
    commands = decision.get("commands")
    return (
        _is(decision.get("because"), list)
        and _is(commands, list)
        and all(isinstance(each, dict) and _is(each.get("argv"), list) for each in commands or ())
    )


def _is_time(value: object) -> bool:
    if not isinstance(value, int | float):
        return value is None
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is(value: object, kind: type) -> bool:
    return value is None or isinstance(value, kind)
