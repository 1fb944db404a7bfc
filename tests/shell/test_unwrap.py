"""Shells seen through: what they would run, and whether bash's reading is theirs."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.model.request import Command, Source
from agent_exec.shell.reading import Reading, Scope
from agent_exec.shell.unwrap import ShellCall, read_call, scope_inside, unwrap

SCOPE = Scope.of_call({"HOME": "/h", "LC_ALL": "C.UTF-8", "B": "a\\nb"}, "/w")


def of_shell(*argv: str) -> ShellCall:
    call = unwrap(argv)
    assert call is not None
    return call


def text_of(*argv: str) -> Reading:
    return read_call(of_shell(*argv), SCOPE)


@pytest.mark.parametrize(
    ("argv", "text", "parameters"),
    [
        (["bash", "-c", "x"], "x", ["bash"]),
        (["/bin/bash", "-c", "x"], "x", ["/bin/bash"]),
        (["bash", "-c", "--", "x"], "x", ["bash"]),
        (["bash", "-c", "-", "x"], "x", ["bash"]),
        (["bash", "-c", "x", "y", "z"], "x", ["y", "z"]),
        (["bash", "-c", "x", "--", "z"], "x", ["--", "z"]),
        (["bash", "-lc", "x"], "x", ["bash"]),
        (["bash", "-l", "-c", "x"], "x", ["bash"]),
        (["bash", "--login", "-c", "x"], "x", ["bash"]),
        (["bash", "-login", "-c", "x"], "x", ["bash"]),
        (["bash", "--norc", "--noprofile", "-c", "x"], "x", ["bash"]),
        (["bash", "-norc", "-c", "x"], "x", ["bash"]),
        (["bash", "-c", "-e", "x"], "x", ["bash"]),
        (["bash", "-ec", "x"], "x", ["bash"]),
        (["bash", "-co", "errexit", "x"], "x", ["bash"]),
        (["bash", "-o", "pipefail", "-euc", "x"], "x", ["bash"]),
        (["bash", "+x", "-c", "x"], "x", ["bash"]),
        (["bash", "-B", "-h", "-c", "x"], "x", ["bash"]),
        (["sh", "-c", "x"], "x", ["sh"]),
        (["dash", "-e", "-c", "x", "y"], "x", ["y"]),
        (["zsh", "-c", "x"], "x", ["zsh"]),
    ],
)
def test_the_text_of_a_shell_is_found(argv: list[str], text: str, parameters: list[str]) -> None:
    call = of_shell(*argv)
    assert (call.text, call.script, list(call.parameters or ())) == (text, None, parameters)
    assert call.unclear is None


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        pytest.param(["bash", "f.sh", "-c", "x"], "f.sh", id="file"),
        pytest.param(["bash", "-e", "f.sh"], "f.sh", id="options-and-file"),
        pytest.param(["bash", "--", "-c"], "-c", id="file-like-an-option"),
        pytest.param(["bash", "-", "-c", "x"], "-c", id="a-dash-ends-options"),
        pytest.param(["bash"], None, id="input"),
        pytest.param(["bash", "-s", "x"], None, id="input-with-parameters"),
        pytest.param(["bash", "-"], None, id="dash"),
        pytest.param(["sh", "-x"], None, id="option-only"),
    ],
)
def test_without_a_text_there_is_a_file_or_the_input(argv: list[str], script: str | None) -> None:
    call = of_shell(*argv)
    assert (call.text, call.script) == (None, script)
    reading = read_call(call, SCOPE)
    assert (reading.script, reading.commands, reading.complete) == (None, (), False)


@pytest.mark.parametrize(
    "argv",
    [
        ["bash", "-ic", "x"],
        ["bash", "-O", "extglob", "-c", "x"],
        ["bash", "-c", "-O", "extglob", "x"],
        ["bash", "--posix", "-c", "x"],
        ["bash", "-posix", "-c", "x"],
        ["bash", "-o", "posix", "-c", "x"],
        ["bash", "-o", "allexport", "-c", "x"],
        ["bash", "-kc", "x"],
        ["bash", "--rcfile", "f", "-c", "x"],
        ["bash", "-rcfile", "f", "-c", "x"],
        ["bash", "--init-file", "f", "-c", "x"],
        ["bash", "--unheard-of", "-c", "x"],
        ["bash", "+B", "-c", "x"],
        ["bash", "-rc", "x"],
        ["bash", "-Pc", "x"],
        ["bash", "-zc", "x"],
        ["zsh", "-c", "x"],
        ["fish", "-c", "x"],
        ["rbash", "-c", "x"],
        ["sh", "-c", "x {a,b}"],
        ["sh", "-c", "x &>f"],
        ["sh", "-c", "x |& y"],
        ["sh", "-c", "x <<<y"],
        ["sh", "-c", "x $'y'"],
        ["sh", "-c", "x a=~/y"],
        ["sh", "-c", "cd a b; x"],
    ],
    ids=" ".join,
)
def test_what_may_be_read_otherwise_is_listed_and_not_certain(argv: list[str]) -> None:
    reading = text_of(*argv)
    assert reading.script is None
    assert reading.needs_bash
    assert not reading.complete
    assert "x" in [command.argv[0] for command in reading.commands]
    assert not any(command.certain for command in reading.commands)


@pytest.mark.parametrize(
    "argv",
    [
        ["bash", "-ec", "x; y"],
        ["bash", "-uc", "x $y"],
        ["bash", "-xc", "x"],
        ["bash", "-o", "pipefail", "-c", "x | y"],
        ["bash", "-fc", "x *"],
        ["sh", "-ec", "x; y"],
        ["sh", "-c", "x >f"],
        ["sh", "-c", "cd d && x"],
        ["sh", "-c", "echo -n x"],
        ["sh", "-c", 'echo "$B"'],
        ["sh", "-c", "x *.py"],
        ["sh", "-c", "x ~"],
        ["sh", "-c", "test -f x"],
        ["sh", "-c", "exit -1"],
        ["sh", "-c", "x '\\n'"],
        ["ash", "-c", "x"],
    ],
    ids=" ".join,
)
def test_what_is_only_done_otherwise_is_certain_and_not_lowered(argv: list[str]) -> None:
    reading = text_of(*argv)
    assert reading.script is None
    assert reading.needs_bash
    assert reading.complete
    assert reading.commands
    assert all(command.certain for command in reading.commands)


@pytest.mark.parametrize(
    "argv",
    [
        ["bash", "-lc", "cd d && x {a,b} >f"],
        ["bash", "-ec", "x | y"],
        ["/usr/bin/bash", "-c", "x $1", "bash", "y"],
        ["sh", "-c", "x -l | y 2>&1 >/dev/null && echo a b || exit 1"],
        ["dash", "-c", "! x; false; true; : y"],
        ["sh", "-ec", "y 'a b' \"$HOME\" ${HOME} {}"],
    ],
    ids=" ".join,
)
def test_what_is_done_alike_is_lowered(argv: list[str]) -> None:
    reading = text_of(*argv)
    assert reading.script is not None, reading.needs_bash
    assert reading.complete


def test_a_login_shell_is_told() -> None:
    assert of_shell("bash", "-lc", "x").login
    assert not of_shell("bash", "-c", "x").login


@pytest.mark.parametrize("argv", [["ls"], ["bashful", "-c", "x"], ["env", "bash"], [], [""]])
def test_other_programs_are_no_shells(argv: list[str]) -> None:
    assert unwrap(argv) is None


def test_words_that_only_the_run_tells_make_the_text_uncertain() -> None:
    call = unwrap(["bash", "-c", 'x "$1"', "_", "*"], frozenset({4}))
    assert call is not None
    reading = read_call(call, SCOPE)
    assert not reading.complete
    assert [command.argv for command in reading.commands] == [("x", "$1")]


def test_a_text_sees_what_its_shell_was_given() -> None:
    outer = Command(
        ("bash", "-c", "cat; y $A"),
        None,
        cwd="/w/d",
        variables=(("A", "1"), ("HOME", "/x")),
        stdin=Source.PIPE,
    )
    call = unwrap(outer.argv)
    assert call is not None
    cat, y = read_call(call, scope_inside(SCOPE, outer)).commands
    assert (cat.cwd, cat.stdin, cat.variables) == ("/w/d", Source.PIPE, outer.variables)
    assert y.argv == ("y", "1")


OPTIONS = (
    *("-c", "-l", "-e", "-ec", "-lc", "-ce", "-u", "-x", "+e", "-o", "errexit", "-B", "-h", "--"),
    *("--norc", "--noprofile", "--login", "-norc", "-f", "-s", "-", "+x", "-co", "-p", "-n"),
)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("seed", range(4))
def test_no_options_are_read_otherwise_than_bash_reads_them(seed: int) -> None:
    random_ = random.Random(seed)
    compared = 0
    for _ in range(60):
        options = [random_.choice(OPTIONS) for _ in range(random_.randint(1, 5))]
        argv = ["bash", *options, 'echo "text $0 $*"', *random_.choice(([], ["p"], ["p", "q"]))]
        call = of_shell(*argv)
        if call.text is None or call.unclear is not None or "noexec" in call.options:
            continue
        assert call.text == argv[-1] or call.text in argv
        said = _bash(argv)
        if "echo" in call.text:
            assert said == f"text {' '.join(call.parameters or ())}".rstrip(), argv
            compared += 1
    assert compared > 5


def _bash(argv: Sequence[str]) -> str:
    ended = subprocess.run(
        argv,
        executable=shutil.which("bash"),
        env={"PATH": "/nonexistent", "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout.strip()


@given(st.lists(st.text(max_size=6), max_size=6), st.sampled_from(["bash", "sh", "/x/zsh"]))
def test_no_words_break_the_unwrapping(words: list[str], shell: str) -> None:
    call = unwrap([shell, *words])
    assert call is not None
    read_call(call, SCOPE)
