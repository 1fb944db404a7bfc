"""What is said of a refusal, from what a program has said and what was withheld from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_exec.model.decision import Route, Verdict
from agent_exec.model.outcome import Ended, LauncherName
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.model.rights import Rights
from agent_exec.runtime.denials import Withheld, denials
from agent_exec.sandbox.limits import Bounds

BOUNDS = Bounds(processes=256, memory_mib=100, file_mib=7)


def result(text: str, code: int | None = 1, signal: str | None = None) -> ToolResult:
    stage = StageResult(("prog",), code, signal, LauncherName.VFORK, None)
    return ToolResult(
        "1",
        Verdict.ALLOW,
        Route.DIRECT,
        Ended.EXIT if signal is None else Ended.SIGNAL,
        stages=(stage,),
        stderr=Output(text),
    )


def said(text: str, rights: Rights, program: str = "/bin/prog", **fields: str | None) -> str:
    withheld = [Withheld(("prog",), program, rights)]
    made = result(text) if not fields else result(text, None, fields["signal"])
    return "\n".join(denials(withheld, made, BOUNDS, cwd="/tmp"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("x")
    return tmp_path


MESSAGES = {
    "coreutils": "touch: cannot touch '{path}': Permission denied",
    "cat": "cat: {path}: Permission denied",
    "bash": "bash: line 1: {path}: Permission denied",
    "python": "PermissionError: [Errno 13] Permission denied: '{path}'",
    "node": "Error: EACCES: permission denied, open '{path}'",
    "gnu-quotes": "mv: cannot stat \u2018{path}\u2019: Operation not permitted",
}


@pytest.mark.parametrize("text", MESSAGES.values(), ids=MESSAGES.keys())
def test_the_missing_right_is_named_with_the_file(text: str, place: Path) -> None:
    path = place / "file"
    message = text.format(path=path)
    assert f"no right to read {path}" in said(message, Rights(read=("/usr",)))
    assert f"no right to change {path}" in said(message, Rights(read=(str(place),)))


@pytest.mark.parametrize(
    "text",
    [
        "tar (child): gzip: Cannot exec: Permission denied",
        "gcc: fatal error: cannot execute \u2018as\u2019: execvp: Permission denied",
        "fatal: cannot exec 'git-submodule': Permission denied",
        "error: could not run pager: Permission denied",
    ],
)
def test_a_program_that_was_not_executed_is_told_as_such(text: str) -> None:
    assert said(text, Rights(read=("/tmp",))).startswith(
        "likely the sandbox: prog had no right to execute another program"
    )


def test_what_went_wrong_is_no_file(place: Path) -> None:
    text = "df: Warning: cannot read table of mounted file systems: Permission denied"
    assert said(text, Rights(read=("/tmp",))).startswith("perhaps the sandbox: prog may change")
    (place / "two words").write_text("x")
    assert "no right to read" in said(f"cat: {place}/two words: Permission denied", Rights())


def test_what_a_command_had_the_right_to_is_no_refusal_of_the_sandbox(place: Path) -> None:
    text = f"cat: {place}/file: Permission denied"
    assert "no right to" not in said(text, Rights(read=("/usr",), write=(str(place),)))


@pytest.mark.parametrize(
    "text",
    [
        "curl: (6) Could not resolve host: x",
        "ssh: connect to host x port 22: Permission denied",
        "OSError: [Errno 13] socket: Permission denied",
        "getaddrinfo EAI_AGAIN registry",
    ],
)
def test_a_refused_socket_is_a_fact(text: str) -> None:
    assert "no right to use the network" in said(text, Rights())
    assert "network" not in said(text, Rights(network=True))


@pytest.mark.parametrize(
    ("signal", "what"), [("SIGXCPU", "processor time"), ("SIGXFSZ", "limits.file_mib: 7")]
)
def test_a_limit_that_ended_a_program_is_a_fact(signal: str, what: str) -> None:
    assert what in said("", Rights(), signal=signal)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("MemoryError", "limits.memory_mib is 100"),
        ("sh: fork: Resource temporarily unavailable", "limits.processes is 256"),
    ],
)
def test_a_limit_that_a_program_complains_of_is_likely(text: str, what: str) -> None:
    assert what in said(text, Rights())


def test_a_program_that_is_to_gain_rights_is_told_that_it_does_not(
    setuid_cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(setuid_cat).st_uid + 1)
    assert "no program gains rights" in said("", Rights(), str(setuid_cat))


def test_nothing_is_said_of_what_went_well(place: Path) -> None:
    assert said("all is well\n", Rights(read=("/usr",))) == ""
    assert denials([], result("Permission denied"), BOUNDS, cwd="/") == ()


def test_what_is_hidden_is_told_from_what_does_not_exist(place: Path) -> None:
    rights = Rights(read=("/usr",))
    made = result(f"cat: {place}/file: No such file or directory")
    hidden = denials([Withheld(("prog",), "/bin/prog", rights, True)], made, BOUNDS, cwd="/tmp")
    assert f"{place}/file was not there for prog" in hidden[0]
    assert not denials([Withheld(("prog",), "/bin/prog", rights)], made, BOUNDS, cwd="/tmp")
    none = result(f"cat: {place}/none: No such file or directory")
    assert not denials([Withheld(("prog",), "/bin/prog", rights, True)], none, BOUNDS, cwd="/tmp")
    seen = rights._replace(read=(str(place),))
    assert not denials([Withheld(("prog",), "/bin/prog", seen, True)], made, BOUNDS, cwd="/tmp")


def test_a_loopback_is_told_from_no_socket() -> None:
    made = result("curl: (6) Could not resolve host: example.org")
    (text,) = denials([Withheld(("curl",), "/bin/curl", Rights(), True)], made, BOUNDS, cwd="/tmp")
    assert "none but a loopback of its own" in text
    (text,) = denials([Withheld(("curl",), "/bin/curl", Rights())], made, BOUNDS, cwd="/tmp")
    assert "every socket was refused" in text


def test_a_mount_that_may_only_be_read_is_told_as_a_right_to_change(place: Path) -> None:
    message = f"touch: cannot touch '{place}/file': Read-only file system"
    assert f"no right to change {place}/file" in said(message, Rights(read=("/usr",)))


def test_a_complaint_is_read_also_where_nothing_failed() -> None:
    withheld = [Withheld(("prog",), "/bin/prog", Rights())]
    quiet = result("", 0)
    assert denials(withheld, quiet, BOUNDS, cwd="/tmp") == ()
    assert denials(withheld, result("socket: Permission denied", 0), BOUNDS, cwd="/tmp")
