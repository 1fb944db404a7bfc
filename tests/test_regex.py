"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import agent_exec
from agent_exec.regex import regex


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Those of every module of ours that can be imported here, alone or in a collection."""
    either: Any = type(regex("")).__mro__[-2]  # used or not
    for module in pkgutil.walk_packages(agent_exec.__path__, "agent_exec."):
        if module.name.startswith(("agent_exec.integrations", "agent_exec.bench")):
            continue
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            values = value if isinstance(value, (tuple, list)) else [value]
            for each in values:
                for part in each if isinstance(each, tuple) else [each]:
                    if isinstance(part, either):
                        yield f"{module.name}.{name}", part


def test_every_pattern_is_one() -> None:
    found = dict(patterns())
    assert len(found) > 60
    for name, pattern in found.items():
        try:
            assert pattern.groups >= 0
        except re.error as error:
            pytest.fail(f"{name}: {error}")


def test_a_pattern_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = regex(r"(?P<begin>a+)b", re.IGNORECASE)
    found = pattern.match("AAB")
    assert found is not None
    assert found["begin"] == "AA"
    assert pattern.sub("", "xaby") == "xy"
    assert pattern.pattern == r"(?P<begin>a+)b"
    monkeypatch.setattr(re, "compile", None)
    assert pattern.match("ab")
    assert pattern.sub("", "ab") == ""


def test_bytes_are_a_pattern_too() -> None:
    assert regex(rb"a").fullmatch(b"a")


def test_a_wrong_pattern_is_found_when_it_is_used() -> None:
    pattern = regex("(")
    with pytest.raises(re.error):
        pattern.match("")
