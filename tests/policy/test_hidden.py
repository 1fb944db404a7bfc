"""Commands that hide something: they do what their row says, and none of them may pass."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from policy.hidden import Hidden, Seen
from policy.hidden_place import (
    fill,
    in_memory,
    installed,
    is_seen,
    make_files,
    make_place,
    run,
)
from policy.hidden_rows import ROWS
from policy.judging import Bench

from agent_exec.model.decision import Verdict

POLICIES = ("default", "read-only")


def _can_run(row: Hidden) -> bool:
    programs = ("bash",) if isinstance(row.call, str) else row.call[:1]
    return row.seen is not Seen.NOT and all(map(installed, (*programs, *row.needs)))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("prepared")
    make_place(top)
    return top


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture
def here(prepared: Path, memory: Path) -> Iterator[Path]:
    top = memory / "top"
    shutil.copytree(prepared, top, symlinks=True)
    yield top / "here"
    shutil.rmtree(top)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS if _can_run(row)])
def test_a_hidden_command_does_what_its_row_says(row: Hidden, here: Path) -> None:
    filled = fill(row, here)
    said = run(filled, here)
    assert is_seen(filled, here, said), said.decode(errors="replace")[-500:]


def test_the_rows_are_many_and_have_names_of_their_own() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS) > 250


@pytest.fixture(scope="module")
def worktree(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the files of every row."""
    top = tmp_path_factory.mktemp("all") / "top"
    shutil.copytree(prepared, top, symlinks=True)
    make_files(ROWS, top / "here")
    return top / "here"


@pytest.mark.parametrize("every_variable", [False, True], ids=["listed", "every-variable"])
@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_that_allows_only_reading_lets_a_hidden_command_pass(
    policy: str, every_variable: bool, worktree: Path, tmp_path: Path
) -> None:
    overlay = tmp_path / "overlay.yaml"
    names = '["*"]' if every_variable else "[CI]"
    overlay.write_text(f"version: 1\nextends: [{policy}]\nenv: {{from_call: {names}}}\n")
    bench = Bench(overlay, worktree)
    passed = []
    for row in ROWS:
        filled = fill(row._replace(files={}, config=()), worktree)
        decision = bench.judge(filled.call, filled.env, filled.stdin)
        if decision.verdict is Verdict.ALLOW:
            passed.append((row.id, filled.call))
    assert not passed


WRAPPERS: dict[str, Callable[[str], str]] = {
    "env": lambda text: f"env LC_ALL=C {text}",
    "timeout-and-nice": lambda text: f"timeout 9 nice -n 5 stdbuf -oL {text}",
    "shell": lambda text: f"bash -c {shlex.quote(text)}",
    "shell-in-wrappers": lambda text: f"timeout 9 bash -c {shlex.quote(f'env {text}')}",
    "find": lambda text: f"find . -maxdepth 0 -exec {text} ';'",
    "xargs": lambda text: f"echo x | xargs {text}",
    "pipeline": lambda text: f"cat a.txt | {text} | head -5",
    "list": lambda text: f"cd . && ls && {text} 2>/dev/null; pwd",
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_nothing_around_a_hidden_command_makes_it_pass(
    wrap: Callable[[str], str], worktree: Path, tmp_path: Path
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text('version: 1\nextends: [default]\nenv: {from_call: ["*"]}\n')
    bench = Bench(overlay, worktree)
    passed = []
    for row in ROWS:
        filled = fill(row._replace(files={}, config=()), worktree)
        # What comes to a text from outside is not what is wrapped here.
        if not isinstance(filled.call, str) and filled.stdin is None:
            text = wrap(shlex.join(filled.call))
            if bench.judge(text, filled.env, filled.stdin).verdict is Verdict.ALLOW:
                passed.append((row.id, text))
    assert not passed
