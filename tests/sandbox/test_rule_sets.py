"""Rule sets are kept while they are right, and no longer."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_exec.sandbox import landlock
from agent_exec.sandbox.rule_sets import RuleSets, Wanted

pytestmark = pytest.mark.skipif(not landlock.version(), reason="needs Landlock")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rule_sets(clock: Clock) -> Iterator[RuleSets]:
    made = RuleSets(landlock.version(), clock)
    yield made
    made.close()


def wanting(*paths: Path, watched: tuple[Path, ...] = ()) -> Callable[[], Wanted]:
    accesses = {str(path): landlock.READING for path in paths}
    return lambda: Wanted(accesses, False, False, tuple(map(str, watched)))


def test_the_same_rights_get_the_same_rule_set(rule_sets: RuleSets, tmp_path: Path) -> None:
    wanted = wanting(tmp_path, watched=(tmp_path,))
    first, again = rule_sets.lease(("a",), wanted), rule_sets.lease(("a",), wanted)
    other = rule_sets.lease(("b",), wanted)
    assert first is again
    assert first is not other
    assert rule_sets.made == 2
    for each in (first, again, other):
        rule_sets.release(each)


def test_one_whose_path_was_replaced_is_made_again(rule_sets: RuleSets, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    wanted = wanting(place, watched=(place,))
    first = rule_sets.lease(("a",), wanted)
    place.rename(tmp_path / "moved")
    place.mkdir()
    second = rule_sets.lease(("a",), wanted)
    assert first is not second
    assert os.fstat(first.fd), "it is held by somebody"
    rule_sets.release(first)
    assert first.fd == -1
    rule_sets.release(second)
    assert second.fd >= 0


def test_a_path_that_is_not_watched_is_looked_at_now_and_then(
    rule_sets: RuleSets, clock: Clock, tmp_path: Path
) -> None:
    missing = tmp_path / "later"
    first = rule_sets.lease(("a",), wanting(missing))
    rule_sets.release(first)
    missing.mkdir()
    assert rule_sets.lease(("a",), wanting(missing)) is first
    rule_sets.release(first)
    clock.now += 1.5
    second = rule_sets.lease(("a",), wanting(missing))
    assert second is not first
    rule_sets.release(second)


def test_a_link_in_place_of_a_path_gives_nothing(rule_sets: RuleSets, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/")
    held = rule_sets.lease(("a",), wanting(tmp_path / "out"))
    assert held.seen == {str(tmp_path / "out"): None}
    rule_sets.release(held)


def test_only_so_many_are_kept_and_none_that_is_forgotten(
    rule_sets: RuleSets, tmp_path: Path
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(100):
        rule_sets.release(rule_sets.lease((number,), wanting(tmp_path)))
    assert len(os.listdir("/proc/self/fd")) <= before + 65
    rule_sets.forget(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_cannot_be_made_is_said_and_nothing_is_left(
    number: int, rule_sets: RuleSets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(rule_set: int, fd: int, access: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(landlock, "allow", fails)
    with pytest.raises(OSError, match=os.strerror(number)):
        rule_sets.lease(("a",), wanting(tmp_path))
    assert rule_sets.made == 0
