"""Ballast on a small scale; at full size it is in test_workers.py."""

from __future__ import annotations

import resource
from contextlib import ExitStack

import pytest

from agent_exec.bench.launch import ballast
from agent_exec.bench.launch.ballast import Ballast, load, why_not
from agent_exec.bench.launch.belongings import count_belongings

SIZE = 32 << 20


def test_memory_is_resident_and_threads_are_there_until_they_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ballast, "MEMORY_BYTES", SIZE)
    monkeypatch.setattr(ballast, "THREADS", 3)
    before = count_belongings()
    with ExitStack() as holds:
        load(Ballast.MEMORY, holds)
        during = count_belongings()
    after = count_belongings()

    assert during.threads - before.threads == 3
    assert during.rss_bytes - before.rss_bytes >= SIZE
    assert after.threads == before.threads
    assert after.rss_bytes - before.rss_bytes < SIZE // 2


def test_memory_is_in_pages_of_the_smallest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "MEMORY_BYTES", SIZE)
    monkeypatch.setattr(ballast, "THREADS", 0)
    with ExitStack() as holds:
        load(Ballast.MEMORY, holds)
        regions = _regions()
    (flags,) = (flags for size, flags in regions if size == SIZE)
    assert "nh" in flags, "no MADV_NOHUGEPAGE"


def _regions() -> list[tuple[int, list[str]]]:
    """Size and flags of every mapping, from /proc/self/smaps."""
    sizes, flags = [], []
    with open("/proc/self/smaps", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("Size:"):
                sizes.append(int(line.split()[1]) << 10)
            if line.startswith("VmFlags:"):
                flags.append(line.split()[1:])
    return list(zip(sizes, flags, strict=True))


@pytest.mark.parametrize("kind", [Ballast.DESCRIPTORS_BEFORE, Ballast.DESCRIPTORS_AFTER])
def test_descriptors_are_open_until_they_are_let_go(
    kind: Ballast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ballast, "DESCRIPTORS", 50)
    before = count_belongings()
    with ExitStack() as holds:
        load(kind, holds)
        during = count_belongings()
    after = count_belongings()

    assert during.descriptors - before.descriptors == 50
    assert after.descriptors == before.descriptors


def test_without_ballast_nothing_is_held() -> None:
    before = count_belongings()
    with ExitStack() as holds:
        load(Ballast.NONE, holds)
        during = count_belongings()
    assert (during.descriptors, during.threads) == (before.descriptors, before.threads)
    assert why_not(Ballast.NONE) is None


def test_a_machine_with_little_memory_cannot_carry_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "MEMORY_BYTES", 1 << 60)
    reason = why_not(Ballast.MEMORY)
    assert reason is not None
    assert reason.startswith("only ")


@pytest.mark.parametrize(
    ("hard", "reason"),
    [
        pytest.param(4096, "the limit on open descriptors is 4096", id="too-low"),
        pytest.param(10_512, None, id="enough"),
        pytest.param(resource.RLIM_INFINITY, None, id="no-limit"),
    ],
)
def test_the_limit_on_descriptors_decides(
    hard: int, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, hard))
    assert why_not(Ballast.DESCRIPTORS_BEFORE) == reason
