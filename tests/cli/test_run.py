"""``agent-exec`` as a process."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from in_process import InProcess
from realproc import is_alive, wait_until

from agent_exec import __version__

pytestmark = pytest.mark.timeout(30)

Cli = Callable[..., subprocess.CompletedProcess[bytes]]
COMMAND = [sys.executable, "-P", "-m", "agent_exec"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    def call(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        given: dict[str, Any] = {"capture_output": True, "timeout": 20, "cwd": tmp_path}
        if "input" not in options:
            given["stdin"] = subprocess.DEVNULL
        return subprocess.run([*COMMAND, *words], check=False, **(given | options))

    return call


def sh(script: str) -> list[str]:
    return ["run", "-p", "open", "--", "sh", "-c", script]


def test_outputs_pass_through_byte_for_byte(cli: Cli) -> None:
    done = cli(*sh(r"printf '\377\0out'; printf '\376err' >&2"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xff\0out", b"\xfeerr")


def test_input_passes_through(cli: Cli) -> None:
    done = cli("run", "-p", "open", "--", "cat", input=b"\xff" * 100_000)
    assert done.stdout == b"\xff" * 100_000


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        pytest.param(sh("exit 7"), 7, "", id="the-childs"),
        pytest.param(sh("kill -9 $$"), 137, "", id="signal"),
        pytest.param(
            ["run", "-p", "open", "--timeout", "0.1", "--", "sleep", "1000"],
            124,
            "timed out",
            id="timeout",
        ),
        pytest.param(["run", "-p", "open", "--", "nope"], 125, "nope: no such program", id="none"),
        pytest.param(["run", "--", "touch", "x"], 125, "touch writes x", id="default-policy"),
        pytest.param(["run", "-p", "nope", "--", "true"], 125, "'nope'", id="no-such-policy"),
        pytest.param(["run", "-q", "-p", "open", "-c", "exit 7"], 7, "", id="text"),
        pytest.param(["run", "-p", "open", "-c", "exit 7"], 7, "run without a shell", id="route"),
        pytest.param(
            ["run", "-p", "open", "-c", "for x in 1; do exit 3; done"],
            3,
            "run by a shell: a compound command",
            id="text-by-a-shell",
        ),
        pytest.param(["run", "-c", "x", "--", "true"], 125, "not both", id="text-and-argv"),
        pytest.param(["run", "-p", "open", "-w", "nope", "--", "true"], 125, "nope", id="worktree"),
        pytest.param(["run", "-p", "open"], 125, "argv is empty", id="no-argv"),
        pytest.param(["run", "--nope", "--", "true"], 2, "--nope", id="unknown-option"),
        pytest.param(
            ["run", "-p", "open", "--launcher", "warp", "--", "true"], 125, "warp", id="launcher"
        ),
    ],
)
def test_exit_status_and_notices(
    agent_exec: InProcess, tmp_path: Path, words: list[str], status: int, says: str
) -> None:
    done = agent_exec(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, b"")
    assert says in done.stderr.decode()
    if not says:
        assert done.stderr == b""


def test_options_of_the_command_are_its_own(cli: Cli) -> None:
    done = cli("run", "-p", "open", "echo", "-p", "--json", "--help", "--", "x")
    assert done.stdout == b"-p --json --help -- x\n"


def test_the_worktree_is_where_it_runs(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    done = cli("run", "-p", "open", "-w", "tree", "--", "pwd")
    assert done.stdout == f"{tmp_path.resolve()}/tree\n".encode()


def test_json_is_one_object(agent_exec: InProcess) -> None:
    done = agent_exec(
        "run", "-p", "open", "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 3"
    )
    assert (done.returncode, done.stderr) == (3, b"")
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert (result["ended"], result["stages"][0]["exit_code"]) == ("exit", 3)
    assert (result["stdout"]["head"], result["stderr"]["head"]) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("words", "ended", "verdict"),
    [
        pytest.param(["--", "touch", "x"], "refused", "ask", id="refused"),
        pytest.param(["-p", "open", "--", "nope"], "launch_failed", "allow", id="not-launched"),
        pytest.param(["-p", "nope", "--", "true"], "refused", "deny", id="no-policy"),
    ],
)
def test_json_of_what_did_not_run(
    agent_exec: InProcess, words: list[str], ended: str, verdict: str
) -> None:
    done = agent_exec("run", "--json", *words)
    result = json.loads(done.stdout)
    assert (done.returncode, result["ended"], result["verdict"]) == (125, ended, verdict)
    assert result["stages"] == []
    assert result["error"]


def test_a_descendant_that_was_ended_is_told(cli: Cli) -> None:
    done = cli(*sh("sleep 1000 >/dev/null 2>&1 & echo $!"))
    assert f"ended: {int(done.stdout)}\n" in done.stderr.decode()


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_being_stopped_stops_the_command(
    tmp_path: Path, signum: signal.Signals, status: int
) -> None:
    script = "echo $$; exec sleep 1000"
    host = subprocess.Popen(
        [*COMMAND, *sh(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    with host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        host.send_signal(signum)
        assert host.wait(timeout=10) == status
    assert not is_alive(pid)


def test_the_command_dies_with_us(tmp_path: Path) -> None:
    host = subprocess.Popen(
        [*COMMAND, *sh("echo $$; exec sleep 1000")],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    with host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        host.kill()
    wait_until(lambda: not is_alive(pid))


def test_a_hangup_that_we_were_told_to_ignore_is_ignored(tmp_path: Path) -> None:
    host = subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND, *sh("echo $$; read x; echo done")],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        cwd=tmp_path,
    )
    with host:
        assert host.stdout is not None
        assert host.stdin is not None
        host.stdout.readline()
        host.send_signal(signal.SIGHUP)
        with suppress(BrokenPipeError):
            host.stdin.write(b"x\n")
            host.stdin.flush()
        assert host.stdout.readline() == b"done\n"
        assert host.wait(timeout=10) == 0


def test_without_standard_input_the_command_has_an_empty_one() -> None:
    says = "import os; print(os.readlink('/proc/self/fd/0'))"
    command = shlex.join([*COMMAND, "run", "-p", "open", "--", sys.executable, "-c", says])
    done = subprocess.run(
        ["sh", "-c", f"exec {command} <&-"], check=False, capture_output=True, timeout=20
    )
    assert done.stdout == b"/dev/null\n"


def test_json_is_text_where_argv_is_none(agent_exec: InProcess) -> None:
    done = agent_exec("run", "-p", "open", "--json", "--", "printf", "%s", os.fsdecode(b"\xff"))
    result = json.loads(done.stdout.decode("utf-8"))
    assert result["stages"][0]["argv"] == ["printf", "%s", "\udcff"]
    assert result["stdout"]["head"] == "\ufffd"


def test_a_terminal_is_not_handed_on_as_input(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    try:
        done = cli(*sh("cat; echo done"), stdin=theirs)
        assert done.stdout == b"done\n"
    finally:
        os.close(ours)
        os.close(theirs)


def test_running_without_standard_descriptors(tmp_path: Path) -> None:
    script = (
        f"exec {sys.executable} -m agent_exec run -p open -- sh -c 'echo x > made' <&- >&- 2>&-"
    )
    done = subprocess.run(["sh", "-c", script], check=False, cwd=tmp_path, timeout=20)
    assert done.returncode == 0
    assert (tmp_path / "made").read_text() == "x\n"


def test_a_reader_that_leaves_ends_the_command_by_sigpipe(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*COMMAND, "run", "-p", "open", "--", "yes"],
        check=False,
        stdout=write_end,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        timeout=20,
        cwd=tmp_path,
    )
    os.close(write_end)
    assert done.returncode == 128 + signal.SIGPIPE


def test_the_version_is_told(cli: Cli) -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout.decode()) == (0, f"agent-exec {__version__}\n")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["bench", "launch", "--help"]])
def test_help_is_there(agent_exec: InProcess, words: list[str]) -> None:
    done = agent_exec(*words)
    assert done.returncode == 0
    assert b"Usage" in done.stdout


def test_doctor_tells_what_works(agent_exec: InProcess) -> None:
    done = agent_exec("doctor")
    assert done.returncode == 0
    lines = dict(line.split("  ", 1) for line in done.stdout.decode().splitlines() if "  " in line)
    assert "vfork" in lines["launcher"]
    found = json.loads(agent_exec("doctor", "--json").stdout)
    assert found["launcher"] == "vfork"
    assert found["facts"]["launcher vfork"]["value"] == "works"
    assert found["facts"]["launcher portable"]["value"] == "works"
    assert found["facts"]["kill tier"]["value"] in {"cgroup", "session, group and mark"}
    assert found["facts"]["guardian"]["value"] == "works"
    assert found["facts"]["clone call"]["value"] in {"clone3", "clone"}
