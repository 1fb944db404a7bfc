"""Shell text run without a shell, through every launcher, with and without a loop.

What a text does is compared with bash in `tests/shell/test_execution.py`; this is about what
no shell does: results, limits, judging, and leaving nothing behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from realproc import is_alive, wait_until

from agent_exec import ExecTool, ToolResult
from agent_exec.model.decision import Route, Verdict
from agent_exec.model.outcome import Ended, LauncherName
from agent_exec.model.result import Output

pytestmark = pytest.mark.timeout(30)

Run = Callable[..., ToolResult]


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    made.mkdir()
    (made / "text").write_text("one\ntwo\n")
    return made


@pytest.fixture
def make_run(worktree: Path, tool_launcher: str, runner: str) -> Iterator[Callable[..., Run]]:
    """A `run_shell` of a tool with some options."""
    tools = []

    def make(**options: Any) -> Run:
        tool = ExecTool(worktree, **{"policy": "open", "launcher": tool_launcher, **options})
        tools.append(tool)

        def run(text: str, **call: Any) -> ToolResult:
            if runner == "sync":
                return tool.run_shell_sync(text, **call)

            async def main() -> ToolResult:
                return await tool.run_shell(text, **call)

            return anyio.run(main, backend=runner)

        return run

    yield make
    for tool in tools:
        tool.close()


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run()


def test_a_pipeline_runs_without_a_shell_and_says_so(run: Run, tool_launcher: str) -> None:
    result = run("cat text | wc -l")
    assert (result.route, result.route_reason) == (Route.DIRECT, None)
    assert (result.ended, result.status, result.stdout.head.strip()) == (Ended.EXIT, 0, "2")
    assert [(stage.argv, stage.exit_code, stage.launcher) for stage in result.stages] == [
        (("cat", "text"), 0, tool_launcher),
        (("wc", "-l"), 0, tool_launcher),
    ]


def test_every_stage_that_ran_is_told_of(run: Run) -> None:
    result = run("cd sub && ls || echo no | cat; exit 3; echo never")
    assert [(stage.argv, stage.exit_code) for stage in result.stages] == [
        (("cd", "sub"), 1),
        (("echo", "no"), 0),
        (("cat",), 0),
        (("exit", "3"), 3),
    ]
    assert result.stages[0].launcher is LauncherName.BUILTIN
    assert (result.status, result.stdout.head) == (3, "no\n")


def test_a_text_that_needs_bash_says_why(run: Run) -> None:
    result = run("echo $(cat text)")
    assert (result.route, result.stdout.head) == (Route.SHELL, "one two\n")
    assert result.route_reason is not None
    assert "substitution" in result.route_reason


def test_outputs_of_all_commands_are_one_with_a_head_and_a_tail(
    make_run: Callable[..., Run],
) -> None:
    run = make_run(output_bytes=8)
    result = run("echo abc; printf 'defgh\\nij'; echo k; cat text")
    assert result.stdout == Output("abc\n", "two\n", dropped=14, size=22)


def test_the_whole_output_goes_to_one_file(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(output_dir=tmp_path / "outputs", output_bytes=2)
    result = run("echo a; cat text; echo b | cat", keep_output=True)
    assert result.stdout.file is not None
    assert Path(result.stdout.file).read_text() == "a\none\ntwo\nb\n"
    assert result.notices == ()


def test_commands_share_the_input_of_the_text(run: Run) -> None:
    result = run("sh -c 'read line; echo $line'; cat", stdin="first\nsecond\n")
    assert result.stdout.head == "first\nsecond\n"


def test_outputs_are_handed_on_in_order(run: Run) -> None:
    read_end, write_end = os.pipe()
    try:
        result = run("echo a; cat text >&2; nosuch; echo b", stdout=write_end, stderr=write_end)
        assert os.read(read_end, 1000) == (
            b"a\none\ntwo\nbash: line 1: nosuch: command not found\nb\n"
        )
        assert result.stdout == result.stderr == Output()
    finally:
        os.close(read_end)
        os.close(write_end)


def test_one_deadline_for_the_whole_text(run: Run) -> None:
    result = run("sleep 0.2; sleep 0.2; sleep 30; echo never", timeout_s=0.5)
    assert (result.ended, result.status, result.stdout.head) == (Ended.TIMEOUT, None, "")
    assert len(result.stages) <= 3


@pytest.mark.anyio
async def test_cancelling_ends_the_command_that_runs_and_the_text(
    worktree: Path, tool_launcher: str
) -> None:
    with ExecTool(worktree, policy="open", launcher=tool_launcher) as tool:
        with anyio.move_on_after(0.3):
            await tool.run_shell("sh -c 'echo $$ > pid; exec sleep 30'; touch late")
            raise AssertionError("it was cancelled")
        pid = int((worktree / "pid").read_text())
        wait_until(lambda: not is_alive(pid))
        assert not (worktree / "late").exists()


def test_what_a_command_leaves_running_is_there_for_the_next_and_ends_with_the_text(
    run: Run, worktree: Path
) -> None:
    (worktree / "start").write_text(
        "#!/bin/sh\nsetsid sleep 100 >/dev/null 2>&1 </dev/null &\necho $! > pid\n"
    )
    (worktree / "start").chmod(0o755)
    result = run("./start; sh -c 'grep State /proc/$(cat pid)/status'; true")
    pid = int((worktree / "pid").read_text())
    # Where there is much to do, it has not come to sleep yet.
    assert result.stdout.head in ("State:\tS (sleeping)\n", "State:\tR (running)\n")
    assert result.survivors == (pid,)
    wait_until(lambda: not is_alive(pid))


def test_what_globs_have_become_is_judged(
    make_run: Callable[..., Run], worktree: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "policy.yaml").write_text(
        """\
