"""Rule sets of Landlock as the C core makes them; and whether a directory is empty."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from realproc import Plans, make_engine, make_launcher

from agent_exec.launch.native import is_empty, make_rule_set, rules_hold
from agent_exec.model.confinement import Confinement
from agent_exec.sandbox import landlock

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="needs Landlock")
ALL = landlock.handled_fs(max(landlock.version(), 1))
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc")


def attribute() -> bytes:
    return landlock.attribute(landlock.version(), network=True, signal=True)


def make(accesses: dict[str, int], pinned: int = -1) -> tuple[int, dict[str, landlock.Where]]:
    rules = landlock.rules(accesses)
    fd, found = make_rule_set(attribute(), rules, landlock.OF_FILES, pinned, landlock.EXECUTE)
    return fd, landlock.places(accesses, found)


def where(path: Path) -> landlock.Where:
    status = path.lstat()
    return status.st_dev, status.st_ino


@contextmanager
def descriptors_left(number: int) -> Iterator[None]:
    """No more than so many can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/", os.O_PATH)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare + number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs_landlock
@pytest.mark.parametrize("abi", range(1, landlock.version() + 1))
@pytest.mark.parametrize("network", [True, False])
def test_one_of_every_version_up_to_the_kernel_s_can_be_made(
    abi: int, network: bool, tmp_path: Path
) -> None:
    kind = landlock.attribute(abi, network=network, signal=False)
    # What the version does not withhold cannot be given: the kernel would refuse it.
    rules = landlock.rules({str(tmp_path): 0xFFFF})
    fd, found = make_rule_set(kind, rules, landlock.OF_FILES, -1, 0)
    assert landlock.places([str(tmp_path)], found) == {str(tmp_path): where(tmp_path)}
    assert not os.get_inheritable(fd)
    os.close(fd)


@needs_landlock
def test_it_tells_what_each_path_was_and_follows_no_link(tmp_path: Path) -> None:
    folder, file, link = tmp_path / "folder", tmp_path / "file", tmp_path / "link"
    folder.mkdir()
    file.write_text("x")
    link.symlink_to(folder)
    names = {
        folder: where(folder),
        file: where(file),
        link: None,
        link / ".": None,
        link / "below": None,
        tmp_path / "no/such": None,
        file / "below": None,
        tmp_path / ("n" * 300): None,
    }
    fd, seen = make({str(path): ALL for path in names})
    os.close(fd)
    assert seen == {str(path): place for path, place in names.items()}


@needs_landlock
def test_what_has_no_access_left_has_no_rule(tmp_path: Path) -> None:
    """The kernel would refuse one that gives nothing: EINVAL, ENOMSG."""
    (tmp_path / "file").write_text("x")
    accesses = {str(tmp_path): 0, str(tmp_path / "file"): landlock.READ_DIR | landlock.MAKE_REG}
    fd, seen = make(accesses)
    os.close(fd)
    assert None not in seen.values()


