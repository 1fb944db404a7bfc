"""`ExecTool` with real processes, through every launcher, with and without a loop."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from realproc import (
    RUNNERS,
    Belongings,
    is_alive,
    nothing_left_behind,
    run_host,
    wait_until,
)

from agent_exec import (
    CacheStats,
    Closed,
    Denied,
    ExecTool,
    InvalidCall,
    LaunchError,
    PolicyError,
    ProgramNotFound,
    TemplateError,
    ToolResult,
    Unsupported,
)
from agent_exec.model.decision import Decision, Verdict
from agent_exec.model.outcome import Ended
from agent_exec.policy.load import COMPILED
from agent_exec.policy.load_tables import shipped

pytestmark = pytest.mark.timeout(30)

Run = Callable[..., ToolResult]


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    (made / "sub").mkdir(parents=True)
    (made / "text").write_text("one\ntwo\n")
    return made


@pytest.fixture
def tool(worktree: Path, tool_launcher: str, tmp_path: Path) -> Iterator[ExecTool]:
    with ExecTool(
        worktree, policy="open", launcher=tool_launcher, output_dir=tmp_path / "outputs"
    ) as made:
        yield made


@pytest.fixture
def run(tool: ExecTool, runner: str) -> Run:
    """`run`, or `run_pipeline` for a list of lists, in each way there is."""
    return run_by(tool, runner)


@pytest.fixture
def any_tool(worktree: Path, tmp_path: Path) -> Iterator[ExecTool]:
    """For what does not depend on the launcher: it is found out before."""
    with ExecTool(worktree, policy="open", output_dir=tmp_path / "outputs") as made:
        yield made


def run_by(tool: ExecTool, runner: str) -> Run:
    def call(what: Any, **options: Any) -> ToolResult:
        pipeline = isinstance(what, list) and bool(what) and isinstance(what[0], list)
        if runner == "sync":
            return (tool.run_pipeline_sync if pipeline else tool.run_sync)(what, **options)

        async def main() -> ToolResult:
            return await (tool.run_pipeline if pipeline else tool.run)(what, **options)

        return anyio.run(main, backend=runner)

    return call


def test_a_whole_result(run: Run, tool_launcher: str) -> None:
    result = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert result.to_json() == {
        "id": result.id,
        "verdict": "allow",
        "route": "direct",
        "route_reason": None,
        "ended": "exit",
        "status": 3,
        "stages": [
            {
                "argv": ["sh", "-c", "echo out; echo err >&2; exit 3"],
                "exit_code": 3,
                "signal": None,
                "launcher": tool_launcher,
                "template": "miss",
            }
        ],
        "stdout": {"head": "out\n", "tail": "", "dropped": 0, "file": None},
        "stderr": {"head": "err\n", "tail": "", "dropped": 0, "file": None},
        "pipe_held": False,
        "survivors": [],
        "unreaped": [],
        "duration_ms": result.duration_ms,
        "error": None,
        "notices": [],
        "held_by": list(result.held_by or ()),
        "session": None,
    }
    assert json.loads(json.dumps(result.to_json())) == result.to_json()
    assert result.duration_ms > 0


def test_arguments_arrive_verbatim(run: Run) -> None:
    words = ["", " ", "*", "$HOME", "a'b\"c", "é\n", "-n", "--", "|"]
    result = run(["sh", "-c", 'for word; do printf "[%s]" "$word"; done', "sh", *words])
    assert result.stdout.head == "".join(f"[{word}]" for word in words)


def test_a_pipeline_tells_every_stage_and_sigpipe(run: Run) -> None:
    result = run([["yes"], ["head", "-n1"], ["cat"]])
    assert result.stdout.head == "y\n"
    assert [(stage.exit_code, stage.signal) for stage in result.stages] == [
        (None, "SIGPIPE"),
        (0, None),
        (0, None),
    ]
    assert result.ended == "exit"


def test_the_last_stage_decides_how_a_pipeline_ended(run: Run) -> None:
    assert run([["false"], ["true"]]).ended == "exit"
    assert run([["true"], ["sh", "-c", "kill -9 $$"]]).ended == "signal"


def test_input_of_any_size_goes_in(run: Run) -> None:
    text = "zeile\n" * 300_000
    assert run(["wc", "-c"], stdin=text).stdout.head.strip() == str(len(text))
    assert run(["cat"], stdin=b"\xff").stdout.head == "\ufffd"
    assert run(["cat"]).stdout.head == ""


def test_the_worktree_is_the_directory_and_others_are_relative_to_it(
    run: Run, worktree: Path
) -> None:
    assert run(["pwd"]).stdout.head == f"{worktree}\n"
    assert run(["sh", "-c", "pwd; echo $PWD"], cwd="sub").stdout.head == f"{worktree}/sub\n" * 2
    assert run(["pwd"], cwd="/").stdout.head == "/\n"


def test_a_program_is_found_by_path_from_the_calls_directory(run: Run, worktree: Path) -> None:
    script = worktree / "sub" / "script"
    script.write_text('#!/bin/sh\necho "$0"\n')
    script.chmod(0o755)
    assert run(["./script"], cwd="sub").stdout.head == f"{worktree}/sub/./script\n"
    assert run(["sub/script"]).stdout.head == f"{worktree}/sub/script\n"


def test_variables_of_the_call_lie_over_the_tools(run: Run) -> None:
    seen = run(["env"], env={"HOME": "/nowhere", "NEW": "a=b"}).stdout.head.splitlines()
    assert {"HOME=/nowhere", "NEW=a=b", f"PATH={os.environ['PATH']}"} <= set(seen)
    assert len([line for line in seen if line.startswith("HOME=")]) == 1


def test_every_call_has_its_own_id_in_the_childs_environment(run: Run) -> None:
    first, second = (run(["sh", "-c", "echo $AGENT_EXEC_CALL"]) for _ in range(2))
    assert first.stdout.head == f"{first.id}\n"
    assert first.id != second.id


OUTER = "AGENT_EXEC_CALL"
INNER = "AGENT_EXEC_CALL_2"


def test_a_call_within_a_call_keeps_the_mark_of_the_outer_one(
    worktree: Path, tool_launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(INNER, raising=False)
    monkeypatch.setenv(OUTER, "outer-1")
    with ExecTool(worktree, policy="open", launcher=tool_launcher) as tool:
        for cwd in (".", "sub"):
            result = tool.run_sync(["env"], cwd=cwd)
            marks = [line for line in result.stdout.head.splitlines() if line.startswith(OUTER)]
            assert marks == [f"{OUTER}=outer-1", f"{INNER}={result.id}"]
        for name in (OUTER, INNER, f"{OUTER}_31"):
            with pytest.raises(InvalidCall, match="the tool's own"):
                tool.run_sync(["env"], env={name: "x"})


_LEAVES_ONE_BEHIND = """
import sys
from agent_exec import ExecTool
with ExecTool("/", policy="open", launcher=sys.argv[1], containment="session",
              survivors="keep") as tool:
    script = "setsid sleep 1000 >/dev/null 2>&1 & echo $!"
    print(tool.run_sync(["sh", "-c", script]).stdout.head)
