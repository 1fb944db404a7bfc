"""The same call again: it is not judged again, unless something that it rests on has changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from policy.git_place import make_repository, sh

from agent_exec import Denied, ExecTool, ProgramNotFound
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Verdict
from agent_exec.policy import eyes
from agent_exec.runtime import flow
from agent_exec.runtime.familiar import key_of
from agent_exec.runtime.resolve import resolve

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled as soon as they are written: no test waits for the clock."""
    monkeypatch.setattr(eyes, "_SETTLED_NS", 0)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[ToolCall]:
    """The calls that were judged anew."""
    calls: list[ToolCall] = []

    def counting(call: ToolCall, **others: object) -> object:
        calls.append(call)
        return resolve(call, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(flow, "resolve", counting)
    return calls


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A worktree, beside a directory for programs that are looked up before the system's."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "a.txt").write_text("one\n")
    (tree / "sub" / "b.txt").write_text("two\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "policy.yaml").write_text(
        f"version: 1\nextends: [default]\nprograms: {{path: [{tmp_path}/bin, /usr/bin, /bin]}}\n"
    )
    return tree


def tool_in(tree: Path) -> ExecTool:
    return ExecTool(tree, policy=tree.parent / "policy.yaml", audit=False)


def link_to_a_secret(tree: Path) -> None:
    (tree / "a.txt").unlink()
    (tree / "a.txt").symlink_to("/etc/shadow")


def link_on_the_way(tree: Path) -> None:
    shutil.move(tree / "sub", tree.parent / "outside")
    (tree / "sub").symlink_to(tree.parent / "outside")


def earlier_in_path(tree: Path) -> None:
    program = tree.parent / "bin" / "cat"
    program.write_text("#!/bin/sh\necho not cat\n")
    program.chmod(0o777)


def earlier_by_a_link(tree: Path) -> None:
    (tree.parent / "bin" / "cat").symlink_to(tree / "a.txt")
    (tree / "a.txt").chmod(0o755)


CHANGES: list[tuple[str, Callable[[Path], None], list[str]]] = [
    ("link-to-a-secret", link_to_a_secret, ["cat", "a.txt"]),
    ("link-on-the-way", link_on_the_way, ["cat", "sub/b.txt"]),
    ("untrusted-program-earlier-in-path", earlier_in_path, ["cat", "a.txt"]),
    ("link-into-the-worktree-earlier-in-path", earlier_by_a_link, ["cat", "a.txt"]),
]


@pytest.mark.parametrize(
    ("change", "argv"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_a_changed_fact_is_seen_by_the_next_call(
    tree: Path, judged: list[ToolCall], change: Callable[[Path], None], argv: list[str]
) -> None:
    with tool_in(tree) as tool:
        for _ in range(3):
            assert tool.run_sync(argv).verdict is Verdict.ALLOW
        assert len(judged) == 1
        change(tree)
        with pytest.raises(Denied):
            tool.run_sync(argv)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda place: place.chmod(0o777), id="others-may-write-its-directory"),
        pytest.param(lambda place: (place / "show").chmod(0o775), id="others-may-write-it"),
        pytest.param(lambda place: os.chown(place / "show", 65534, -1), id="owner"),
        pytest.param(lambda place: os.chown(place, 65534, -1), id="owner-of-its-directory"),
    ],
)
def test_a_program_that_is_no_longer_trusted_is_seen(
    tree: Path, judged: list[ToolCall], change: Callable[[Path], None]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    place = tree.parent / "bin"
    shutil.copy("/bin/cat", place / "show")
    (tree.parent / "policy.yaml").write_text(
        "version: 1\nextends: [default]\n"
        f"programs: {{path: [{place}, /usr/bin, /bin]}}\n"
        "rules: [{id: show, command: [show], verdict: allow, because: shows}]\n"
    )
    with tool_in(tree) as tool:
        for _ in range(2):
            assert tool.run_sync(["show", "a.txt"]).stdout.head == "one\n"
        assert len(judged) == 1
        change(place)
        with pytest.raises(Denied, match="show"):
            tool.run_sync(["show", "a.txt"])


def test_a_program_that_is_gone_is_not_found(tree: Path) -> None:
    program = tree.parent / "bin" / "show"
    shutil.copy("/bin/cat", program)
    with ExecTool(tree, policy="open", audit=False) as tool:
        for _ in range(3):
            tool.run_sync([str(program), "a.txt"])
        program.unlink()
        with pytest.raises(ProgramNotFound):
            tool.run_sync([str(program), "a.txt"])


def test_a_new_file_that_a_pattern_matches_is_seen(tree: Path) -> None:
    with tool_in(tree) as tool:
        for _ in range(2):
            assert tool.run_shell_sync("cat *.txt").stdout.head == "one\n"
        (tree / "b.txt").symlink_to("/etc/shadow")
        with pytest.raises(Denied):
            tool.run_shell_sync("cat *.txt")


def test_a_new_link_beneath_a_search_that_follows_links_is_seen(tree: Path) -> None:
    with tool_in(tree) as tool:
        for _ in range(2):
            assert tool.run_sync(["grep", "-R", "two", "sub"]).stages[0].exit_code == 0
        (tree / "sub" / "c").symlink_to("/root")
        with pytest.raises(Denied):
            tool.run_sync(["grep", "-R", "two", "sub"])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("git config core.worktree /etc", id="work-tree"),
        pytest.param("git config core.excludesFile /etc/shadow", id="a-file-outside"),
        pytest.param("printf '[include]\\npath = /x\\n' > .git/config.worktree", id="new-file"),
        pytest.param("mv .git ../other; ln -s /nowhere .git", id="broken-link"),
        pytest.param("sed -i s/ref/fer/ .git/HEAD", id="no-head"),
    ],
)
def test_a_changed_repository_is_seen(tmp_path: Path, judged: list[ToolCall], change: str) -> None:
    here = make_repository(tmp_path)
    with ExecTool(here, audit=False) as tool:
        for _ in range(3):
            assert tool.run_sync(["git", "status", "-s"]).stages[0].exit_code == 0
        assert len(judged) == 1
        sh(change, here)
        with pytest.raises(Denied):
            tool.run_sync(["git", "status", "-s"])


