"""What the system refuses to a command itself is one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-P", "-m", "agent_exec")
CHECK = ("check", "--json", "-p", "open", "--", "true")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    places = {"XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run", "HOME": "home"}
    for name in places.values():
        (tmp_path / name).mkdir(mode=0o700)
    return os.environ | {name: str(tmp_path / path) for name, path in places.items()}


def run(
    environ: dict[str, str],
    redirected: str,
    *words: str,
    cwd: Path | None = None,
    stdout: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """The command, begun by a shell that does something to its descriptors or directory first."""
    argv = ["/bin/sh", "-c", f'{redirected}; exec "$@"', "sh", *PROGRAM, *words]
    return subprocess.run(
        argv,
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("words", [CHECK, ("--version",), ("log", "stats"), ("policy", "schema")])
def test_output_that_cannot_be_written(environ: dict[str, str], words: tuple[str, ...]) -> None:
    done = run(environ, "exec >/dev/full", *words)
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert done.stderr.startswith("agent-exec: ")
    assert "No space left on device" in done.stderr


def test_messages_that_cannot_be_written(environ: dict[str, str]) -> None:
    done = run(environ, "exec 2>/dev/full", "run", "-p", "nosuch", "--", "true")
    assert (done.returncode, done.stdout, done.stderr) == (125, "", "")


def test_a_closed_stdout_leaves_the_status(environ: dict[str, str]) -> None:
    done = run(environ, "exec >&-", *CHECK)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_stdin_that_is_to_be_read(environ: dict[str, str]) -> None:
    done = run(environ, "exec <&-", "check", "--batch", "-")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith("agent-exec: stdin is closed; ")


@pytest.mark.parametrize("words", [CHECK, ("approvals", "list"), ("claude-code", "install")])
def test_a_current_directory_that_is_gone(
    environ: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = run(environ, f'rmdir "{gone}"', *words, cwd=gone)
    told = "agent-exec: the current directory is gone; go to one that is there\n"
    assert (done.returncode, done.stdout, done.stderr) == (125, "", told)


def test_a_folder_whose_name_no_encoding_has(environ: dict[str, str], tmp_path: Path) -> None:
    project = Path(os.fsdecode(bytes(tmp_path / "p") + b"\xff"))
    project.mkdir()
    for command in ("install", "uninstall"):
        done = run(environ, ":", "claude-code", command, cwd=project)
        assert (done.returncode, done.stderr) == (0, "")
        assert "p\\udcff/.claude/settings.json" in done.stdout
    assert list(project.iterdir()) == []


def test_a_daemon_goes_on_when_nobody_hears_that_it_is_ready(environ: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        for redirected in ("exec >&-", ":"):
            words = ("daemon", "--foreground", "--idle", "0")
            done = run(environ, redirected, *words, stdout=writer)
            assert (done.returncode, done.stderr) == (0, "")
    finally:
        os.close(writer)
