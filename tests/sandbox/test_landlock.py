"""The access rights of each version of Landlock, and what a rule set is made of."""

from __future__ import annotations

import pytest

from agent_exec.sandbox import landlock

HANDLED = {
    1: 0x1FFF,
    2: 0x3FFF,
    3: 0x7FFF,
    4: 0x7FFF,
    5: 0xFFFF,
    6: 0xFFFF,
    7: 0xFFFF,
}


@pytest.mark.parametrize("abi", HANDLED)
def test_a_rule_set_withholds_all_that_its_version_can(abi: int) -> None:
    assert landlock.handled_fs(abi) == HANDLED[abi]


def test_what_may_be_said_of_a_file_is_what_the_kernel_says() -> None:
    # ACCESS_FILE in security/landlock/fs.c
    assert landlock.OF_FILES == 0x1 | 0x2 | 0x4 | 0x4000 | 0x8000


def test_writing_makes_no_device_files() -> None:
    assert not landlock.WRITING & (landlock.MAKE_CHAR | landlock.MAKE_BLOCK)
    assert not landlock.WRITING & (landlock.READING | landlock.EXECUTE | landlock.IOCTL_DEV)


def test_a_path_with_a_nul_names_nothing_that_could_be_meant() -> None:
    with pytest.raises(ValueError, match="NUL"):
        landlock.rules({"/tmp\0/x": landlock.READING})


@pytest.mark.parametrize("length", [1, 6, 7, 8, 9, 15, 16, 4000])
def test_rules_stand_one_behind_another(length: int) -> None:
    one = landlock.rules({"/" + "x" * (length - 1): 1})
    assert len(one) % 8 == 0
    assert landlock.rules({"/a": 1, "/b": 2}) == landlock.rules({"/a": 1}) + landlock.rules(
        {"/b": 2}
    )
