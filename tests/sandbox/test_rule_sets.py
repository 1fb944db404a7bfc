"""Rule sets are right for as long as their paths name what they named, and no longer."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_exec.launch.sandboxing import CORE
from agent_exec.sandbox import landlock
from agent_exec.sandbox.rule_sets import RuleSet, RuleSets, Wanted

pytestmark = pytest.mark.skipif(not landlock.version(), reason="needs Landlock")

KEY = ("a",)
NONE_PINNED = -1


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Wanting:
    """Says what is wanted, and counts how often it was asked."""

    def __init__(self, *paths: Path, watched: tuple[Path, ...] = (), of_tmp: int = 0) -> None:
        accesses = {str(path): landlock.READING for path in paths}
        self.wanted = Wanted(accesses, of_tmp, False, False, tuple(map(str, watched)))
        self.asked = 0

    def __call__(self) -> Wanted:
        self.asked += 1
        return self.wanted


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rule_sets(clock: Clock) -> RuleSets:
    return RuleSets(landlock.version(), CORE, clock)


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    made = tmp_path / "of-the-call"
    made.mkdir()
    return made


def where(path: Path) -> landlock.Where:
    status = path.lstat()
    return status.st_dev, status.st_ino


def test_a_watched_path_that_was_replaced_is_seen_at_once(
    rule_sets: RuleSets, tmp_path: Path, tmp: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    made = rule_sets.make(KEY, str(tmp), NONE_PINNED, Wanting(place, watched=(place,)))
    assert rule_sets.is_right(made)
    place.rename(tmp_path / "moved")
    assert not rule_sets.is_right(made)
    place.mkdir()
    assert not rule_sets.is_right(made)
    made.close()


def test_a_path_that_is_not_watched_is_looked_at_now_and_then(
    rule_sets: RuleSets, clock: Clock, tmp_path: Path, tmp: Path
) -> None:
    missing = tmp_path / "later"
    made = rule_sets.make(KEY, str(tmp), NONE_PINNED, Wanting(missing))
    missing.mkdir()
    assert rule_sets.is_right(made)
    clock.now += 1.5
    assert not rule_sets.is_right(made)
    assert not rule_sets.is_right(made), "it is not forgotten that it was not"
    made.close()


def test_the_temp_directory_is_in_it_and_watched(rule_sets: RuleSets, tmp: Path) -> None:
    made = rule_sets.make(KEY, str(tmp), NONE_PINNED, Wanting(of_tmp=landlock.WRITING))
    assert made.seen == {str(tmp): where(tmp)}
    assert made.accesses == {str(tmp): landlock.WRITING}
    tmp.rename(tmp.parent / "moved")
    tmp.mkdir()
    assert not rule_sets.is_right(made)
    made.close()


def test_where_no_temp_directory_is_wanted_there_is_none_in_it(
    rule_sets: RuleSets, tmp_path: Path, tmp: Path
) -> None:
    made = rule_sets.make(KEY, str(tmp), NONE_PINNED, Wanting(tmp_path))
    assert set(made.accesses) == set(made.seen) == {str(tmp_path)}
    made.close()


def test_a_link_in_place_of_a_path_gives_nothing(
    rule_sets: RuleSets, tmp_path: Path, tmp: Path
) -> None:
    (tmp_path / "out").symlink_to("/")
    made = rule_sets.make(KEY, str(tmp), NONE_PINNED, Wanting(tmp_path / "out"))
    assert made.seen == {str(tmp_path / "out"): None}
    made.close()


def test_what_another_of_the_same_key_holds_is_not_worked_out_again(
    rule_sets: RuleSets, tmp_path: Path, tmp: Path
) -> None:
    wanting = Wanting(tmp_path, tmp_path / "missing", of_tmp=landlock.WRITING)
    first = rule_sets.make(KEY, str(tmp), NONE_PINNED, wanting)
    (tmp_path / "other").mkdir()
    second = rule_sets.make(KEY, str(tmp_path / "other"), NONE_PINNED, wanting)
    assert wanting.asked == 1
    assert first.fd != second.fd
    assert str(tmp) not in second.accesses
    assert second.accesses[str(tmp_path / "other")] == landlock.WRITING
    assert second.seen[str(tmp_path / "other")] == where(tmp_path / "other")
    other = rule_sets.make(("b",), str(tmp), NONE_PINNED, wanting)
    assert (wanting.asked, rule_sets.made) == (2, 3)
    for made in (first, second, other):
        made.close()


def _replace(place: Path) -> None:
    place.rename(place.parent / "moved")
    place.mkdir()


def _remove(place: Path) -> None:
    place.rmdir()


def _link(place: Path) -> None:
    place.rename(place.parent / "moved")
    place.symlink_to("moved")


@pytest.mark.parametrize("change", [_replace, _remove, _link])
def test_nothing_is_taken_from_another_whose_paths_name_something_else(
    change: Callable[[Path], None], rule_sets: RuleSets, tmp_path: Path, tmp: Path
) -> None:
    """Also where it is looked at now and then only, and was just before."""
    place = tmp_path / "place"
    place.mkdir()
    wanting = Wanting(place)
    first = rule_sets.make(KEY, str(tmp), NONE_PINNED, wanting)
    change(place)
    before = len(os.listdir("/proc/self/fd"))
    second = rule_sets.make(KEY, str(tmp), NONE_PINNED, wanting)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    assert wanting.asked == 2
    assert second.seen != first.seen
    third = rule_sets.make(KEY, str(tmp), NONE_PINNED, wanting)
    assert wanting.asked == 2, "the last one is taken from"
    for made in (first, second, third):
        made.close()


def test_nothing_is_taken_from_one_that_nobody_keeps(
    rule_sets: RuleSets, tmp_path: Path, tmp: Path
) -> None:
    wanting = Wanting(tmp_path)
    for _ in range(2):
        made = rule_sets.make(KEY, str(tmp), NONE_PINNED, wanting)
        made.close()
        del made
    assert wanting.asked == 2


def test_what_cannot_be_made_is_said_and_nothing_is_left(tmp_path: Path, tmp: Path) -> None:
    def fails(*_: object) -> tuple[int, bytes]:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    rule_sets = RuleSets(landlock.version(), CORE._replace(make_rule_set=fails))
    with pytest.raises(OSError, match="allocate memory"):
        rule_sets.make(KEY, str(tmp), NONE_PINNED, Wanting(tmp_path))
    assert rule_sets.made == 0


def test_a_descriptor_is_not_left_where_nothing_can_be_made_of_it(
    tmp_path: Path, tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(RuleSet, "__init__", fails)
    with pytest.raises(MemoryError):
        RuleSets(landlock.version(), CORE).make(KEY, str(tmp), NONE_PINNED, Wanting(tmp_path))


def test_closing_twice_closes_no_other_s_descriptor(
    rule_sets: RuleSets, tmp_path: Path, tmp: Path
) -> None:
    made: RuleSet = rule_sets.make(KEY, str(tmp), NONE_PINNED, Wanting(tmp_path))
    number = made.fd
    made.close()
    other = os.open("/", os.O_PATH)
    assert other == number
    made.close()
    os.close(other)
