"""The first process inside bubblewrap, by itself and under the sanitizers."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_exec.launch.native import STEPS
from agent_exec.launch.select import select_general
from agent_exec.model.plan import Executable
from agent_exec.sandbox import landlock
from agent_exec.sandbox.bubblewrap import orders
from agent_exec.sandbox.filters import filter_maker
from agent_exec.sandbox.told import Told, read_told
from agent_exec.template.template import Template

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not landlock.version(), reason="needs Landlock"),
]
SOURCES = Path(__file__).parents[2] / "agent_exec" / "_native"
PROGRAM = Path(__file__).parents[1] / "programs" / "carry_out.c"
UNUSABLE = 125
SH = os.path.realpath("/bin/sh")
FLAGS = ("-std=gnu11", "-g", "-O1", "-Wall", "-Werror", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("inside") / "inside"
    files = ["-I", str(SOURCES), "-o", str(made), str(PROGRAM)]
    words = ["gcc", *FLAGS, "-fsanitize=address,undefined", *files]
    subprocess.run(words, check=True)
    return made


@pytest.fixture(scope="module")
def shell() -> Executable:
    with Template.create(SH, credentials=select_general("vfork").credentials()) as template:
        return template.executable


class Inside:
    """Runs it, with a file for what it tells."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self.told_file = folder / "told"

    def run(
        self, words: Sequence[str], environ: dict[str, str] | None = None
    ) -> tuple[int, str, Told]:
        """Exit status, output and what was told; nothing that a sanitizer would say."""
        self.told_file.write_bytes(b"")
        done = subprocess.run(
            [self._program, *[word.replace("TOLD", str(self.told_file)) for word in words]],
            env={**os.environ, **(environ or {})},
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert b"Sanitizer" not in done.stderr, done.stderr.decode()
        assert b"runtime error" not in done.stderr, done.stderr.decode()
        return done.returncode, done.stdout.decode(), read_told(str(self.told_file))


@pytest.fixture
def place(inside: Path, tmp_path: Path) -> Inside:
    return Inside(inside, tmp_path)


def orders_for(shell: Executable, *, write: str | None = None) -> list[str]:
    """As `Box` gives them: everything may be read and executed."""
    make = filter_maker()
    assert make is not None
    here = os.stat(".")
    rules = [f"l{landlock.READING | landlock.EXECUTE:x}:0:0:/", "lffff:0:0:/no/such"]
    if write is not None:
        rules.append(f"l{landlock.WRITING:x}:0:0:{write}")
    rules.append(f"l{landlock.WRITE_FILE:x}:0:0:/dev/null")
    abi = landlock.version()
    made = orders(
        rules,
        shell,
        (here.st_dev, here.st_ino),
        abi=abi,
        scoped=landlock.scoped(abi, network=False, signal=False),
        filter_=make.inside(False, False, abi).program,
    )
    return ["sTOLD", *made[1:-1]]


def test_a_program_is_confined_executed_and_told_of(
    place: Inside, shell: Executable, tmp_path: Path
) -> None:
    (tmp_path / "may").mkdir()
    text = f"echo $A$B; echo x > {tmp_path}/may/f; echo x > {tmp_path}/f; kill -0 $PPID && exit 7"
    words = [*orders_for(shell, write=str(tmp_path / "may")), "-", "sh", "-c", text]
    status, said, told = place.run(words, {"+A": "one", "B": "two"})
    assert (said, (tmp_path / "may/f").exists(), (tmp_path / "f").exists()) == (
        "one\n",
        True,
        False,
    )
    # Who has made the domain is outside of it.
    scoped = landlock.version() >= landlock.SCOPE_SINCE
    assert status == (1 if scoped else 7)
    assert told == Told(begun=True, status=status << 8)


def test_a_signal_is_no_status(place: Inside, shell: Executable) -> None:
    status, _, told = place.run([*orders_for(shell), "-", "sh", "-c", "kill -9 $$"])
    assert (status, told) == (128 + 9, Told(begun=True, status=9))


WRONG = {
    "no-orders": ([], None),
    "no-program": (["sTOLD", "-", "sh"], errno.EINVAL),
    "no-words": (["sTOLD", "-"], errno.EINVAL),
    "no-dash": (["sTOLD", "p1:2:3:4:/bin/sh"], errno.EINVAL),
    "unknown": (["sTOLD", "x", "-", "sh"], errno.EINVAL),
    "empty": (["sTOLD", "", "-", "sh"], errno.EINVAL),
    "no-colon": (["sTOLD", "c12", "-", "sh"], errno.EINVAL),
    "half": (["sTOLD", "c12:", "-", "sh"], errno.EINVAL),
    "no-number": (["sTOLD", "p:", "-", "sh"], errno.EINVAL),
    "capitals": (["sTOLD", "cFF:1:", "-", "sh"], errno.EINVAL),
    "not-told": (["s/no/such", "-", "sh"], None),
    "not-pinned": (["sTOLD", f"p1:2:3:4:{SH}", "-", "sh"], errno.ESTALE),
    "long-number": (["sTOLD", f"p{'f' * 80}:2:3:4:{SH}", "-", "sh"], errno.ESTALE),
    "not-there": (["sTOLD", "p1:2:3:4:/no/such", "-", "sh"], errno.ESTALE),
    "elsewhere": (["sTOLD", "c1:2:", f"p1:2:3:4:{SH}", "-", "sh"], errno.ESTALE),
    "rule-without-set": (["sTOLD", "lffff:0:0:/", "-", "sh"], errno.EINVAL),
    "unknown-access": (["sTOLD", "hffffffffffffffff:0:0:0:", "-", "sh"], errno.EINVAL),
}


@pytest.mark.parametrize("case", WRONG)
def test_orders_that_are_wrong_run_nothing(case: str, place: Inside) -> None:
    words, error = WRONG[case]
    status, said, told = place.run(words)
    assert (status, said, told.status) == (UNUSABLE, "", None)
    assert (None if told.failed is None else told.failed[1]) == error


@pytest.mark.parametrize("filter_", ["", "0", "zz", "06000000000000", "06" * 9])
def test_a_filter_that_is_none_runs_nothing(filter_: str, place: Inside, shell: Executable) -> None:
    words = [word if word[0] != "f" else f"f{filter_}" for word in orders_for(shell)]
    status, said, told = place.run([*words, "-", "sh", "-c", "echo ran"])
    assert (status, said) == (UNUSABLE, "")
    assert told.failed is not None
    assert (STEPS[told.failed[0]].value, told.failed[1]) == ("sandbox", errno.EINVAL)


ORDER = st.one_of(
    st.from_regex(r"\A[scpnqhlf][0-9a-f:]{0,40}(/[a-z]{0,9})?\Z"),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=60),
)


@given(words=st.lists(ORDER, max_size=6), last=st.lists(st.just("-"), max_size=1))
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_words_whatever_break_it(place: Inside, words: list[str], last: list[str]) -> None:
    status, said, told = place.run(["sTOLD", *words, *last, "sh"])
    assert (status, said, told.status) == (UNUSABLE, "", None)