@needs_landlock
def test_a_child_may_what_its_rules_say_and_no_more(tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    for place in (given, other):
        place.mkdir()
        (place / "file").write_text("x\n")
    (tmp_path / "link").symlink_to("other")
    system = dict.fromkeys(map(os.path.realpath, SYSTEM), landlock.READING | landlock.EXECUTE)
    accesses = {
        **system,
        str(given): landlock.READING,
        str(other / "file"): landlock.WRITE_FILE | landlock.TRUNCATE | landlock.MAKE_REG,
        str(tmp_path / "link"): landlock.READING,
    }
    fd, _ = make(accesses)
    script = (
        "cat given/file; cat other/file; cat link/file;"
        "echo new > other/file; echo x > given/file; echo x > other/more"
    )
    engine = make_engine("native", max_concurrent=1)
    try:
        with Plans(make_launcher("native")) as plans:
            stage = plans.sh(f"cd {tmp_path}; {script}", confinement=Confinement(landlock=fd))
            outcome = engine.run_sync(plans.call(stage))
    finally:
        engine.close()
        os.close(fd)
    assert outcome.stdout.head == b"x\n"
    assert (other / "file").read_text() == "new\n"
    assert (given / "file").read_text() == "x\n"
    assert not (other / "more").exists()


@needs_landlock
@pytest.mark.parametrize("left", [0, 1], ids=["no-rule-set", "no-path"])
def test_without_descriptors_it_is_not_made_and_none_is_left(left: int, tmp_path: Path) -> None:
    with descriptors_left(left), pytest.raises(OSError, match="Too many open files") as caught:
        make({str(tmp_path): ALL})
    assert caught.value.errno == errno.EMFILE
    fd, _ = make({str(tmp_path): ALL})
    os.close(fd)


@needs_landlock
def test_an_error_at_the_last_rule_leaves_no_descriptor(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    before = os.listdir("/proc/self/fd")
    for pinned, number in ((read_end, errno.EBADFD), (9999, errno.EBADF)):
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            make({str(tmp_path): ALL, "/no/such": ALL}, pinned)
        assert caught.value.errno == number
    assert os.listdir("/proc/self/fd") == before
    os.close(read_end)
    os.close(write_end)


_ONE = landlock.rules({"/tmp": landlock.READING})


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(_ONE[:7], id="no-head"),
        pytest.param(_ONE[:16], id="no-path"),
        pytest.param(_ONE[:-8], id="cut"),
        pytest.param(_ONE[:-1], id="padding-cut"),
        pytest.param(_ONE + b"\0", id="more"),
        pytest.param(_ONE[:16] + b"/t\0p" + bytes(4), id="a-nul"),
        pytest.param(_ONE[:8] + b"\xff" * 8 + _ONE[16:], id="too-long"),
    ],
)
def test_rules_that_are_not_made_so_are_refused(rules: bytes) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        make_rule_set(attribute(), rules, landlock.OF_FILES, -1, 0)


@needs_landlock
def test_whether_paths_name_what_they_named_is_asked_again(tmp_path: Path) -> None:
    folder, missing = tmp_path / "folder", tmp_path / "missing"
    folder.mkdir()
    rules = landlock.rules({str(folder): ALL, str(missing): ALL})
    fd, found = make_rule_set(attribute(), rules, landlock.OF_FILES, -1, 0)
    os.close(fd)
    assert rules_hold(rules, found)
    (folder / "file").write_text("what is in it does not matter")
    assert rules_hold(rules, found)
    missing.symlink_to("folder")
    assert rules_hold(rules, found), "a link gives nothing"
    missing.unlink()
    missing.mkdir()
    assert not rules_hold(rules, found)
    missing.rmdir()
    folder.rename(tmp_path / "moved")
    assert not rules_hold(rules, found)
    folder.symlink_to("moved")
    assert not rules_hold(rules, found), "through a link it would be the same"
    folder.unlink()
    folder.mkdir()
    assert not rules_hold(rules, found)
    folder.rmdir()
    (tmp_path / "moved").rename(folder)
    assert rules_hold(rules, found)


def test_a_place_is_asked_for_with_every_rule() -> None:
    for places in (b"", bytes(landlock.PLACE_SIZE - 1), bytes(landlock.PLACE_SIZE * 2)):
        with pytest.raises(OSError, match="Invalid argument"):
            rules_hold(_ONE, places)
    with pytest.raises(OSError, match="Invalid argument"):
        rules_hold(_ONE[:-1], bytes(landlock.PLACE_SIZE))
    assert rules_hold(b"", b"")


def test_a_directory_is_empty_or_not(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(0o700)
    name = os.fsencode(folder)
    assert is_empty(name, 0o700)
    assert not is_empty(name, 0o755)
    for entry in (".hidden", "...", "n" * 255):
        (folder / entry).write_text("")
        assert not is_empty(name, 0o700)
        (folder / entry).unlink()
    assert is_empty(name, 0o700)
    folder.chmod(0o1700)
    assert not is_empty(name, 0o700)


@pytest.mark.parametrize("kind", ["gone", "file", "link"])
def test_what_is_no_directory_is_said(kind: str, tmp_path: Path) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    other.mkdir(0o700)
    if kind == "file":
        place.write_text("")
    if kind == "link":
        place.symlink_to(other)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is looked at
        is_empty(os.fsencode(place), 0o700)
    assert caught.value.errno == (errno.ENOENT if kind == "gone" else errno.ENOTDIR)
    with descriptors_left(0), pytest.raises(OSError, match="Too many open files"):
        is_empty(os.fsencode(other), 0o700)
