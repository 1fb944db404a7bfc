"""The quick reader of ``agent-exec run`` and typer read the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent_exec.cli import run_call
from agent_exec.cli.commands import app
from agent_exec.cli.run_words import RunOptions, read_run

OPTIONS = ("-p", "--policy", "-w", "--worktree", "--timeout", "--launcher", "--json", "--help")
ATTACHED = ("--policy=a=b", "-popen", "-p=x", "--json=1", "--worktree=", "--timeout=2", "--polic")
VALUES = ("open", "1.5", "nan", "1_0", " 3 ", "inf", "", "-", "é", "cat")
WORDS = st.sampled_from((*OPTIONS, *ATTACHED, *VALUES, "--"))


@given(words=st.lists(WORDS, max_size=7))
def test_what_is_read_quickly_is_what_typer_reads(words: list[str]) -> None:
    quick = read_run(["run", *words])
    if quick is None:
        return
    seen: list[RunOptions] = []

    def execute(options: RunOptions) -> int:
        seen.append(options)
        return 0

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_call, "execute", execute)
        CliRunner().invoke(app, ["run", *words])
    assert [repr(options) for options in seen] == [repr(quick)]  # nan is not nan


@pytest.mark.parametrize(
    ("words", "options"),
    [
        pytest.param(["run", "--", "true"], RunOptions(argv=("true",)), id="bare"),
        pytest.param(
            ["run", "-p", "open", "-w", "d", "--timeout=2", "--json", "--", "cat", "--", "-p"],
            RunOptions(
                argv=("cat", "--", "-p"), policy="open", worktree="d", timeout_s=2.0, as_json=True
            ),
            id="everything",
        ),
        pytest.param(["run", "-p", "open", "true"], None, id="no-dashes"),
        pytest.param(["run", "-p", "open", "--"], None, id="no-argv"),
        pytest.param(["run", "--help", "--", "x"], None, id="help"),
        pytest.param(["run", "--timeout", "soon", "--", "x"], None, id="no-number"),
        pytest.param(["doctor"], None, id="another-command"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_only_what_is_plain_is_read_quickly(words: list[str], options: RunOptions | None) -> None:
    assert read_run(words) == options