"""


def test_what_an_inner_call_leaves_behind_is_found_by_the_outer_one(
    worktree: Path, tool_launcher: str
) -> None:
    with ExecTool(worktree, policy="open", launcher=tool_launcher, containment="session") as tool:
        # Ours is the agent_exec that the inner one is to import, too.
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
        argv = [sys.executable, "-c", _LEAVES_ONE_BEHIND, tool_launcher]
        result = tool.run_sync(argv, env=environment)
    pid = int(result.stdout.head)
    assert result.survivors == (pid,)
    wait_until(lambda: not is_alive(pid))


def test_a_timeout_is_an_outcome(run: Run) -> None:
    result = run(["sleep", "1000"], timeout_s=0.05)
    assert (result.ended, result.stages[0].signal) == ("timeout", "SIGTERM")


def test_long_output_keeps_both_ends_and_the_file_keeps_all(run: Run, tmp_path: Path) -> None:
    size = 3_000_000
    result = run(["sh", "-c", f"yes é | head -c {size}"], keep_output=True)
    kept = len(result.stdout.head.encode()) + len(result.stdout.tail.encode())
    assert kept + result.stdout.dropped == size
    assert "\ufffd" not in result.stdout.head
    assert result.stdout.file is not None
    whole = Path(result.stdout.file)
    assert whole.parent == tmp_path / "outputs"
    assert (whole.stat().st_size, whole.stat().st_mode & 0o777) == (size, 0o600)


def test_a_call_that_did_not_run_leaves_no_output_file(run: Run, tmp_path: Path) -> None:
    with pytest.raises(LaunchError):
        run(["true"], cwd="nowhere", keep_output=True)
    broken = tmp_path / "tree" / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(LaunchError):
        run(["./broken"], keep_output=True)
    assert list((tmp_path / "outputs").glob("*")) == []


def test_descriptors_are_handed_on(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as file:
        both = {"stdout": file.fileno(), "stderr": file.fileno()}
        result = run(["sh", "-c", "echo out; echo err >&2"], **both)
        assert (tmp_path / "file").read_text() == "out\nerr\n"
    assert (result.stdout.head, result.stderr.head) == ("", "")


@pytest.mark.parametrize(
    ("argv", "error", "says"),
    [
        pytest.param([], InvalidCall, "argv is empty", id="no-words"),
        pytest.param([""], InvalidCall, "argv is empty", id="empty-program"),
        pytest.param("git status", InvalidCall, r"send argv \['git', 'status'\]", id="a-string"),
        pytest.param(["ls -l"], InvalidCall, r"send argv \['ls', '-l'\]", id="a-line-as-one-word"),
        pytest.param(
            ["ls -l", "-a"], InvalidCall, r"send argv \['ls', '-l', '-a'\]", id="a-line-and-words"
        ),
        pytest.param(
            ["cat", "text", "|", "head"],
            InvalidCall,
            r"send pipeline \[\['cat', 'text'\], \['head'\]\]",
            id="a-pipe-to-a-program",
        ),
        pytest.param("cat text | head", InvalidCall, "send pipeline", id="a-line-with-a-pipe"),
        pytest.param(
            ["ls", "2>&1", "|", "cat"],
            InvalidCall,
            r"send pipeline \[\['ls'\], \['cat'\]\]",
            id="redirection-and-pipe",
        ),
        pytest.param(
            ["true", "&&", "ls"],
            InvalidCall,
            r"argv \['true'\], then argv \['ls'\]",
            id="one-after-the-other",
        ),
        pytest.param(["echo", "\ud800"], InvalidCall, r"argv\[1\]: .*bytes", id="no-character"),
        pytest.param(["a\0b"], InvalidCall, "NUL", id="nul"),
        pytest.param(
            ["ls", "|", "head", "-2"],
            InvalidCall,
            r"send pipeline \[\['ls'\], \['head', '-2'\]\]",
            id="a-pipe-among-the-words",
        ),
        pytest.param(
            ["ls", "x", "2>&1"], InvalidCall, r"send argv \['ls', 'x'\]", id="a-redirection"
        ),
        pytest.param(
            ["true", "&&", "ls"], InvalidCall, "one call after the other", id="and-among-the-words"
        ),
        pytest.param(["true", "\udc80\ud800"], InvalidCall, "no text", id="no-bytes-for-it"),
        pytest.param(["no-such-program"], ProgramNotFound, "no such program in", id="not-on-path"),
        pytest.param(["./none"], ProgramNotFound, "none: no such program", id="not-there"),
        pytest.param(["text/x"], ProgramNotFound, "text/x", id="through-a-file"),
        pytest.param(["./text"], TemplateError, "not executable", id="no-x-bit"),
        pytest.param(["./sub"], TemplateError, "a directory", id="directory"),
        pytest.param([["true"], ["nope"]], ProgramNotFound, "nope", id="second-stage"),
        pytest.param([["true"], []], InvalidCall, "argv is empty", id="empty-stage"),
    ],
)
def test_what_cannot_run_is_said_before_anything_starts(
    any_tool: ExecTool, argv: Any, error: type[Exception], says: str
) -> None:
    for runner in RUNNERS:
        with pytest.raises(error, match=says):
            run_by(any_tool, runner)(argv)
    assert any_tool.templates == CacheStats()


def test_a_bar_that_no_program_follows_is_a_word(run: Run) -> None:
    assert run(["tr", "|", ","], stdin="a|b").stdout.head == "a,b"


def test_the_calls_own_path_is_where_its_programs_are(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "mine").symlink_to("/bin/echo")
    assert run(["mine", "x"], env={"PATH": str(folder)}).stdout.head == "x\n"


@pytest.mark.parametrize(
    ("env", "says"),
    [
        pytest.param({"": "x"}, "no variable can be called", id="no-name"),
        pytest.param({"A=B": "x"}, "no variable can be called", id="equals"),
        pytest.param({"A": "x\0"}, "NUL", id="nul"),
        pytest.param({"AGENT_EXEC_CALL": "x"}, "the tool's own", id="the-mark"),
    ],
)
def test_variables_that_cannot_be_are_refused(run: Run, env: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidCall, match=says):
        run(["true"], env=env)


@pytest.mark.parametrize(
    "words", [["|", "-f1"], ["a", "|"], [">"], ["a", "2>", "b"], ["-F>"]], ids=" ".join
)
def test_what_a_program_may_mean_is_left_to_it(any_tool: ExecTool, words: list[str]) -> None:
    assert any_tool.run_sync(["echo", *words]).stdout.head == " ".join(words) + "\n"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"env": {"A": "\ud800"}}, id="value-without-bytes"),
        pytest.param({"env": {"A": "a\0"}}, id="nul"),
        pytest.param({"env": {"A=B": ""}}, id="equals-in-a-name"),
        pytest.param({"env": {"": ""}}, id="no-name"),
        pytest.param({"env": {"A": 1}}, id="number"),
        pytest.param({"env": {"AGENT_EXEC_CALL": "x"}}, id="the-mark"),
        pytest.param({"stdin": "\ud800"}, id="input-without-bytes"),
        pytest.param({"cwd": "a\0"}, id="cwd-with-nul"),
        pytest.param({"timeout_s": float("nan")}, id="no-time"),
    ],
)
def test_what_no_child_can_be_given_is_an_invalid_call(
    any_tool: ExecTool, options: dict[str, Any]
) -> None:
    for runner in RUNNERS:
        with pytest.raises(InvalidCall):
            run_by(any_tool, runner)(["cat"], **options)


@pytest.mark.parametrize(
    ("argv", "options", "says"),
    [
        pytest.param(None, {}, "argv is None; it has to be a list of words", id="no-argv"),
        pytest.param(5, {}, "argv is 5; it has to be a list of words", id="argv-number"),
        pytest.param(b"ls", {}, "argv is b'ls'; it has to be a list of words", id="argv-bytes"),
        pytest.param({"true"}, {}, "argv is {'true'}; it has to be a list", id="argv-set"),
        pytest.param({"true": 1}, {}, "argv is {'true': 1}; it has to be a list", id="argv-dict"),
        pytest.param(
            ["head", 5], {}, r"argv\[1\] is 5; it has to be a string, such as '5'", id="word-number"
        ),
        pytest.param(
            [Path("/bin/ls")],
            {},
            r"argv\[0\] is .*; .* a string, such as '/bin/ls'",
            id="word-path",
        ),
        pytest.param(["ls", None], {}, r"argv\[1\] is None; it has to be a string", id="word-none"),
        pytest.param(
            ["cat"], {"stdin": ["a"]}, r"stdin is \['a'\]; it has to be text", id="stdin-list"
        ),
        pytest.param(["cat"], {"stdin": 1.5}, "stdin is 1.5; it has to be text", id="stdin-float"),
        pytest.param(["cat"], {"stdin": True}, "stdin is True; it has to be text", id="stdin-bool"),
        pytest.param(["cat"], {"stdin": -1}, "stdin is -1; .* descriptor", id="stdin-minus"),
        pytest.param(["cat"], {"stdin": 2**31}, "stdin is 2147483648; ", id="stdin-too-large"),
        pytest.param(["cat"], {"stdout": subprocess.PIPE}, "stdout is -1; .* left out", id="pipe"),
        pytest.param(["cat"], {"stderr": "x"}, "stderr is 'x'; .* descriptor", id="stderr-text"),
        pytest.param(["cat"], {"cwd": 5}, "cwd is 5; it has to be a string", id="cwd-number"),
        pytest.param(
            ["cat"], {"cwd": b"sub"}, "cwd is b'sub'; it has to be a string", id="cwd-bytes"
        ),
        pytest.param(["cat"], {"env": [("A", "1")]}, r"env is \[.*names with their", id="env-list"),
        pytest.param(["cat"], {"env": "A=1"}, "env is 'A=1'; .*{'CI': '1'}", id="env-text"),
        pytest.param(["cat"], {"env": {"A": 1}}, "env, A is 1; .* such as '1'", id="value-number"),
        pytest.param(["cat"], {"env": {1: "A"}}, "env is 1; .* such as '1'", id="name-number"),
        pytest.param(
            ["cat"], {"timeout_s": "5"}, "timeout_s is '5'; it has to be a number", id="text"
        ),
        pytest.param(["cat"], {"timeout_s": True}, "timeout_s is True; .* number", id="time-bool"),
        pytest.param(["cat"], {"timeout_s": 0}, "timeout_s is 0; .* above 0", id="no-time"),
        pytest.param(["cat"], {"timeout_s": 10**400}, "timeout_s is 1000", id="more-than-time"),
        pytest.param(["cat"], {"keep_output": "no"}, "keep_output is 'no'; .* true or", id="keep"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_the_right_one(
    any_tool: ExecTool, argv: Any, options: dict[str, Any], says: str
) -> None:
    for runner in RUNNERS:
        with pytest.raises(InvalidCall, match=says):
            run_by(any_tool, runner)(argv, **options)
    assert any_tool.templates == CacheStats()


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        pytest.param(None, "pipeline is None; it has to be a list of argv", id="none"),
        pytest.param("ls", "pipeline is 'ls'; it has to be a list of argv", id="text"),
        pytest.param([], "at least one stage", id="empty"),
        pytest.param(
            ["sort -r", "head"],
            r"send argv \['sort -r', 'head'\], or pipeline \[\['sort', '-r'\], \['head'\]\]",
            id="lines",
        ),
        pytest.param([["true"], 5], "argv is 5; it has to be a list of words", id="number"),
        pytest.param({("true",)}, "pipeline is .*; it has to be a list of argv", id="set"),
        pytest.param({"true": ["true"]}, "pipeline is .*; it has to be a list of argv", id="dict"),
        pytest.param([["true"], {"true"}], "argv is {'true'}; it has to be a list", id="set-in-it"),
        pytest.param([["true"]] * 1025, "at most 1024 stages, not 1025", id="too-many"),
    ],
)
def test_a_pipeline_that_is_none_is_told_with_the_right_one(
    tool: ExecTool, stages: Any, says: str
) -> None:
    with pytest.raises(InvalidCall, match=says):
        tool.run_pipeline_sync(stages)


def test_an_argv_of_lists_is_told_to_be_a_pipeline(tool: ExecTool) -> None:
    says = r"send pipeline \[\['ls'\], \['head'\]\]"
    with pytest.raises(InvalidCall, match=says):
        tool.run_sync([["ls"], ["head"]])  # type: ignore[list-item]


def test_an_unknown_option_is_told_with_those_that_are(run: Run) -> None:
    with pytest.raises(
        InvalidCall, match=r"a call has no cmd, timeout; it takes stdin, .*timeout_s"
    ):
        run(["true"], timeout=5, cmd="true")


def test_options_that_are_none_are_not_given(run: Run) -> None:
    nothing = dict.fromkeys(("stdin", "stdout", "stderr", "cwd", "env", "timeout_s"))
    assert run(["echo", "x"], **nothing).stdout.head == "x\n"


def test_the_path_of_the_call_is_where_names_are_looked_up(run: Run, tmp_path: Path) -> None:
    (tmp_path / "own").symlink_to("/bin/echo")
    assert run(["own", "x"], env={"PATH": str(tmp_path)}).stdout.head == "x\n"
    with pytest.raises(ProgramNotFound, match="no such program in /nowhere"):
        run(["sh"], env={"PATH": "/nowhere::."})


def test_a_link_into_the_worktree_is_no_place_for_programs(
    run: Run, worktree: Path, tmp_path: Path
) -> None:
    (worktree / "sub" / "own").symlink_to("/bin/echo")
    (tmp_path / "link").symlink_to(worktree / "sub")
    with pytest.raises(ProgramNotFound, match="own: no such program: PATH has no directory"):
        run(["own"], env={"PATH": f"{tmp_path}/link"})


def test_pwd_has_no_dots_and_no_links(run: Run, worktree: Path) -> None:
    (worktree / "link").symlink_to("sub")
    for cwd in (".", "sub/..", "link", worktree / "link"):
        said = run(["sh", "-c", "echo $PWD; pwd -P"], cwd=cwd).stdout.head.splitlines()
        assert said[0] == said[1]


def test_a_file_that_has_not_all_says_so(
    worktree: Path, tmp_path: Path, tool_launcher: str
) -> None:
    with ExecTool(
        worktree,
        policy="open",
        launcher=tool_launcher,
        output_dir=tmp_path,
        output_file_bytes=4,
        output_bytes=2,
    ) as tool:
        result = tool.run_sync(["echo", "0123456789"], keep_output=True)
    file = str(result.stdout.file)
    assert result.error is None
    assert result.notices == (f"{file} has only the first 4 of 11 bytes (the limit of a file)",)
    assert Path(file).read_text() == "0123"


def test_an_output_that_is_handed_on_has_no_file(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        result = run(["echo"], stdout=file.fileno(), keep_output=True)
    assert result.stdout.file is None
    assert result.stderr.file is not None


def test_no_timeout_below_zero(run: Run) -> None:
    with pytest.raises(
        InvalidCall, match="timeout_s is -1; it has to be a number of seconds above"
    ):
        run(["true"], timeout_s=-1)


def test_a_directory_that_is_none_is_an_error(run: Run) -> None:
    for cwd in ("nowhere", "text"):
        with pytest.raises(LaunchError, match="cwd failed"):
            run(["true"], cwd=cwd)


def test_an_argument_list_that_is_too_long(run: Run) -> None:
    with pytest.raises(LaunchError, match="Argument list too long"):
        run(["true", "x" * 4_000_000])


def test_programs_are_not_looked_up_in_the_worktree(
    worktree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = worktree / "true"
    trap.write_text("#!/bin/sh\necho trapped\n")
    trap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{worktree}:.::{os.environ['PATH']}")
    monkeypatch.chdir(worktree)
    with ExecTool(worktree, policy="open") as tool:
        assert tool.run_sync(["true"]).stdout.head == ""


def test_a_program_in_the_worktree_is_told_with_its_path(
    worktree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (worktree / "sub" / "own").symlink_to("/bin/echo")
    monkeypatch.setenv("PATH", f"{worktree}/sub:/usr/bin")
    with ExecTool(worktree, policy="open") as tool:
        with pytest.raises(ProgramNotFound) as caught:
            tool.run_sync(["own", "x"])
        assert caught.value.searched == ("/usr/bin",)
        assert caught.value.inside == (f"{worktree}/sub/own",)
        assert str(caught.value) == (
            "own: no such program in /usr/bin; "
            f"one in the worktree is run by its path: {worktree}/sub/own"
        )
        assert tool.run_sync([*caught.value.inside, "x"]).stdout.head == "x\n"


@pytest.mark.parametrize("tree", ["/", "/usr", "/usr/bin"])
def test_in_a_worktree_that_holds_the_systems_programs_they_are_found_by_name(tree: str) -> None:
    with ExecTool(tree, policy="open") as tool:
        for path in ("/usr/bin:/bin", f"{tree}/local/bin:{tree}:/usr/bin"):
            assert tool.run_sync(["echo", "x"], env={"PATH": path}).stdout.head == "x\n"


def test_a_hot_program_is_a_hit(run: Run, tool: ExecTool) -> None:
    uses = [run(["true"]).stages[0].template for _ in range(4)]
    assert uses == ["miss", "miss", "hit", "hit"]
    assert tool.templates == CacheStats(hits=2, misses=2, templates=1)


def test_an_updated_program_is_recreated_and_the_call_goes_on(
    run: Run, tool: ExecTool, worktree: Path
) -> None:
    program = worktree / "prog"
    for text in ("old", "new"):
        new = worktree / "prog.new"
        new.write_text(f"#!/bin/sh\necho {text}\n")
        new.chmod(0o755)
        new.rename(program)
        results = [run(["./prog"]) for _ in range(3)]
        assert {result.stdout.head for result in results} == {f"{text}\n"}
    assert [result.stages[0].template for result in results] == ["recreated", "hit", "hit"]
    assert tool.templates.recreations == 1


def test_a_program_that_moved_on_the_path_is_found_again(
    worktree: Path, tmp_path: Path, tool_launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "prog").write_text(f"#!/bin/sh\necho {folder.name}\n")
        (folder / "prog").chmod(0o755)
    monkeypatch.setenv("PATH", f"{first}:{second}:/usr/bin:/bin")
    with ExecTool(worktree, policy="open", launcher=tool_launcher) as tool:
        said = [tool.run_sync(["prog"]).stdout.head for _ in range(3)]
        (first / "prog").unlink()
        said.append(tool.run_sync(["prog"]).stdout.head)
    assert said == ["first\n"] * 3 + ["second\n"]


def test_survivors_are_killed_and_told(run: Run) -> None:
    result = run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"])
    (pid,) = result.survivors
    assert int(result.stdout.head) == pid
    wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize("policy", ["Open", "", "defaults"])
def test_a_policy_that_is_none_is_an_error(worktree: Path, policy: str) -> None:
    with pytest.raises(PolicyError, match="shipped are read-only, default"):
        ExecTool(worktree, policy=policy)


def test_what_the_policy_does_not_allow_is_not_run(worktree: Path) -> None:
    with ExecTool(worktree) as tool, pytest.raises(Denied, match="touch writes") as denied:
        tool.run_sync(["touch", "new"])
    decision = denied.value.decision
    assert isinstance(decision, Decision)
    assert (decision.verdict, not (worktree / "new").exists()) == (Verdict.ASK, True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("./make-link && cat link/secret", id="operand"),
        pytest.param("./make-link; cd link && cat secret", id="directory"),
        pytest.param("./make-link; echo x > link/secret", id="redirection"),
    ],
)
def test_a_link_that_the_text_itself_makes_leads_nowhere(
    worktree: Path, tmp_path: Path, text: str
) -> None:
    """What a path means is looked up again when a command before it may have changed it."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret").write_text("kept")
    assert worktree.parent == tmp_path
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 1\nrules: [{id: inside, verdict: allow, because: inside, effects: [read, write,"
        " execute], paths: [worktree]}]\n"
    )
    (worktree / "make-link").write_text("#!/bin/sh\nln -s ../other link\n")
    (worktree / "make-link").chmod(0o755)
    with ExecTool(worktree, policy=policy) as tool:
        result = tool.run_shell_sync(text)
    assert (result.ended, result.stdout.head) == (Ended.REFUSED, "")
    assert "not allowed" in (result.error or "")
    assert (tmp_path / "other" / "secret").read_text() == "kept"


def test_a_worktree_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidCall, match="no directory"):
        ExecTool(tmp_path / "none", policy="open")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param({"worktree": ""}, "worktree is ''; it has to be a path", id="no-worktree"),
        pytest.param({"worktree": 5}, "worktree is 5; it has to be a path", id="worktree-number"),
        pytest.param({"worktree": b"/"}, "worktree is b'/'; .* a path, as text", id="bytes"),
        pytest.param({"worktree": "a\0"}, "worktree is .*; it has to be a path", id="nul"),
        pytest.param({"hot_after": 0}, "hot_after is 0; .* whole number from 1 on", id="hot-never"),
        pytest.param({"max_templates": 0}, "max_templates is 0; .* from 1 on", id="no-templates"),
        pytest.param({"max_concurrent": 0}, "max_concurrent is 0; .* 1 to 65536", id="no-calls"),
        pytest.param({"max_concurrent": 65537}, "max_concurrent is 65537; ", id="many-calls"),
        pytest.param({"max_concurrent": 1.5}, "max_concurrent is 1.5; .* whole", id="half-a-call"),
        pytest.param({"max_concurrent": True}, "max_concurrent is True; ", id="bool"),
        pytest.param({"max_concurrent": "4"}, "max_concurrent is '4'; .* whole", id="text"),
        pytest.param({"timeout_s": -1}, "timeout_s is -1; .* above 0", id="timeout-below-0"),
        pytest.param({"timeout_s": 0}, "timeout_s is 0; .* above 0", id="timeout-0"),
        pytest.param({"timeout_s": float("nan")}, "timeout_s is nan; .* above 0", id="timeout-nan"),
        pytest.param({"grace_s": -0.1}, "grace_s is -0.1; .* from 0 to 3600", id="grace-below-0"),
        pytest.param({"grace_s": float("inf")}, "grace_s is inf; .* to 3600", id="grace-inf"),
        pytest.param({"grace_s": float("nan")}, "grace_s is nan; .* to 3600", id="grace-nan"),
        pytest.param({"output_bytes": -1}, "output_bytes is -1; .* from 0 to", id="output-below-0"),
        pytest.param({"output_bytes": 1e6}, "output_bytes is 1000000.0; .* whole", id="float"),
        pytest.param({"output_bytes": 2**64}, "output_bytes is 1844674", id="more-than-64-bits"),
        pytest.param({"output_file_bytes": -1}, "output_file_bytes is -1; ", id="file-below-0"),
        pytest.param(
            {"survivors": "spare"}, "survivors is 'spare'; .* 'kill' or 'keep'", id="spare"
        ),
        pytest.param(
            {"containment": "vm"}, "containment is 'vm'; .* 'cgroup' or", id="containment"
        ),
        pytest.param({"output_dir": ""}, "output_dir is ''; it has to be a path", id="no-folder"),
        pytest.param({"output_dir": 5}, "output_dir is 5; it has to be a path", id="folder-number"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_with_one_that_does(
    worktree: Path, tool_launcher: str, options: dict[str, Any], says: str
) -> None:
    given: dict[str, Any] = {
        "worktree": worktree,
        "policy": "open",
        "launcher": tool_launcher,
    } | options
    with pytest.raises(InvalidCall, match=says):
        ExecTool(**given)


def test_without_a_current_directory_paths_have_to_be_absolute(tmp_path: Path) -> None:
    script = """
        from agent_exec import ExecTool
        os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])
        for options in ({}, {"worktree": "/", "output_dir": "x"}):
            try:
                ExecTool(policy="open", **options)
            except Exception as error:
                print(type(error).__name__, error)
        with ExecTool("/", policy="open") as tool:
            print(tool.run_sync(["pwd"]).stdout.head, end="")
    """
    says = "and the current directory is gone; give an absolute path"
    assert run_host("vfork", script, str(tmp_path / "gone")).stdout.splitlines() == [
        f"InvalidCall worktree is '.', {says}",
        f"InvalidCall output_dir is 'x', {says}",
        "/",
    ]


def test_the_least_of_every_option_works(worktree: Path, tool_launcher: str) -> None:
    with ExecTool(
        worktree,
        policy="open",
        launcher=tool_launcher,
        hot_after=1,
        max_templates=1,
        max_concurrent=1,
        timeout_s=float("inf"),
        grace_s=0,
        output_bytes=0,
    ) as tool:
        for program in ("echo", "true", "echo"):
            result = tool.run_sync([program, "text"])
        assert (result.stdout.head, result.stdout.tail, result.stdout.dropped) == ("", "", 5)
        assert tool.templates.evictions == 2


def test_a_folder_for_outputs_stays_where_it_was_when_the_tool_was_made(
    worktree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ExecTool(worktree, policy="open", output_dir="outputs") as tool:
        monkeypatch.chdir("/")
        result = tool.run_sync(["echo"], keep_output=True)
    assert Path(str(result.stdout.file)).parent == tmp_path / "outputs"


def test_an_unknown_launcher_is_an_error(worktree: Path) -> None:
    with pytest.raises(Unsupported, match="'warp' is not a launcher"):
        ExecTool(worktree, policy="open", launcher="warp")


def test_a_closed_tool_says_so(tool: ExecTool, run: Run) -> None:
    tool.close()
    tool.close()
    with pytest.raises(Closed):
        run(["true"])


def test_a_closed_tool_holds_nothing(worktree: Path, tool_launcher: str) -> None:
    with ExecTool(worktree, policy="open", launcher=tool_launcher, hot_after=1) as tool:
        tool.run_sync(["true"])
    with nothing_left_behind():
        for program in ("true", "cat"):
            with pytest.raises(Closed):
                tool.run_sync([program])


def test_a_tool_that_is_dropped_holds_no_file(worktree: Path, tool_launcher: str) -> None:
    ours = {str(worktree), os.path.realpath("/bin/true")}

    def held() -> set[str]:
        return ours & {what for _, what in Belongings.now().descriptors}

    tool = ExecTool(worktree, policy="open", launcher=tool_launcher, hot_after=1)
    tool.run_sync(["true"])
    assert held() == ours
    dropped = weakref.ref(tool)
    del tool
    gc.collect()
    assert dropped() is None
    assert held() == set()


def test_a_host_that_changes_its_user_goes_on_with_its_tool(tool_launcher: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    script = """
        from agent_exec import ExecTool
        with ExecTool("/", policy="open", launcher=ENGINE) as tool:
            for _ in range(3):
                tool.run_sync(["true"])
            os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
            for _ in range(2):
                result = tool.run_sync(["true"])
                print(result.stages[0].exit_code, result.stages[0].template)
    """
    assert run_host(tool_launcher, script).stdout == "0 recreated\n0 hit\n"


async def test_a_cancelled_call_leaves_no_process(
    tool: ExecTool, tmp_path: Path, anyio_backend: str
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with anyio.create_task_group() as group:
        script = f"echo $$ > {fifo}; exec sleep 1000"
        group.start_soon(tool.run, ["sh", "-c", script])
        pid = int(await anyio.to_thread.run_sync(fifo.read_text))
        group.cancel_scope.cancel()
    assert not is_alive(pid)


def test_a_forked_child_goes_on_with_its_parents_tool(tool_launcher: str) -> None:
    script = """
        from agent_exec import ExecTool
        tool = ExecTool("/", policy="open", launcher=ENGINE)
        for _ in range(3):
            tool.run_sync(["true"])
        pid = os.fork()
        if pid == 0:
            result = tool.run_sync(["echo", "child"])
            again = [tool.run_sync(["true"]).stages[0].template.value for _ in range(2)]
            os._exit(0 if result.stdout.head == "child\\n" and again[0] == "miss" else 1)
        print(os.waitpid(pid, 0)[1], tool.run_sync(["true"]).stages[0].template.value)
        tool.close()
    """
    assert run_host(tool_launcher, script).stdout == "0 hit\n"


def test_the_host_may_run_without_standard_descriptors(tool_launcher: str) -> None:
    script = """
        from agent_exec import ExecTool
        said = os.dup(1)
        os.set_inheritable(said, False)
        for fd in (0, 1, 2):
            os.close(fd)
        with ExecTool("/", policy="open", launcher=ENGINE) as tool:
            argv = ["sh", "-c", "cat; pwd; echo e >&2"]
            results = [tool.run_sync(argv, stdin="in ") for _ in "abc"]
        os.write(said, repr([(r.stdout.head, r.stderr.head) for r in results]).encode())
        os._exit(0)
    """
    assert run_host(tool_launcher, script).stdout == repr([("in /\n", "e\n")] * 3)


def test_an_unclosed_tool_leaves_nothing_at_interpreter_exit(tool_launcher: str) -> None:
    script = """
        from agent_exec import ExecTool
        tool = ExecTool("/", policy="open", launcher=ENGINE)
        read_end, write_end = os.pipe()
        call = lambda: tool.run_sync(["sh", "-c", "echo $$ >&2; exec sleep 1000"], stderr=write_end)
        start_daemon(call)
        print(int(os.read(read_end, 20)))
    """
    pid = int(run_host(tool_launcher, script).stdout)
    wait_until(lambda: not is_alive(pid))


def test_nothing_is_imported_that_a_blocking_call_does_not_need() -> None:
    script = """
        import sys
        from agent_exec import ExecTool
        with ExecTool("/", policy="open") as tool:
            tool.run_sync(["true"])
        print(sorted({"asyncio", "anyio", "pydantic", "trio", "typer"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    )
    # In a checkout policies are read from YAML, which needs pydantic to check them.
    compiled = Path(shipped(), COMPILED).is_file()
    assert done.stdout == ("[]\n" if compiled else "['pydantic']\n")