def test_a_filter_that_is_new_is_blanked(tmp_path: Path) -> None:
    here = make_repository(tmp_path)
    with ExecTool(here, audit=False) as tool:
        for _ in range(3):
            tool.run_sync(["git", "diff"])
        sh(
            """
            git config filter.evil.clean 'touch ../HARM; cat'
            echo '* filter=evil' > .git/info/attributes
            for file in $(git ls-files); do touch -d tomorrow "$file"; echo x >> "$file"; done
            """,
            here,
        )
        assert "+x" in tool.run_sync(["git", "diff"]).stdout.head
    assert not (tmp_path / "HARM").exists()


def test_a_file_that_was_just_written_is_looked_at_again(
    tmp_path: Path, judged: list[ToolCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_repository(tmp_path)
    monkeypatch.setattr(eyes, "_SETTLED_NS", 10**18)
    with ExecTool(here, audit=False) as tool:
        for _ in range(3):
            tool.run_sync(["git", "status", "-s"])
    assert len(judged) == 3


def test_a_directory_of_a_call_that_leads_elsewhere_now_is_seen(tree: Path) -> None:
    with tool_in(tree) as tool:
        for _ in range(3):
            assert tool.run_sync(["cat", "b.txt"], cwd="sub").stdout.head == "two\n"
        link_on_the_way(tree)
        with pytest.raises(Denied):
            tool.run_sync(["cat", "b.txt"], cwd="sub")


def test_each_call_has_an_id_and_a_justification_of_its_own(
    tree: Path, judged: list[ToolCall]
) -> None:
    with tool_in(tree) as tool:
        results = [tool.run_sync(["printenv"]) for _ in range(3)]
    assert len(judged) == 1
    assert len({result.id for result in results}) == 3
    for result in results:
        assert f"AGENT_EXEC_CALL={result.id}\n" in result.stdout.head


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(ToolCall((("a", "b"),)), ToolCall((("a", "c"),)), id="argv"),
        pytest.param(ToolCall((("a",),)), ToolCall((("a",), ("a",))), id="stages"),
        pytest.param(ToolCall((("a",),)), ToolCall(command="a"), id="text"),
        pytest.param(ToolCall((("a",),)), ToolCall((("a",),), cwd="x"), id="cwd"),
        pytest.param(ToolCall((("a",),)), ToolCall((("a",),), env={"X": "1"}), id="env"),
        pytest.param(
            ToolCall((("a",),), env={"X": "2"}), ToolCall((("a",),), env={"X": "1"}), id="value"
        ),
        pytest.param(ToolCall((("a",),)), ToolCall((("a",),), stdout_file="f"), id="file"),
        pytest.param(ToolCall((("a",),)), ToolCall((("a",),), stdout=3), id="stdout"),
        pytest.param(
            ToolCall((("a",),), timeout_s=1),
            ToolCall((("a",),), timeout_s=True),
            id="true-is-no-number-of-seconds",
        ),
    ],
)
def test_calls_that_differ_are_told_apart(one: ToolCall, other: ToolCall) -> None:
    assert key_of(one) != key_of(other)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(ToolCall((["a"],)), id="argv-is-a-list"),  # type: ignore[arg-type]
        pytest.param(ToolCall((("a",),), stdin="x"), id="input"),
        pytest.param(ToolCall((("a",),), env=[1]), id="env-is-a-list"),  # type: ignore[arg-type]
        pytest.param(ToolCall((("a",),), keep_output=1), id="one-is-not-true"),  # type: ignore[arg-type]
    ],
)
def test_what_may_be_nonsense_is_judged_anew(call: ToolCall) -> None:
    assert key_of(call) is None