version: 1
default: deny
programs: {path: [inherit], trust: {owners: [root, self], writable_by: anybody}}
sandbox: {require: []}
rules:
  - {id: in, effects: [read], paths: [worktree], verdict: allow, because: "inside"}
  - {id: ln, command: [ln], verdict: allow, because: "links are harmless"}
"""
    )
    run = make_run(policy=tmp_path / "policy.yaml")
    assert run("cat t*").stdout.head == "one\ntwo\n"
    result = run(f"cat text; ln -s {tmp_path}/secret link; cat l*; cat text")
    assert (result.ended, result.verdict, result.stdout.head) == (
        Ended.REFUSED,
        Verdict.DENY,
        "one\ntwo\n",
    )
    assert result.error is not None
    assert "secret" in result.error


def test_a_link_made_meanwhile_leads_no_redirection_out_of_the_worktree(
    make_run: Callable[..., Run], worktree: Path, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(
        """\
version: 1
default: deny
programs: {path: [inherit], trust: {owners: [root, self], writable_by: anybody}}
sandbox: {require: []}
rules:
  - {id: in, effects: [read, write], paths: [worktree], verdict: allow, because: "inside"}
  - {id: ln, command: [ln], verdict: allow, because: "links are harmless"}
"""
    )
    run = make_run(policy=tmp_path / "policy.yaml")
    result = run(f"ln -s {tmp_path}/outside link; echo x > link; echo after")
    assert (result.ended, result.stdout.head) == (Ended.REFUSED, "")
    assert not (tmp_path / "outside").exists()
    assert (worktree / "link").is_symlink()


def test_a_named_pipe_is_not_waited_for(run: Run, worktree: Path) -> None:
    os.mkfifo(worktree / "fifo")
    result = run("cat < fifo")
    assert result.ended is Ended.REFUSED
    assert result.error is not None
    assert "named pipe" in result.error


def test_nothing_can_be_run_in_a_directory_that_was_removed_but_builtins(run: Run) -> None:
    result = run("mkdir d; cd d; rmdir ../d; pwd; ls; echo $?")
    assert result.stdout.head.endswith("/d\n0\n")
    assert result.stderr.head == ""
