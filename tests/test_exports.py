"""The public names: sorted, complete, and what type checkers are told."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import agent_exec


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert agent_exec.__all__ == sorted(agent_exec.__all__)
    for name in agent_exec.__all__:
        assert getattr(agent_exec, name) is not None


def test_names_are_what_type_checkers_are_told() -> None:
    source = Path(agent_exec.__file__).read_text()
    told = {}
    for module, names in re.findall(
        r"^    from (agent_exec[\w.]*) import (\([^)]*\)|.+)$", source, re.MULTILINE
    ):
        for name in re.findall(r"\w+", names):
            told[name] = module
    assert set(told) == set(agent_exec.__all__) - {"__version__"}
    for name, module in told.items():
        assert getattr(agent_exec, name) is getattr(import_module(module), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(agent_exec, "ExecTol")
    assert set(agent_exec.__all__) <= set(dir(agent_exec))
