"""Every example runs, prints what its page says, and is what its page shows.

One that takes long, and so has a main guard, is only imported.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
FRAMEWORKS = sorted((DOCS / "examples" / "frameworks").glob("*.py"))
"""What these need is no part of the extra `test`."""
LONG = [example for example in EXAMPLES if "__main__" in example.read_text("utf-8")]

CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
CODE_AND_OUTPUT = re.compile(
    r"```python\n((?:(?!```).)*)```\n\nIt prints:\n\n```text\n(.*?)```", re.DOTALL
)


def _id(path: Path) -> str:
    return path.name


def lines(text: str) -> list[str]:
    """The lines of `text` without their indentation."""
    return [line.strip() for line in text.strip().splitlines()]


def holds(example: Path, code: str) -> bool:
    """Whether `code` is part of `example`, at whatever indentation."""
    return "\n".join(lines(code)) in "\n".join(lines(example.read_text("utf-8")))


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Python with `arguments`, in `folder`; a warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=110,
    )


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


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path not in LONG], ids=_id)
def test_an_example_prints_what_its_page_says(example: Path, tmp_path: Path) -> None:
    (tmp_path / "greeting.txt").write_text("hello, worktree\n")
    done = run(tmp_path, example)
    assert (done.stdout, done.stderr) == (output_on_a_page(example), "")


@pytest.mark.foreign
@pytest.mark.timeout(120)  # some frameworks take long to import
@pytest.mark.parametrize("example", FRAMEWORKS, ids=_id)
def test_an_example_of_a_framework_prints_what_its_page_says(example: Path, tmp_path: Path) -> None:
    needed = re.findall(r"agent_exec\.integrations\.\w+", example.read_text("utf-8"))
    assert needed
    try:
        for module in needed:
            importlib.import_module(module)
    except ImportError as error:
        pytest.skip(str(error))
    (tmp_path / "greeting.txt").write_text("hello, worktree\n")
    # Warnings in packages of others are theirs.
    done = run(tmp_path, "-W", "default", example)
    assert done.stdout == output_on_a_page(example)


@pytest.mark.parametrize("example", LONG, ids=_id)
def test_an_example_that_takes_long_can_be_imported(example: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "-c", f"import runpy; runpy.run_path({str(example)!r})")
    assert (done.stdout, done.stderr) == ("", "")


def is_shown(code: str) -> bool:
    return any(holds(example, code) for example in [*EXAMPLES, *FRAMEWORKS])


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_code_on_a_page_is_part_of_an_example(page: Path) -> None:
    shown = CODE.findall(page.read_text("utf-8"))
    assert [code for code in shown if not is_shown(code)] == []
