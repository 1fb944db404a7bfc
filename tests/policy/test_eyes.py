"""Questions to the file system, and whether their answers are told apart from others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR, S_ISLNK

import pytest

from agent_exec.launch.glances import asker
from agent_exec.launch.native import still_so
from agent_exec.policy import eyes
from agent_exec.policy.eyes import Eyes, Glance, is_still_so

WAYS = [
    pytest.param(is_still_so, id="python"),
    pytest.param(lambda glances: asker(glances)(), id="native"),
]
Ask = Callable[[tuple[Glance, ...]], bool]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eyes, "_SETTLED_NS", 0)


def read(asking: Eyes, path: Path) -> None:
    with path.open("rb") as file:
        asking.opened(str(path), os.fstat(file.fileno()))


def swap(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def move_behind_a_link(path: Path) -> None:
    path.parent.rename(f"{path.parent}.x")
    swap(path.parent, f"{path.parent}.x")


def rewrite(path: Path) -> None:
    """The same size, the same mtime."""
    status = path.stat()
    path.write_text("eno")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# What is asked of a file "one" (content "one", mode 0644), and what makes the answer another.
CASES: list[tuple[str, Callable[[Eyes, Path], object], Callable[[Path], object]]] = [
    ("a-link-now", lambda e, f: e.link(str(f)), lambda f: swap(f, "x")),
    ("not-executable-then", lambda e, f: e.may_execute(str(f)), lambda f: f.chmod(0o755)),
    ("mode", lambda e, f: e.stat(str(f)), lambda f: f.chmod(0o664)),
    ("type", lambda e, f: e.stat(str(f)), become_a_folder),
    ("gone", lambda e, f: e.stat(str(f)), lambda f: f.unlink()),
    ("own-mode", lambda e, f: e.lstat(str(f)), lambda f: swap(f, "x")),
    ("there-now", lambda e, f: e.is_there(f"{f}.x"), lambda f: Path(f"{f}.x").write_text("")),
    ("there-no-more", lambda e, f: e.is_there(str(f)), lambda f: f.unlink()),
    ("content", read, lambda f: f.write_text("other")),
    ("content-of-the-same-size-and-time", read, rewrite),
    ("another-file", read, lambda f: (f.rename(f"{f}.x"), Path(f).write_text("one"))),
    ("no-file", read, lambda f: f.unlink()),
    ("real", lambda e, f: e.realpath(str(f)), lambda f: swap(f, "x")),
    ("real-way", lambda e, f: e.realpath(str(f)), move_behind_a_link),
]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize(
    ("look", "change"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_another_answer_is_noticed(
    tmp_path: Path,
    ask: Ask,
    look: Callable[[Eyes, Path], object],
    change: Callable[[Path], object],
) -> None:
    file = tmp_path / "folder" / "one"
    file.parent.mkdir()
    file.write_text("one")
    asking = Eyes()
    look(asking, file)
    glances = asking.glances()
    assert glances
    assert ask(glances)
    change(file)
    assert not ask(glances)


@pytest.mark.parametrize("ask", WAYS)
def test_another_target_of_a_link_is_noticed(tmp_path: Path, ask: Ask) -> None:
    link = tmp_path / "link"
    swap(link, "target")
    asking = Eyes()
    asking.link(str(link))
    glances = asking.glances()
    assert glances is not None
    assert ask(glances)
    for other in ("targex", "targe", "target2"):
        swap(link, other)
        assert not ask(glances)


@pytest.mark.parametrize("ask", WAYS)
def test_an_owner_is_part_of_the_answer(tmp_path: Path, ask: Ask) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    file = tmp_path / "file"
    file.write_text("")
    asking = Eyes()
    asking.stat(str(file))
    glances = asking.glances()
    assert glances is not None
    os.chown(file, 65534, -1)
    assert not ask(glances)


@pytest.mark.parametrize("ask", WAYS)
def test_a_name_of_any_bytes_is_asked_about(tmp_path: Path, ask: Ask) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n")
    asking = Eyes()
    assert not asking.is_there(name)
    glances = asking.glances()
    assert glances is not None
    assert ask(glances)
    Path(name).write_text("")
    assert not ask(glances)


def test_what_changed_while_it_was_looked_at_is_not_kept(tmp_path: Path) -> None:
    asking = Eyes()
    assert not asking.is_there(str(tmp_path / "x"))
    (tmp_path / "x").write_text("")
    assert asking.is_there(str(tmp_path / "x"))
    assert asking.glances() is None


def test_what_was_just_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eyes, "_SETTLED_NS", 10**18)
    (tmp_path / "x").write_text("")
    asking = Eyes()
    read(asking, tmp_path / "x")
    assert asking.glances() is None


def test_a_path_that_is_not_real_is_not_kept(tmp_path: Path) -> None:
    asking = Eyes()
    assert asking.realpath(f"{tmp_path}/../{tmp_path.name}") == str(tmp_path)
    assert asking.glances() is None


@pytest.mark.parametrize(
    "packed", [b"x", b"\xff" * 64, bytes(64), b"\0" * 8 + b"\xff" * 200], ids=len
)
def test_what_is_no_list_of_questions_has_no_answer(packed: bytes) -> None:
    assert not still_so(packed)


def test_each_question_is_asked_once_and_links_are_told_from_what_they_lead_to(
    tmp_path: Path,
) -> None:
    link = tmp_path / "link"
    swap(link, "x")
    (tmp_path / "x").mkdir(mode=0o700)
    asking = Eyes()
    first = (asking.link(str(link)), asking.stat(str(link)), asking.lstat(str(link)))
    assert S_ISDIR(first[1].mode)
    assert S_ISLNK(first[2].mode)

    swap(link, "y")

    assert (asking.link(str(link)), asking.stat(str(link)), asking.lstat(str(link))) == first
    assert Eyes().link(str(link)) == "y"
