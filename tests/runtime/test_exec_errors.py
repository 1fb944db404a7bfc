"""The words of bash. `tests/shell/test_execution.py` compares them with bash itself."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agent_exec import ExecTool
from agent_exec.runtime.exec_errors import (
    Failure,
    interpreter_error,
    is_text,
    not_executed,
    not_found,
)


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        pytest.param("x", Failure("x: command not found", 127), id="a-name"),
        pytest.param("./x", Failure("./x: No such file or directory", 127), id="a-path"),
        pytest.param("./d", Failure("./d: Is a directory", 126), id="a-directory"),
        pytest.param("./f", Failure("./f: Permission denied", 126), id="not-executable"),
        pytest.param("f/x", Failure("f/x: Not a directory", 126), id="beneath-a-file"),
    ],
)
def test_what_is_said_of_what_is_not_found(tmp_path: Path, name: str, failure: Failure) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").touch()
    assert not_found(name, str(tmp_path), {}) == failure


def test_what_is_said_of_a_failed_exec(tmp_path: Path) -> None:
    script = tmp_path / "s"
    script.write_text("#! /no/such -x\n")
    path = str(script)
    assert not_executed("./s", path, errno.ENOENT) == Failure(
        "./s: cannot execute: required file not found", 127
    )
    assert not_executed("./s", path, errno.EACCES) == Failure(
        "./s: /no/such: bad interpreter: Permission denied", 126, lined=False
    )
    # By its path, where it was found by its name.
    assert not_executed("s", path, errno.E2BIG) == Failure(f"{path}: Argument list too long", 126)
    assert interpreter_error(path, "/") == errno.ENOENT


def test_the_interpreter_of_a_script_is_looked_up_where_the_child_works(tmp_path: Path) -> None:
    script = tmp_path / "s"
    script.write_text("#!bin/x\n")
    assert interpreter_error(str(script), str(tmp_path)) == errno.ENOENT
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "x").touch(mode=0o644)
    assert interpreter_error(str(script), str(tmp_path)) == errno.EACCES
    (tmp_path / "bin" / "x").chmod(0o755)
    assert interpreter_error(str(script), str(tmp_path)) == 0


@pytest.mark.parametrize(
    ("length", "number"),
    [
        pytest.param(255, errno.ENOENT, id="all-that-the-kernel-looks-at"),
        # ENOEXEC, says who executes it.
        pytest.param(256, 0, id="more"),
    ],
)
def test_an_interpreter_may_have_a_long_name(tmp_path: Path, length: int, number: int) -> None:
    script = tmp_path / "s"
    name = "/" + "x" * (length - len("#!/"))
    script.write_text(f"#!{name}\n")
    assert interpreter_error(str(script), str(tmp_path)) == number


def test_a_script_whose_interpreter_has_a_long_name_runs(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    script = tmp_path / "s"
    script.write_text(f"#!{folder}/sh\necho there\n")
    script.chmod(0o755)
    with ExecTool(tmp_path, policy="open", audit=False) as tool:
        result = tool.run_shell_sync("./s | cat")
    assert (result.stderr.head, result.stdout.head) == ("", "there\n")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(b"echo x\n", True, id="text"),
        pytest.param(b"", True, id="empty"),
        pytest.param(b"\x7fELF", False, id="the-start-of-a-program"),
        pytest.param(b"a\0b\n", False, id="a-nul"),
        pytest.param(b"a\n\0", True, id="a-nul-after-the-first-line"),
        pytest.param(b"a" * 127 + b"\0", False, id="a-nul-in-what-it-looks-at"),
        pytest.param(b"a" * 128 + b"\0", True, id="a-nul-beyond"),
    ],
)
def test_what_bash_takes_for_a_text(tmp_path: Path, content: bytes, text: bool) -> None:
    (tmp_path / "f").write_bytes(content)
    assert is_text(str(tmp_path / "f")) is text
