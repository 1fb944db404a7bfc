"""Every example runs, prints what its page says, and is what its page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))

CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
CODE_AND_OUTPUT = re.compile(r"```python\n(.*?)```\n\nIt prints:\n\n```text\n(.*?)```", re.DOTALL)


def _id(path: Path) -> str:
    return path.name


def lines(text: str) -> list[str]:
    """The lines of `text` without their indentation."""
    return [line.strip() for line in text.strip().splitlines()]


def holds(example: Path, code: str) -> bool:
    """Whether `code` is part of `example`, at whatever indentation."""
    return "\n".join(lines(code)) in "\n".join(lines(example.read_text("utf-8")))


def output_on_a_page(example: Path) -> str:
    """What some page says that `example` prints."""
    (output,) = [
        output
        for page in PAGES
        for code, output in CODE_AND_OUTPUT.findall(page.read_text("utf-8"))
        if holds(example, code)
    ]
    assert isinstance(output, str)
    return output


@pytest.mark.parametrize("example", EXAMPLES, ids=_id)
def test_an_example_prints_what_its_page_says(example: Path, tmp_path: Path) -> None:
    (tmp_path / "greeting.txt").write_text("hello, worktree\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", example],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == (output_on_a_page(example), "")


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_code_on_a_page_is_part_of_an_example(page: Path) -> None:
    shown = CODE.findall(page.read_text("utf-8"))
    assert [code for code in shown if not any(holds(example, code) for example in EXAMPLES)] == []
