"""Patterns against bash, on real directories."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agent_exec.model.script import Kind
from agent_exec.shell.expand import Field, Scope
from agent_exec.shell.glob import expand_pattern
from agent_exec.shell.lexer import Lexer
from agent_exec.shell.needs_bash import NeedsBash

FOLDERS = ("src/deep", "empty", ".git/hooks", "a b", "e", "e-f", "é")
NAMES = (
    *("a", "b", "Z", "_", "1", "10", "a.py", "b.py", ".hidden", ".h", "-n", "sp ace", "x*y"),
    *("[ab]", "a[0]", "new\nline", "ü.py", "日本", "src/a.py", "src/b.c", "src/.dot", "e/x.py"),
    *("src/deep/x.py", "e-f/x.py", "a b/x.py", "é/x.py", ".git/config", "back\\slash", "a,b"),
)
LOCALES = ("C", "C.UTF-8")

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


class Beneath:
    """The files of a real directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.fspath(folder)

    def names(self, folder: str) -> Sequence[str]:
        try:
            return os.listdir(os.path.join(self._folder, folder))
        except OSError:
            return ()

    def exists(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self._folder, path))

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(os.path.join(self._folder, path))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    for name in NAMES:
        (root / name).touch()
    (root / "to-folder").symlink_to("src")
    (root / "to-file").symlink_to("a")
    (root / "to-nothing").symlink_to("nothing")
    (root / os.fsdecode(b"latin-\xe9")).touch()
    return root


def bash(tree: Path, pattern: str, locale: str) -> list[str]:
    ended = subprocess.run(
        [shutil.which("bash") or "bash", "-c", "--", f"printf '%s\\0' {pattern}"],
        cwd=tree,
        env={"LC_ALL": locale, "PATH": "/nonexistent"},
        capture_output=True,
        check=True,
    )
    return [os.fsdecode(word) for word in ended.stdout.split(b"\0")[:-1]]


def ours(tree: Path, pattern: str, locale: str) -> list[str]:
    """Raises: NeedsBash."""
    token = Lexer(pattern).next()
    pieces = tuple((text, kind is Kind.PLAIN) for kind, text in token.word.pieces)
    scope = Scope.of_call({"LC_ALL": locale}, str(tree))
    return expand_pattern(Field(pieces), Beneath(tree), scope)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "?", "??", "???????", "*.py", "a*", "*a", "*a*", "a**b", "*[0-9]", "[a-z]", "[A-Z]"),
        *("[ab].py", "[!a].py", "[^a].py", "[a-]", "[0-9][0-9]", ".h*", ".g*/*", "-*", "x'*'*"),
        *("'*'", "\\*", "\\[*", "'['*", "*' '*", "s*", "*/", "*/*", "*/*/*", "src/*", "src/*.c"),
        *("src/.d*", "./*", "./*.py", "../*/a", "src/../a*", "s*/d*/x*", "to-*", "to-*/", "no*no"),
        *("to-*/a*", "src//*.py", ".//*", "*/x.py", "*/none", "a/*", "none/*", "empty/*", "e*/*"),
        *("é/*", "*/../a", "*/.", "*/./a", '"a b"/*', "a\\ b/*", "_*", "[_1]", "1*", "[1]*"),
        *("latin-?", "?.py", "[!x].py", "??", "*\\**", "a[0]", "a[b", "a]", "a[", "*,*", "[a,]*"),
        *(
            "[a/b]*",
            "[^/]*",
            "*[",
            "[*",
            "s[/*",
            "'['*[",
            "?[",
            "*/[",
            "src/[^/]*",
            "[!/*",
            "a[b/c]d",
            "s[r/c]",
        ),
    ],
)
def test_a_pattern_matches_what_it_matches_in_bash(tree: Path, pattern: str, locale: str) -> None:
    assert ours(tree, pattern, locale) == bash(tree, pattern, locale)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        pytest.param(".*", r"\. and \.\.", id="dots"),
        pytest.param(".?", r"\. and \.\.", id="two-dots"),
        pytest.param("src/.*", r"\. and \.\.", id="dots-in-a-folder"),
        pytest.param("[[:alpha:]]", "bracket", id="class"),
        pytest.param("[a-Z]*", "bracket", id="mixed-range"),
        pytest.param("[z-a]*", "bracket", id="backward-range"),
        pytest.param("[]a]*", "bracket", id="closing-bracket-inside"),
        pytest.param("['a']*", "bracket", id="quotes-inside"),
        pytest.param("[*]", "bracket", id="star-inside"),
        pytest.param("['a'*]", "bracket", id="quotes-and-star-inside"),
        pytest.param("é*", "ASCII", id="beyond-ascii"),
        pytest.param("*//a", "slashes", id="slashes-behind-a-pattern"),
        pytest.param("*" * 5000, "longer", id="long"),
    ],
)
def test_what_is_not_known_to_the_letter_is_left_to_bash(
    tree: Path, pattern: str, reason: str
) -> None:
    with pytest.raises(NeedsBash, match=reason):
        ours(tree, pattern, "C")


def test_other_locales_are_left_to_bash(tree: Path) -> None:
    with pytest.raises(NeedsBash, match="locale"):
        ours(tree, "*", "en_US.UTF-8")


PARTS = (
    "a",
    "b",
    "*",
    "?",
    "**",
    "[ab]",
    "[a-z]",
    "[z-a]",
    "[!a]",
    "[^.]",
    ".",
    "py",
    "/",
    "src",
    "e",
)


@given(
    pattern=st.lists(
        st.sampled_from((*PARTS, "'a'", "'*'", '"b "', "\\*", "-", "é", "x", "1", "to")),
        min_size=1,
        max_size=6,
    ).map("".join),
    locale=st.sampled_from(LOCALES),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_pattern_matches_otherwise_than_in_bash(tree: Path, pattern: str, locale: str) -> None:
    # Nobody wants a listing of the machine.
    assume(not pattern.startswith("/"))
    try:
        words = ours(tree, pattern, locale)
    except NeedsBash:
        return
    assert words == bash(tree, pattern, locale)


@pytest.mark.timeout(10)
def test_a_pattern_of_many_stars_is_matched_in_time(tmp_path: Path) -> None:
    (tmp_path / ("a" * 250)).touch()
    assert ours(tmp_path, "*a" * 60 + "b", "C") == ["*a" * 60 + "b"]
