"""Files of redirections are opened as a shell opens them, and through no link put there since."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from agent_exec.model.script import Operator
from agent_exec.runtime.open_file import OnlyByBashError, open_file


def content(fd: int) -> bytes:
    with open(fd, "rb") as file:
        return file.read()


@pytest.mark.parametrize(
    ("operator", "before", "written", "after"),
    [
        (Operator.WRITE, b"old", b"n", b"n"),
        (Operator.CLOBBER, b"old", b"n", b"n"),
        (Operator.WRITE_BOTH, b"old", b"n", b"n"),
        (Operator.APPEND, b"old", b"n", b"oldn"),
        (Operator.APPEND_BOTH, b"old", b"n", b"oldn"),
        (Operator.READ_WRITE, b"old", b"n", b"nld"),
        (Operator.WRITE, None, b"n", b"n"),
        (Operator.APPEND, None, b"n", b"n"),
        (Operator.READ_WRITE, None, b"n", b"n"),
    ],
)
def test_as_a_shell_does(
    tmp_path: Path, operator: Operator, before: bytes | None, written: bytes, after: bytes
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    fd = open_file("file", str(tmp_path), operator)
    try:
        assert not os.get_inheritable(fd)
        assert os.get_blocking(fd)
        os.write(fd, written)
    finally:
        os.close(fd)
    assert path.read_bytes() == after


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_file("file", str(tmp_path), Operator.READ)
    (tmp_path / "file").write_bytes(b"text")
    assert content(open_file("file", str(tmp_path), Operator.READ)) == b"text"
    assert content(open_file(str(tmp_path / "file"), "/", Operator.READ)) == b"text"


def test_links_that_were_there_are_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"text")
    (tmp_path / "to-folder").symlink_to("folder")
    (tmp_path / "to-file").symlink_to("to-folder/file")
    assert content(open_file("to-file", str(tmp_path), Operator.READ)) == b"text"
    os.close(open_file("to-folder/new", str(tmp_path), Operator.WRITE))
    assert (tmp_path / "folder" / "new").exists()


@pytest.mark.parametrize("place", ["file", "folder/file"])
def test_a_link_that_appears_after_the_look_is_not_followed(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    real = os.path.realpath

    def swaps(path: str) -> str:
        monkeypatch.setattr(os.path, "realpath", real)
        seen = real(path)
        if place == "file":
            (inside / "file").symlink_to(outside / "file")
        else:
            (inside / "folder").rename(inside / "moved")
            (inside / "folder").symlink_to(outside)
        return seen

    monkeypatch.setattr(os.path, "realpath", swaps)
    with pytest.raises(OSError, match="Errno") as caught:
        open_file(place, str(inside), Operator.WRITE)
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("operator", [Operator.WRITE, Operator.READ, Operator.READ_WRITE])
def test_a_named_pipe_is_said_to_be_one_and_not_waited_for(
    tmp_path: Path, operator: Operator
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OnlyByBashError):
        open_file("pipe", str(tmp_path), operator)


def test_a_named_pipe_that_somebody_reads_is_one_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OnlyByBashError):
            open_file("pipe", str(tmp_path), Operator.WRITE)
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("name", "operator", "number"),
    [
        ("folder", Operator.WRITE, errno.EISDIR),
        ("folder/", Operator.WRITE, errno.EISDIR),
        ("new/", Operator.WRITE, errno.EISDIR),
        ("missing/file", Operator.WRITE, errno.ENOENT),
        ("plain/file", Operator.WRITE, errno.ENOTDIR),
        ("loop", Operator.READ, errno.ELOOP),
        ("missing/../plain", Operator.READ, errno.ENOENT),
        ("missing/../new", Operator.WRITE, errno.ENOENT),
        ("plain/../new", Operator.WRITE, errno.ENOTDIR),
        ("plain/.", Operator.READ, errno.ENOTDIR),
        ("folder/..", Operator.WRITE, errno.EISDIR),
        ("astray", Operator.READ, errno.ENOENT),
        ("x" * 300, Operator.WRITE, errno.ENAMETOOLONG),
    ],
)
def test_what_open_says_is_said(tmp_path: Path, name: str, operator: Operator, number: int) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "astray").symlink_to("missing/../plain")
    with pytest.raises(OSError, match="Errno") as caught:
        open_file(name, str(tmp_path), operator)
    assert caught.value.errno == number


@pytest.mark.parametrize("named", ["/dev/./stdin", "/proc/self/fd/0", "link", "/dev/tty"])
def test_a_file_that_is_another_one_for_each_process_is_not_opened(
    tmp_path: Path, named: str
) -> None:
    (tmp_path / "link").symlink_to("/dev/fd/0")
    with pytest.raises(OnlyByBashError):
        open_file(named, str(tmp_path), Operator.READ)


def test_many_at_once_leave_no_descriptor(tmp_path: Path) -> None:
    def some() -> None:
        for _ in range(20):
            os.close(open_file("a/b/../b/file", str(tmp_path), Operator.APPEND))

    (tmp_path / "a" / "b").mkdir(parents=True)
    threads = [threading.Thread(target=some) for _ in range(4)]
    before = os.listdir("/proc/self/fd")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(os.listdir("/proc/self/fd")) == len(before)
