"""Slots: of one call at a time, as many as there are calls at once, and not too many."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_exec.launch.sandboxing import CORE
from agent_exec.sandbox.rule_sets import Key, RuleSet
from agent_exec.sandbox.slots import Slot, Slots
from agent_exec.sandbox.tmp import TmpFolders

KIND, OTHER = ("kind",), ("other",)


class Made:
    """Stands for a rule set; its descriptor is one of /dev/null."""

    def __init__(self) -> None:
        self.fd = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def use(slot: Slot, *keys: Key) -> list[RuleSet]:
    """Have a rule set of each key, made where there is none."""
    return [have(slot, key, lambda _: True) for key in keys]


def have(slot: Slot, key: Key, is_right: Callable[[RuleSet], bool]) -> RuleSet:
    kept = slot.rule_set(key, is_right)
    if kept is None:
        slot.add(key, Made())  # type: ignore[arg-type]
        kept = slot.rule_set(key, lambda _: True)
    assert kept is not None
    return kept


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    made = Slots(TmpFolders(str(tmp_path / "tmp")), CORE.is_empty)
    yield made
    made.close()
    assert [entry.name for entry in os.scandir(tmp_path / "tmp") if entry.is_dir()] == []


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_two_calls_at_once_have_two(slots: Slots) -> None:
    first, second = slots.take(KIND), slots.take(KIND)
    assert first.tmp != second.tmp
    slots.give_back(first, again=True)
    slots.give_back(second, again=True)
    assert slots.take(KIND) is second, "the one last used"
    assert slots.take(KIND) is first
    assert slots.take(KIND) not in {first, second}


def test_those_of_a_kind_are_not_for_others(slots: Slots) -> None:
    slot = slots.take(KIND)
    slots.give_back(slot, again=True)
    assert slots.take(OTHER) is not slot
    assert slots.take(None) is not slot
    assert slots.take(KIND) is slot


def test_what_was_made_for_one_call_is_there_for_the_next(slots: Slots) -> None:
    slot = slots.take(KIND)
    first = use(slot, KIND, OTHER)
    slots.give_back(slot, again=True)
    assert use(slots.take(KIND), OTHER, KIND) == first[::-1]
    slots.give_back(slot, again=True)


def test_one_that_is_not_right_is_replaced_and_open_until_the_call_is_over(slots: Slots) -> None:
    slot = slots.take(KIND)
    [old] = use(slot, KIND)
    new = have(slot, KIND, lambda _: False)
    assert new is not old
    assert old.fd >= 0, "a stage of the call may not have started yet"
    slots.give_back(slot, again=True)
    assert (old.fd, new.fd >= 0) == (-1, True)
    assert use(slots.take(KIND), KIND) == [new]
    slots.give_back(slot, again=True)


def test_a_rule_set_that_cannot_be_made_leaves_the_slot_good(slots: Slots) -> None:
    slot = slots.take(KIND)
    [old] = use(slot, KIND)
    assert slot.rule_set(KIND, lambda _: False) is None
    slots.give_back(slot, again=True)
    assert old.fd == -1
    assert slots.take(KIND) is slot


@pytest.mark.parametrize("left", ["file", "folder", "hidden"])
def test_what_a_call_has_left_is_not_there_for_the_next(left: str, slots: Slots) -> None:
    slot = slots.take(KIND)
    if left == "folder":
        os.mkdir(f"{slot.tmp}/a")
        os.symlink("/", f"{slot.tmp}/a/link")
    else:
        Path(slot.tmp, ".x" if left == "hidden" else "x").write_text("secret")
    use(slot, KIND)
    slots.give_back(slot, again=True)
    assert slots.take(KIND) is slot
    assert os.listdir(slot.tmp) == []
    slots.give_back(slot, again=True)


def test_one_that_may_still_be_written_is_never_used_again(slots: Slots) -> None:
    slot = slots.take(KIND)
    [made] = use(slot, KIND)
    slots.give_back(slot, again=False)
    assert made.fd == -1
    assert not os.path.exists(slot.tmp)
    assert slots.take(KIND).tmp != slot.tmp


def test_one_that_is_in_use_stays_until_all_is_closed(slots: Slots) -> None:
    slot = slots.take(KIND)
    [made] = use(slot, KIND)
    slots.give_back(slot, again=False, in_use=True)
    assert made.fd == -1
    assert os.path.isdir(slot.tmp)
    assert slots.take(KIND).tmp != slot.tmp
    slots.close()
    assert not os.path.exists(slot.tmp)


@pytest.mark.parametrize("change", ["removed", "link", "mode"])
def test_one_that_is_not_as_it_was_given_is_not_used_again(
    change: str, slots: Slots, tmp_path: Path
) -> None:
    slot, outside = slots.take(KIND), tmp_path / "outside"
    outside.mkdir(0o700)
    if change != "link":
        (outside / "kept").write_text("x")
    if change == "mode":
        os.chmod(slot.tmp, 0o777)
    else:
        os.rmdir(slot.tmp)
    if change == "link":
        os.symlink(outside, slot.tmp)
    slots.give_back(slot, again=True)
    assert outside.is_dir()
    assert slots.take(KIND) is not slot


@settings(max_examples=30)
@given(at_once=st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=12))
def test_there_are_as_many_of_a_kind_as_calls_of_it_at_once(
    at_once: list[list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folders = TmpFolders(str(tmp_path_factory.mktemp("tmp")))
    slots = Slots(folders, CORE.is_empty)
    seen: dict[int, set[str]] = {}
    made: list[RuleSet] = []
    try:
        for kinds in at_once:
            taken = [slots.take((kind,)) for kind in kinds]
            assert len({slot.tmp for slot in taken}) == len(taken), "no two calls share one"
            for kind, slot in zip(kinds, taken, strict=True):
                seen.setdefault(kind, set()).add(slot.tmp)
                made += use(slot, (kind,))
            for slot in taken:
                slots.give_back(slot, again=True)
        for kind, tmps in seen.items():
            assert len(tmps) == max(kinds.count(kind) for kinds in at_once)
        assert len({id(each) for each in made}) == sum(map(len, seen.values()))
    finally:
        slots.close()


def test_only_so_many_are_kept_and_the_last_used_ones(slots: Slots) -> None:
    before = descriptors()
    often = slots.take(("often",))
    use(often, ("often",))
    slots.give_back(often, again=True)
    for number in range(200):
        slot = slots.take((number,))
        use(slot, (number,), (number, "second"))
        slots.give_back(slot, again=True)
        assert slots.take(("often",)) is often
        slots.give_back(often, again=True)
    assert descriptors() <= before + 128 + 1, "the lock of the folder is one"
    assert len(os.listdir(os.path.dirname(often.tmp))) <= 128 + 1
    again = slots.take((0,))
    assert again.size == 1, "it has given way"
    assert again.tmp not in {often.tmp, slots.take((0,)).tmp}, "no two calls share one"
    slots.close()
    assert descriptors() == before


def test_one_kind_alone_does_not_push_out_all_others_for_good(slots: Slots) -> None:
    """Those not used for longest give way, whatever their kind is used for."""
    burst = [slots.take(KIND) for _ in range(128)]
    for slot in burst:
        use(slot, KIND)
        slots.give_back(slot, again=True)
    for _ in range(3):
        other, again = slots.take(OTHER), slots.take(KIND)
        kept = use(other, OTHER)
        slots.give_back(other, again=True)
        slots.give_back(again, again=True)
        assert use(slots.take(OTHER), OTHER) == kept
        slots.give_back(other, again=True)


def test_one_slot_holds_only_so_many(slots: Slots) -> None:
    slot = slots.take(KIND)
    made = use(slot, *[(number,) for number in range(40)])
    assert all(each.fd >= 0 for each in made), "of one call, all are open until it is over"
    use(slot, (0,))
    slots.give_back(slot, again=True)
    assert slot.size == 16
    assert made[0].fd >= 0, "it was used last"
    assert made[1].fd == -1


def test_a_process_of_few_descriptors_keeps_few(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        slots = Slots(TmpFolders(str(tmp_path)), CORE.is_empty)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    before = descriptors()
    for number in range(100):
        slot = slots.take((number,))
        use(slot, (number,))
        slots.give_back(slot, again=True)
    assert descriptors() == before + 256 // 8 + 1
    slots.close()


def test_what_is_given_back_after_closing_is_let_go(slots: Slots) -> None:
    before = descriptors()
    slot = slots.take(KIND)
    use(slot, KIND)
    slots.close()
    slots.give_back(slot, again=True)
    assert descriptors() == before
    assert slots.take(KIND).tmp != slot.tmp


def test_a_forked_child_has_none_of_its_parent_s(slots: Slots) -> None:
    kept, taken = slots.take(KIND), slots.take(KIND)
    [held] = use(kept, KIND)
    use(taken, KIND)
    slots.give_back(kept, again=True)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        slots.give_back(taken, again=True)
        theirs = slots.take(KIND)
        said = f"{theirs.tmp} {held.fd} {taken.size}"
        slots.close()
        os.write(write_end, said.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    their_tmp, their_fd, size = os.read(read_end, 4096).decode().split()
    os.close(read_end)
    os.close(write_end)
    assert os.path.dirname(their_tmp) != os.path.dirname(kept.tmp)
    assert (their_fd, size) == ("-1", "1"), "what was copied is closed"
    assert not os.path.exists(their_tmp)
    assert os.path.isdir(kept.tmp)
    assert os.path.isdir(taken.tmp)
    assert use(slots.take(KIND), KIND) == [held]
    slots.give_back(kept, again=True)
    slots.give_back(taken, again=True)


@pytest.mark.parametrize("removed", ["its directory", "all of them"])
def test_a_slot_whose_directory_somebody_has_removed_is_not_taken(
    slots: Slots, tmp_path: Path, removed: str
) -> None:
    slot = slots.take(KIND)
    slots.give_back(slot, again=True)
    shutil.rmtree(slot.tmp if removed == "its directory" else tmp_path / "tmp")
    taken = slots.take(KIND)
    assert taken is not slot
    assert os.path.isdir(taken.tmp)
    slots.give_back(taken, again=True)
