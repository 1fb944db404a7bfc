"""The reader of options against getopt_long(3) itself, by way of getopt(1)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_exec.policy.options import Parsed, parse
from agent_exec.policy.table import Table
from agent_exec.policy.table_source import make_table

GETOPT = shutil.which("getopt") or ""
SHORT = "ab:c::v"
LONG = ["all", "alpha", "beta:", "bet", "color::", "colour::", "verbose"]
SOURCE = {
    "flags": ["-a", "-v", "--all", "--alpha", "--bet", "--verbose"],
    "values": ["-b", "--beta"],
    "optional": ["-c", "--color", "--colour"],
}
PERMUTING = make_table("prog", SOURCE, "test")
STOPPING = make_table("prog", {**SOURCE, "syntax": "posix"}, "test")

words = st.one_of(
    st.sampled_from(["-a", "-b", "-c", "-v", "--", "-", "", "x", "y=z", "--all", "--beta"]),
    st.sampled_from(["-ab", "-abx", "-vcx", "-bx", "--al", "--alp", "--be", "--bet", "--beta=x"]),
    st.sampled_from(["--col", "--color", "--color=x", "--verb", "--verb=x", "-cb", "--", "-va"]),
    st.sampled_from(["-x", "--nope", "--a", "--b", "-", "-a-b", "--beta=", "-b=", "--=x", "---"]),
    st.text(alphabet="-abcvx=", max_size=5),
)


def seen_by_getopt(argv: list[str], *, stops: bool) -> tuple[list[str], list[str]] | None:
    """Options with their values, and operands; None where getopt finds an error."""
    done = subprocess.run(
        [GETOPT, "-q", "-o", f"{'+' if stops else ''}{SHORT}", "-l", ",".join(LONG), "--", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
        env={"PATH": os.defpath},
    )
    if done.returncode != 0:
        return None
    found = shlex.split(done.stdout)
    end = _end_of_options(found)
    return found[:end], found[end + 1 :]


def _end_of_options(found: list[str]) -> int:
    at = 0
    while found[at] != "--":
        takes = found[at] in ("-b", "--beta", "-c", "--color", "--colour")
        at += 2 if takes else 1
    return at


def as_getopt_prints(parsed: Parsed) -> tuple[list[str], list[str]]:
    options: list[str] = []
    for option, values, _ in parsed.options:
        options.append(option.names[0])
        if option.values or option.attached is not None:
            options.append(values[0][1] if values else "")
    return options, [word for _, word in parsed.operands]


@pytest.mark.skipif(not GETOPT, reason="needs getopt(1)")
@pytest.mark.parametrize(
    ("table", "stops"),
    [pytest.param(PERMUTING, False, id="anywhere"), pytest.param(STOPPING, True, id="before")],
)
@given(argv=st.lists(words, max_size=6))
@settings(max_examples=300)
def test_what_is_understood_is_what_getopt_sees(table: Table, stops: bool, argv: list[str]) -> None:
    parsed = parse(table, ["prog", *argv])
    expected = seen_by_getopt(argv, stops=stops)
    if not parsed.unknown:
        assert expected is not None
        assert as_getopt_prints(parsed) == expected
    else:
        assert expected is None


@pytest.mark.parametrize(
    ("source", "argv", "options", "operands", "unknown"),
    [
        pytest.param({"numeric": True}, ["-5", "x"], [], ["x"], [], id="number"),
        pytest.param({}, ["-5"], [], [], ["-5"], id="no-number"),
        pytest.param(
            {"numeric": True}, ["-\u0665"], [], [], ["-\u0665"], id="no-number-to-programs"
        ),
        pytest.param(
            {"negatable": True, "flags": ["--all"]}, ["--no-all"], ["--all"], [], [], id="negated"
        ),
        pytest.param({"flags": ["--all"]}, ["--no-all"], [], [], ["--no-all"], id="not-negatable"),
        pytest.param(
            {"old_style": True, "flags": ["-x"], "values": ["-f", "-C"]},
            ["xfC", "a", "d", "m"],
            ["-x", "-f", "-C"],
            ["m"],
            [],
            id="old-style",
        ),
        pytest.param(
            {"syntax": "single", "flags": ["-v"], "values": ["-name"]},
            ["-name", "a", "--name=b", "-v", "x"],
            ["-name", "-name", "-v"],
            ["x"],
            [],
            id="single",
        ),
        pytest.param(
            {"syntax": "single", "values": ["-name"]},
            ["-nam", "a"],
            [],
            ["a"],
            ["-nam"],
            id="whole",
        ),
        pytest.param({"syntax": "words"}, ["-x", "--"], [], ["-x", "--"], [], id="words"),
        pytest.param({"response_files": True}, ["@f"], [], ["@f"], ["@f"], id="words-from-a-file"),
        pytest.param({"values": ["-o"]}, ["-o"], [], [], ["-o without its value"], id="no-value"),
    ],
)
def test_other_conventions(
    source: dict[str, object],
    argv: list[str],
    options: list[str],
    operands: list[str],
    unknown: list[str],
) -> None:
    parsed = parse(make_table("prog", source, "test"), ["prog", *argv])
    assert [given.option.names[0] for given in parsed.options] == options
    assert [word for _, word in parsed.operands] == operands
    assert list(parsed.unknown) == unknown
