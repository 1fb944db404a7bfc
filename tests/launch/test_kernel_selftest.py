"""The RFC's 17 self-tests, as doctor runs them: for real, on the fake kernel."""

from __future__ import annotations

import ctypes
import errno

import pytest
from fake_kernel import FakeKernel

from agent_exec.launch.kernel_abi import SPAWN
from agent_exec.launch.kernel_selftest import NAMES, SelfTest, run_self_tests
from agent_exec.launch.park import Parker
from agent_exec.launch.system_call import SystemCall

pytestmark = pytest.mark.timeout(30)


def test_all_of_them_pass() -> None:
    found = list(run_self_tests(FakeKernel().call))
    assert found == [SelfTest(number, name, "") for number, name in enumerate(NAMES, 1)]
    assert len(found) == 17


def failed(call: SystemCall) -> list[str]:
    return [test.name for test in run_self_tests(call) if test.problem]


def test_a_kernel_that_closes_nothing_is_found_out() -> None:
    fake = FakeKernel()

    def inherit(number: int, *arguments: int) -> int:
        if number == SPAWN:
            ctypes.memmove(arguments[1], (1).to_bytes(8, "little"), 8)  # flags
        return fake.call(number, *arguments)

    assert failed(inherit) == ["default fd close"]


def test_a_kernel_that_tells_another_errno_is_found_out() -> None:
    fake = FakeKernel()

    def without_stale(number: int, *arguments: int) -> int:
        answer = fake.call(number, *arguments)
        return -errno.EAGAIN if answer == -errno.ESTALE else answer

    assert failed(without_stale) == ["stale path rejected", "path replacement allows tool update"]


def test_a_kernel_that_lets_writers_in_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parker, "hold", lambda *_: None)
    assert failed(FakeKernel().call) == ["deny write while template alive"]
