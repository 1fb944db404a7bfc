"""Limits: lower than what is in force, never higher."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator

import pytest

from agent_exec.model.confinement import Rlimit
from agent_exec.sandbox.limits import Bounds, Rlimits, threads_of_user


def made(
    bounds: Bounds, timeout_s: float | None = None, running: int | None = None
) -> dict[int, Rlimit]:
    return {each.resource: each for each in Rlimits(bounds).of(timeout_s, running)}


def test_what_a_policy_says_is_set() -> None:
    bounds = Bounds(processes=10, memory_mib=100, file_mib=7, open_files=32)
    found = made(bounds, timeout_s=2.5, running=400)
    assert found[resource.RLIMIT_DATA].hard == 100 * 1024 * 1024
    assert found[resource.RLIMIT_FSIZE].soft == 7 * 1024 * 1024
    assert found[resource.RLIMIT_NOFILE].hard == 32
    assert found[resource.RLIMIT_CPU].soft >= 3 * (os.cpu_count() or 1)
    assert resource.RLIMIT_AS not in found
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard == resource.RLIM_INFINITY or hard > 410:
        assert found[resource.RLIMIT_NPROC].soft == 410


def test_none_is_raised_above_what_is_in_force() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert resource.RLIMIT_NOFILE not in made(Bounds(open_files=hard + 1))
    assert made(Bounds(open_files=hard + 1)).keys() <= {resource.RLIMIT_CORE}


@pytest.fixture
def open_files() -> Iterator[int]:
    """How many are in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_was_made_is_made_again_when_something_else_is_in_force(open_files: int) -> None:
    limits = Rlimits(Bounds(open_files=open_files - 1))
    before = limits.of(None, None)
    assert limits.of(None, None) is before
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files - 2, hard))
    made = {each.resource: each for each in limits.of(None, None)}
    assert made[resource.RLIMIT_NOFILE].soft == open_files - 2


def test_calls_with_other_limits_of_time_have_others() -> None:
    limits = Rlimits(Bounds(processes=1))
    seen = {limits.of(seconds, None) for seconds in (1.0, 2.0, None)}
    assert len(seen) == 3
    for seconds in range(1, 200):
        [cpu] = [
            each.soft for each in limits.of(seconds, 1) if each.resource == resource.RLIMIT_CPU
        ]
        assert cpu == seconds * (os.cpu_count() or 1) + 30


def test_no_limit_of_time_is_none_of_the_processor() -> None:
    assert resource.RLIMIT_CPU not in made(Bounds(), timeout_s=float("inf"))
    assert resource.RLIMIT_CPU not in made(Bounds(), timeout_s=None)


def test_the_limit_of_processes_does_not_bind_root() -> None:
    assert (threads_of_user() is None) is (os.getuid() == 0)


def test_the_limit_of_processes_counts_from_what_the_user_runs() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if _counts_threads() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _counts_threads() -> bool:
    """As an ordinary user, with some hundreds of other threads."""
    if os.getuid() == 0:
        os.setresuid(65534, 65534, 65534)
    before = threads_of_user()
    ends = threading.Event()
    threads = [threading.Thread(target=ends.wait) for _ in range(300)]
    for thread in threads:
        thread.start()
    after = threads_of_user()
    ends.set()
    for thread in threads:
        thread.join()
    return before is not None and after is not None and after >= before + 290


def test_no_core_is_dumped() -> None:
    for each in Rlimits(Bounds()).of(None, None):
        assert (each.resource, each.soft, each.hard) == (resource.RLIMIT_CORE, 0, 0)
