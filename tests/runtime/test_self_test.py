"""The self-tests of the kernel launcher as doctor shows them."""

from __future__ import annotations

import errno

import pytest
from fake_kernel import FakeKernel
from typer.testing import CliRunner

from agent_exec.cli.commands import app
from agent_exec.launch.kernel_selftest import SelfTest
from agent_exec.launch.select import why_not_kernel
from agent_exec.runtime.doctor import examine_launcher
from agent_exec.runtime.self_test import SelfTests, self_test_kernel

pytestmark = pytest.mark.timeout(30)


def test_where_the_kernel_has_the_calls_every_one_has_a_verdict() -> None:
    found = self_test_kernel(FakeKernel().call)
    lines = found.as_text().splitlines()
    assert (found.passed, len(lines), lines[0], lines[-1]) == (
        True,
        18,
        "ok 1 basic spawn",
        "17 passed, 0 failed",
    )
    assert [test["number"] for test in found.to_json()["tests"]] == list(range(1, 18))  # type: ignore[attr-defined]


def test_where_it_has_not_nothing_is_run() -> None:
    found = self_test_kernel(lambda *_: -errno.ENOSYS)
    assert not found.passed
    assert found.as_text().startswith("not available: this kernel has no spawn_template_create")
    assert (found.to_json()["available"], found.to_json()["tests"]) == (False, [])


def test_a_failure_is_told_with_what_was_found() -> None:
    found = SelfTests(None, (SelfTest(1, "a", ""), SelfTest(2, "b", "found 1, expected 2")))
    assert not found.passed
    assert found.as_text() == "ok 1 a\nnot ok 2 b: found 1, expected 2\n1 passed, 1 failed"


def test_the_command_says_what_this_kernel_does() -> None:
    done = CliRunner().invoke(app, ["doctor", "--launcher", "kernel", "--self-test"])
    reason = why_not_kernel()
    if reason is None:
        assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "17 passed, 0 failed")
    else:
        assert (done.exit_code, done.stdout) == (1, f"not available: {reason}\n")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--self-test"], id="of-no-launcher"),
        pytest.param(["--self-test", "--launcher", "vfork"], id="of-one-that-has-none"),
    ],
)
def test_only_the_kernel_launcher_has_self_tests(words: list[str]) -> None:
    assert CliRunner().invoke(app, ["doctor", *words]).exit_code == 2


@pytest.mark.parametrize("name", ["auto", "vfork", "portable"])
def test_one_launcher_can_be_asked_for(name: str) -> None:
    found = examine_launcher(name)
    assert (found.launcher is not None, len(found.facts)) == (True, 1)
