"""The access rights of each version of Landlock, and the system calls."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agent_exec.sandbox import landlock

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="needs Landlock")

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


@needs_landlock
@pytest.mark.parametrize("abi", [abi for abi in HANDLED if abi <= landlock.version()])
@pytest.mark.parametrize("network", [True, False])
def test_a_rule_set_of_every_version_up_to_the_kernel_s_can_be_made(
    abi: int, network: bool, tmp_path: Path
) -> None:
    rule_set = landlock.create(abi, network=network, signal=False)
    fd = landlock.open_path(str(tmp_path))
    try:
        assert not os.get_inheritable(rule_set)
        landlock.allow(rule_set, fd, landlock.handled_fs(abi))
        if landlock.handled_fs(abi) != 0xFFFF:
            with pytest.raises(OSError, match="Invalid argument"):
                landlock.allow(rule_set, fd, 0xFFFF)
    finally:
        os.close(fd)
        os.close(rule_set)


def test_no_link_is_followed_to_what_a_rule_is_about(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for path in (tmp_path / "link", tmp_path / "link/."):
        with pytest.raises(OSError, match="symbolic") as caught:
            landlock.open_path(str(path))
        assert caught.value.errno == errno.ELOOP
    os.close(landlock.open_path(str(tmp_path / "real")))
