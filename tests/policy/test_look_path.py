"""Where paths lead: as os.path.realpath says, but for what leads every process elsewhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_exec.launch.native import is_straight
from agent_exec.policy.eyes import Eyes
from agent_exec.policy.look_path import NOWHERE, real_names, real_path
from agent_exec.policy.paths import PathSet

NAMES = st.sampled_from(["d", "e", "f", "in", "up", "out", "loop", "gone", "..", ".", ""])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = Path(os.path.realpath(tmp_path_factory.mktemp("real")))
    (top / "d" / "e").mkdir(parents=True)
    (top / "d" / "f").write_text("")
    (top / "in").symlink_to("d/e")
    (top / "d" / "up").symlink_to("../in/..")
    (top / "d" / "e" / "out").symlink_to("/usr")
    (top / "\udcff").symlink_to("d")
    (top / "gone").symlink_to("nothing/at/all")
    (top / "own").symlink_to("/proc/self/cwd")
    return top


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, max_size=8))
def test_a_path_leads_where_realpath_says(tree: Path, names: list[str]) -> None:
    path = "/".join([str(tree), *names])
    assert real_path(path) == os.path.realpath(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, max_size=8), known=st.sampled_from(["/", "", "/d", "/in"]))
def test_to_ask_of_all_names_at_once_makes_no_difference(
    tree: Path, names: list[str], known: str
) -> None:
    start = f"{tree}{known}" if known != "/" else known
    path = "/".join([str(tree), *names])
    at_once, one_by_one = Eyes(is_straight), Eyes()
    assert real_path(path, start, at_once) == real_path(path, start, one_by_one)
    glances = at_once.glances()
    assert glances is not None
    assert set(glances) == set(one_by_one.glances() or ())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param("d/e", True, id="directories"),
        pytest.param("d/f/x/y", True, id="nothing-there"),
        pytest.param("nothing/in/d/e/out", True, id="nothing-beneath-nothing"),
        pytest.param("nothing/../in", False, id="dots-beneath-nothing"),
        pytest.param("nothing/", False, id="a-slash-beneath-nothing"),
        pytest.param("in", False, id="a-link"),
        pytest.param("d/up/x", False, id="a-link-in-it"),
        pytest.param("d/e/out", False, id="a-link-at-its-end"),
        pytest.param("d\xe9\udcff/x", True, id="bytes-of-no-text"),
        pytest.param("\udcff", False, id="a-link-with-such-a-name"),
        pytest.param("d/\ud800", False, id="no-name"),
        pytest.param("d/e\0", False, id="a-nul"),
        pytest.param("d/../d", False, id="dots"),
        pytest.param("./d", False, id="a-dot"),
        pytest.param("d//e", False, id="two-slashes"),
        pytest.param("d/", False, id="a-slash-at-its-end"),
        pytest.param("", False, id="no-names"),
        pytest.param("d/" + "x" * 300 + "/y", True, id="a-name-that-cannot-be"),
        pytest.param("/".join(["d"] * 3000), False, id="too-long"),
    ],
)
def test_names_are_straight_where_none_is_a_link(tree: Path, names: str, expected: bool) -> None:
    for _ in range(2):
        assert is_straight(str(tree), names) is expected
    before = sys.getallocatedblocks()
    for _ in range(1000):
        is_straight(str(tree), names)
    assert sys.getallocatedblocks() - before < 100  # a leak is 1,000


def test_a_link_that_comes_meanwhile_is_noticed(tmp_path: Path) -> None:
    eyes = Eyes(is_straight)
    assert real_path(f"{tmp_path}/a", str(tmp_path), eyes) == f"{tmp_path}/a"
    (tmp_path / "a").symlink_to("b")
    eyes.link(f"{tmp_path}/a")
    assert eyes.glances() is None


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/cwd/x",
        "/proc/self/../self/root/etc",
        "//proc/./thread-self/root",
        "/dev/fd/0",
        "/dev/stdin",
        "/usr/../proc/self/cwd/../.env",
    ],
)
def test_what_leads_every_process_elsewhere_is_beneath_no_directory(path: str) -> None:
    real = real_path(path)
    assert real.startswith(NOWHERE)
    assert not PathSet(("/", "/proc", "/usr"), secrets=False, words=()).holds(real)


def test_a_link_to_such_a_path_is_no_better(tree: Path) -> None:
    assert real_path(f"{tree}/own/../x").startswith(NOWHERE)


def test_what_lies_there_may_be_a_secret_all_the_same() -> None:
    assert PathSet((), secrets=True, words=()).holds(real_path("/proc/self/cwd/.env"))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert real_path(f"{tmp_path}/a/x") == f"{tmp_path}/a/x"


def test_names_beneath_a_directory_lead_where_its_links_lead(tree: Path) -> None:
    real = real_names(str(tree))
    assert real[0] == str(tree)
    assert set(real[1:]) == {"/usr", f"{NOWHERE}/proc/self/cwd"}


def test_links_that_stay_beneath_lead_nowhere_else(tree: Path) -> None:
    assert real_names(f"{tree}/d/e") == (f"{tree}/d/e", "/usr")
    assert set(real_names(f"{tree}/d")) == {f"{tree}/d", "/usr"}


def test_a_file_stands_for_itself(tree: Path) -> None:
    assert real_names(f"{tree}/d/f") == (f"{tree}/d/f",)
    assert real_names(f"{tree}/nothing") == (f"{tree}/nothing",)
