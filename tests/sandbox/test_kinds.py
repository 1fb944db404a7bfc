"""What a rule set is for: rights to files, which an update replaces."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent_exec.model.plan import Executable
from agent_exec.model.rights import Rights
from agent_exec.sandbox.kinds import Kinds
from agent_exec.template.template import Template


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return Path(shutil.copy("/bin/true", tmp_path / "program"))


@pytest.fixture
def templates() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def executable(program: Path, templates: ExitStack) -> Executable:
    return templates.enter_context(Template.create(str(program), credentials=b"")).executable


def replace(program: Path) -> None:
    shutil.copy(program, program.with_suffix(".new"))
    program.with_suffix(".new").rename(program)


def test_a_program_that_was_replaced_gets_rule_sets_of_its_own(
    program: Path, templates: ExitStack
) -> None:
    rights = Rights(programs=(str(program),))
    kinds = Kinds()
    before = kinds.of(rights, executable(program, templates))
    assert kinds.of(rights, executable(program, templates)) == before
    replace(program)
    assert kinds.of(rights, executable(program, templates)) != before


def test_so_does_one_that_may_execute_a_program_that_was_replaced(
    program: Path, templates: ExitStack, tmp_path: Path
) -> None:
    started = executable(Path(shutil.copy("/bin/true", tmp_path / "started")), templates)
    rights = Rights(programs=(str(program),))
    kinds = Kinds()
    before = kinds.of(rights, started)
    replace(program)
    now = kinds.of(rights, started)
    assert now != before
    program.unlink()
    assert kinds.of(rights, started) not in {before, now}
    assert kinds.of(rights._replace(read=("/",)), started) != kinds.of(rights, started)
