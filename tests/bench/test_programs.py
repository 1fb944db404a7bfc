"""The C programs of the benchmark: that they build, and do what the benchmark rests on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from agent_exec.bench.launch.programs import (
    FLOOR_FLAGS,
    TINY_FLAGS,
    Program,
    Workbench,
    WrongResultError,
    compile_c,
    prepare,
)
from agent_exec.errors import Unsupported


@pytest.mark.parametrize(
    ("source", "flags"), [("floor.c", FLOOR_FLAGS), ("tiny.c", TINY_FLAGS)], ids=["floor", "tiny"]
)
def test_a_source_compiles_without_a_warning(
    source: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    program = tmp_path / "program"
    compile_c(source, program, (*flags, "-Wall", "-Wextra", "-Werror"))
    assert os.access(program, os.X_OK)


def test_what_the_compiler_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"could not compile tiny\.c: .*no-such-flag"):
        compile_c("tiny.c", tmp_path / "tiny", ("--no-such-flag",))


def test_without_a_compiler_the_benchmark_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="needs a C compiler"):
        prepare(tmp_path)


def test_tiny_writes_13_bytes_on_each_output_and_exits_0(bench: Workbench) -> None:
    tiny = bench.programs[0]
    done = subprocess.run(tiny.argv, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, tiny.stdout, tiny.stderr)
    assert (len(tiny.stdout), len(tiny.stderr)) == (13, 13)


def test_tiny_fails_when_its_output_cannot_be_written(bench: Workbench) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(bench.programs[0].argv, stdout=full, check=False)
    assert done.returncode == 1


def test_tiny_is_static(bench: Workbench) -> None:
    image = Path(bench.programs[0].argv[0]).read_bytes()
    assert b"/ld-" not in image


def run_floor(
    bench: Workbench,
    program: Program,
    tmp_path: Path,
    *,
    launches: int = 5,
    in_flight: int = 1,
    pass_fds: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "out").write_bytes(program.stdout)
    (tmp_path / "err").write_bytes(program.stderr)
    return subprocess.run(
        [
            bench.floor,
            *map(str, (launches, in_flight, 3)),
            bench.worktree,
            str(tmp_path / "out"),
            str(tmp_path / "err"),
            *program.argv,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        pass_fds=pass_fds,
    )


@pytest.mark.parametrize("in_flight", [1, 3, 16])
@pytest.mark.parametrize("index", [0, 1], ids=["tiny", "cat"])
def test_the_floor_launches_as_often_as_asked(
    bench: Workbench, tmp_path: Path, index: int, in_flight: int
) -> None:
    done = run_floor(bench, bench.programs[index], tmp_path, launches=40, in_flight=in_flight)
    assert (done.returncode, done.stderr) == (0, "")

    measured = json.loads(done.stdout)
    assert set(measured) == {"elapsed_ns", "cpu_ns", "latencies_ns"}
    assert len(measured["latencies_ns"]) == 40
    assert all(0 < latency <= measured["elapsed_ns"] for latency in measured["latencies_ns"])


def test_the_floor_takes_output_larger_than_a_pipe(bench: Workbench, tmp_path: Path) -> None:
    large = Program(
        name="large",
        argv=("/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done"),
        stdout=b"0123456789\n" * 20000,
    )
    done = run_floor(bench, large, tmp_path, launches=2, in_flight=2)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_floor_gives_a_program_what_every_method_gives_it(
    bench: Workbench, tmp_path: Path
) -> None:
    script = "readlink /proc/self/fd/0; pwd -P; ls /proc/$$/fd"
    worktree = os.path.realpath(bench.worktree)
    looking = Program(
        name="looking",
        argv=("/bin/sh", "-c", script),
        stdout=f"/dev/null\n{worktree}\n0\n1\n2\n".encode(),
    )
    with open("/dev/null", "rb") as inherited:
        done = run_floor(bench, looking, tmp_path, launches=1, pass_fds=(inherited.fileno(),))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_floor_blocks_no_signal_of_a_program(bench: Workbench, tmp_path: Path) -> None:
    looking = Program(
        name="looking",
        argv=("/bin/grep", "SigBlk", "/proc/self/status"),
        stdout=b"SigBlk:\t0000000000000000\n",
    )
    done = run_floor(bench, looking, tmp_path, launches=1)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("argv", "stdout", "complaint"),
    [
        pytest.param(("/bin/echo", "no"), b"yes", "wrong output", id="other-output"),
        pytest.param(("/bin/echo", "no"), b"no\nmore", "too few bytes", id="too-little"),
        pytest.param(("/bin/echo", "no"), b"n", "wrong output", id="too-much"),
        pytest.param(("/bin/sh", "-c", "exit 3"), b"", "status or signal: 3", id="exit-status"),
        pytest.param(("/bin/sh", "-c", "kill -9 $$"), b"", "status or signal: 9", id="signal"),
        pytest.param(("/dev/null",), b"", "before exec: Permission denied", id="not-executable"),
        pytest.param(("/bin/no-such",), b"", "/bin/no-such: No such file", id="no-such-program"),
    ],
)
def test_a_launch_that_goes_wrong_fails_the_floor(
    bench: Workbench, tmp_path: Path, argv: tuple[str, ...], stdout: bytes, complaint: str
) -> None:
    done = run_floor(bench, Program(name="bad", argv=argv, stdout=stdout), tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr


@pytest.mark.parametrize("count", ["0", "-1", "x", "", "1025"])
def test_the_floor_refuses_a_number_in_flight_that_it_cannot_have(
    bench: Workbench, count: str
) -> None:
    done = subprocess.run(
        [bench.floor, "1", count, "0", "/", "/dev/null", "/dev/null", "/bin/true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, f"floor: {count}: not a number from 1 to 1024\n")


@pytest.mark.parametrize(
    ("exit_status", "stdout", "stderr", "complaint"),
    [
        pytest.param(1, b"out\n", b"", "x: exit status 1, not 0", id="exit-status"),
        pytest.param(None, b"out\n", b"", "x: exit status None, not 0", id="no-exit-status"),
        pytest.param(0, b"", b"", r"x: stdout is b'', not b'out\\n'", id="stdout"),
        pytest.param(0, b"out\n", b"!", "x: stderr is b'!', not b''", id="stderr"),
    ],
)
def test_a_result_is_checked(
    exit_status: int | None, stdout: bytes, stderr: bytes, complaint: str
) -> None:
    program = Program(name="x", argv=("/x",), stdout=b"out\n")
    program.check(0, b"out\n", b"")
    with pytest.raises(WrongResultError, match=complaint):
        program.check(exit_status, stdout, stderr)
