"""The file that was approved is the one that is opened, or none is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_exec.errors import Denied, TemplateError
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Grant, Route, Verdict
from agent_exec.model.request import ExecRequest
from agent_exec.runtime.approvals.identity import identity_at
from agent_exec.runtime.approvals.pinned import lease_approved
from agent_exec.template.cache import TemplateCache


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TemplateCache]:
    made = TemplateCache(str(tmp_path), hot_after=1, credentials=lambda: b"")
    yield made
    made.close()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def approved(program: Path) -> Grant:
    """Of the file that is there now."""
    request = ExecRequest("1", ToolCall(), (), "/", None)
    decision = Decision(Verdict.ASK, Route.DIRECT)
    return Grant(request, decision, {str(program): identity_at(str(program))})


def test_one_that_was_replaced_after_the_answer_is_not_leased(
    cache: TemplateCache, program: Path
) -> None:
    grant = approved(program)
    program.write_text("#!/bin/sh\necho evil\n")
    with pytest.raises(Denied, match="no longer what was approved"):
        lease_approved(cache, str(program), grant, "recreate")


def test_one_that_is_open_and_was_replaced_after_the_answer_is_stale(
    cache: TemplateCache, program: Path
) -> None:
    cache.lease(str(program)).release()
    grant = approved(program)
    program.write_text("#!/bin/sh\necho evil\n")
    with (
        lease_approved(cache, str(program), grant, "recreate") as lease,
        pytest.raises(TemplateError),
    ):
        lease.template.check()


@pytest.mark.parametrize("on_update", ["recreate", "ask"])
def test_one_that_was_replaced_before_the_question_is_opened_anew(
    cache: TemplateCache, program: Path, on_update: str
) -> None:
    cache.lease(str(program)).release()
    program.write_text("#!/bin/sh\necho other\n")
    grant = approved(program)
    with lease_approved(cache, str(program), grant, on_update) as lease:
        lease.template.check()


def test_a_policy_that_wants_no_replaced_programs_is_not_lifted(
    cache: TemplateCache, program: Path
) -> None:
    cache.lease(str(program)).release()
    program.write_text("#!/bin/sh\necho other\n")
    with pytest.raises(Denied, match="on_update of the policy is deny"):
        lease_approved(cache, str(program), approved(program), "deny")


def test_what_a_rule_allows_is_leased_as_it_is(cache: TemplateCache, program: Path) -> None:
    cache.lease(str(program)).release()
    grant = approved(program)._replace(programs={})
    program.write_text("#!/bin/sh\necho other\n")
    with lease_approved(cache, str(program), grant, "deny"):
        pass
