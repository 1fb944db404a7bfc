"""The page of exceptions agrees with the exceptions."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from agent_exec import errors

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "exceptions.md").read_text("utf-8")
CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.AgentExecError)
]


def documented_attributes(cls: type) -> list[str]:
    """The names under "Attributes:" in the docstring of `cls`."""
    _, _, attributes = (inspect.getdoc(cls) or "").partition("Attributes:")
    return re.findall(r"^    (\w+):", attributes, re.MULTILINE)


def test_the_page_draws_the_tree_of_the_module() -> None:
    tree = [line.strip() for line in (errors.__doc__ or "").splitlines() if "──" in line]
    drawn = [line.strip() for line in PAGE.splitlines() if "──" in line]
    assert drawn == tree


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_page_has_a_row_with_the_attributes(cls: type) -> None:
    (row,) = re.findall(rf"^\| `{cls.__name__}` \|([^|]*)\|", PAGE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", row) == documented_attributes(cls)


@pytest.mark.parametrize("step", errors.Step, ids=str)
def test_the_page_explains_every_step(step: errors.Step) -> None:
    assert re.search(rf"^\| `{step}` \|", PAGE, re.MULTILINE)
