"""`templates.deny_write` of a policy, by `ExecTool`."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from realproc import is_built, run_host

from agent_exec import ExecTool

pytestmark = [
    pytest.mark.timeout(30),
    pytest.mark.skipif(not is_built("vfork"), reason="the C core is not built"),
]

POLICY = "version: 1\nextends: [open]\ntemplates: {deny_write: true, hot_after: 1}\n"


def is_held(path: Path) -> bool:
    try:
        path.open("r+b").close()
    except OSError as error:
        return error.errno == errno.ETXTBSY
    return False


def test_programs_are_held_from_their_first_launch_until_the_tool_is_closed(
    tmp_path: Path,
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    tree = tmp_path / "tree"
    tree.mkdir()
    program = Path(shutil.copy("/bin/echo", tree / "program"))
    with ExecTool(tree, policy=tmp_path / "policy.yaml") as tool:
        seen = [is_held(program)]
        tool.run_sync(["./program", "old"])
        seen.append(is_held(program))
        new = Path(shutil.copy("/bin/cat", tree / "new"))
        new.rename(program)
        seen.append(is_held(program))
        result = tool.run_sync(["./program", "policy.txt"])
        seen.append(is_held(program))
    assert (seen, is_held(program)) == ([False, True, False, True], False)
    assert result.stages[0].template == "recreated"


def test_by_default_nobody_is_kept_off(tmp_path: Path) -> None:
    program = Path(shutil.copy("/bin/true", tmp_path / "program"))
    with ExecTool(tmp_path, policy="open", hot_after=1) as tool:
        tool.run_sync(["./program"])
        assert not is_held(program)


def test_where_nothing_may_be_traced_no_call_runs_without_it(tmp_path: Path) -> None:
    """Not even the first one, whose template is not kept."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    ptrace = {"x86_64": 101, "aarch64": 117}[os.uname().machine]
    script = f"""
        import agent_exec
        refuse_system_calls([{ptrace}], {errno.EPERM})
        with agent_exec.ExecTool(sys.argv[1], policy=sys.argv[1] + "/policy.yaml") as tool:
            for run in tool.run_sync, tool.run_shell_sync:
                try:
                    print(run(["touch", "made"] if run == tool.run_sync else "touch made").error)
                except agent_exec.LaunchError as error:
                    print(error)
    """
    said = run_host("", script, str(tmp_path)).stdout.splitlines()
    assert len(said) == 2
    for line in said:
        assert "which templates.deny_write needs: nothing may be traced here" in line
    assert not (tmp_path / "made").exists()
