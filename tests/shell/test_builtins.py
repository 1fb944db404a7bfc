"""What builtins do. `tests/shell/test_execution.py` compares them with bash's."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agent_exec.runtime.places import RealPlaces
from agent_exec.shell.builtins import BUILTINS
from agent_exec.shell.builtins.state import Done, ShellState

STATE = ShellState("/src/tree", {"HOME": "/home/x", "PWD": "/src/tree"}, status=4)


class Nowhere:
    """A file system in which some directories can be entered, and nothing else is."""

    def __init__(self, real: Mapping[str, str]) -> None:
        self._real = real

    def enter(self, path: str) -> int:
        return 0 if path in self._real else errno.ENOENT

    def real(self, path: str) -> str:
        return self._real.get(path, path)

    def status(self, path: str, *, follow: bool) -> os.stat_result | None:
        del follow
        return os.stat("/") if path in self._real else None

    def access(self, path: str, mode: int) -> bool:
        del path, mode
        return False


def _do(*words: str, places: Nowhere | None = None) -> Done:
    name, *arguments = words
    return BUILTINS[name](arguments, STATE, places or Nowhere({}))


@pytest.mark.parametrize(
    ("words", "out"),
    [
        pytest.param(["echo"], b"\n", id="nothing"),
        pytest.param(["echo", "a", "", "b"], b"a  b\n", id="an-empty-word"),
        pytest.param(["echo", "-n", "a"], b"a", id="no-newline"),
        pytest.param(["echo", "-nx", "a"], b"-nx a\n", id="no-option"),
        pytest.param(["echo", "-e", r"a\tb\x41\0101\\"], b"a\tbAA\\\n", id="escapes"),
        pytest.param(["echo", "-e", r"a\cb", "c"], b"a", id="the-end"),
        pytest.param(["echo", "-eE", r"a\t"], b"a\\t\n", id="the-last-option-counts"),
        pytest.param(["echo", r"a\t"], b"a\\t\n", id="no-escapes"),
        pytest.param(["printf", "%s-%s\n", "a", "b", "c"], b"a-b\nc-\n", id="format-again"),
        pytest.param(
            ["printf", "%5d|%-3s|%03d\n", "7", "a", "-4"], b"    7|a  |-04\n", id="widths"
        ),
        pytest.param(["printf", "--", "x"], b"x", id="end-of-options"),
        pytest.param(["pwd"], b"/src/tree\n", id="pwd"),
    ],
)
def test_output(words: list[str], out: bytes) -> None:
    assert _do(*words) == Done(STATE, 0, out)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["true"], 0),
        (["false"], 1),
        ([":", "x"], 0),
        (["test"], 1),
        (["test", ""], 1),
        (["test", "a"], 0),
        (["test", "-z", ""], 0),
        (["test", "!", "-z", ""], 1),
        (["test", "!", "a", "=", "a"], 1),
        (["[", "2", "-lt", "10", "]"], 0),
        (["[", "-e", "/", "]"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_status(words: Sequence[str], status: int) -> None:
    assert _do(*words) == Done(STATE, status)


def test_cd_goes_by_the_words_of_a_path_and_notes_where_it_was() -> None:
    places = Nowhere({"/src/tree": "", "/src/x": "", "/src/link": "/elsewhere"})
    done = _do("cd", "--", "../x/../link", places=places)
    assert done.status == 0
    assert done.state.cwd == "/src/link"
    assert done.state.variables == {
        "HOME": "/home/x",
        "PWD": "/src/link",
        "OLDPWD": "/src/tree",
    }
    assert BUILTINS["pwd"](["-P"], done.state, places).out == b"/elsewhere\n"


@pytest.mark.parametrize("target", ["x/../y", "/src/tree/x/../y"])
def test_cd_goes_by_links_where_words_lead_nowhere(target: str) -> None:
    written = "/src/tree/x/../y"
    done = _do("cd", target, places=Nowhere({"/src/tree/x": "", written: "/elsewhere/y"}))
    assert (done.status, done.state.cwd, done.state.foreseen) == (0, "/elsewhere/y", False)
    further = BUILTINS["cd"](["/src"], done.state, Nowhere({"/src": ""}))
    assert (further.state.cwd, further.state.foreseen) == ("/src", False)


def test_cd_takes_back_only_what_is_there() -> None:
    places = Nowhere({"/src/tree": "", "/src/tree/y": ""})
    missing = "cd: x/../y: No such file or directory"
    assert _do("cd", "x/../y", places=places) == Done(STATE, 1, error=missing)


def test_cd_that_fails_changes_nothing() -> None:
    assert _do("cd", "x") == Done(STATE, 1, error="cd: x: No such file or directory")
    assert _do("cd", "x", "y") == Done(STATE, 1, error="cd: too many arguments")


def test_command_says_what_bash_would_run(tmp_path: Path) -> None:
    for folder, name, mode in (("one", "a", 0o644), ("two", "a", 0o755), ("two", "b", 0o644)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).touch(mode)
    (tmp_path / "two" / "c").mkdir()
    state = ShellState(str(tmp_path), {"PATH": f"{tmp_path}/one:{tmp_path}/two//:/nosuch"})

    def said(*names: str) -> tuple[int, list[str]]:
        done = BUILTINS["command"](["-v", *names], state, RealPlaces())
        return done.status, done.out.decode().splitlines()

    assert said("a", "b", "c", "d") == (0, [f"{tmp_path}/two//a", f"{tmp_path}/two//b"])
    assert said("two/a", "./two/b", "two", "nosuch/a") == (0, ["two/a"])
    assert said("cd", "if", "command") == (0, ["cd", "if", "command"])
    assert said("d", "c") == (1, [])


def test_exit_gives_its_number_or_the_last_status() -> None:
    assert _do("exit") == Done(STATE, 4, ends=True)
    assert _do("exit", "-1") == Done(STATE, 255, ends=True)


def test_export_sets_a_variable() -> None:
    done = _do("export", "A=1=2", "HOME")
    assert done.state.variables == {**STATE.variables, "A": "1=2"}
