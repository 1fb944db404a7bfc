"""The real opencode, whose model does what the test says, through agent_exec.

One server for all of it. Each test has a session of its own, in one of three projects: one with
the tool and the guard, one where our tool stands in for the built-in bash, and one that has the
tool by MCP and whose user wants to be asked about bash.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import pytest
from opencode_host import Opencode, Session, find_opencode, opencode_in

PROGRAM = find_opencode()

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(PROGRAM is None, reason="needs opencode"),
    pytest.mark.timeout(240),
]

POLICY = """
version: 1
extends: [default]
rules:
  - {id: no-rm, command: [rm], verdict: deny, because: we never remove files}
"""
SETTINGS = """{
  "$schema": "https://opencode.ai/config.json", // or opencode would add it
  // For the built-in tool.
  "permission": {"bash": "VERDICT"},
}
"""


@dataclass
class Projects:
    opencode: Opencode
    guarded: Path
    replaced: Path
    asking: Path
    policy: Path
    before: dict[Path, dict[str, bytes]]

    def session(self) -> Session:
        return self.opencode.session(self.guarded)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if ".git" not in path.relative_to(folder).parts
    }


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    assert PROGRAM is not None
    folder = tmp_path_factory.mktemp("opencode")
    with opencode_in(folder, PROGRAM) as opencode:
        home = opencode.home
        policy = folder / "policy.yaml"
        policy.write_text(POLICY)
        made = {
            home.worktree: ("allow",),
            folder / "replaced": ("allow", "--shell", "replace"),
            folder / "asking": ("ask", "--mcp"),
        }
        before = {}
        for project, (verdict, *options) in made.items():
            project.mkdir(exist_ok=True)
            subprocess.run(["git", "init", "-q", project], env=home.environ, check=True)
            (project / "greeting.txt").write_text("hello, worktree\n")
            (project / "opencode.jsonc").write_text(SETTINGS.replace("VERDICT", verdict))
            before[project] = files_of(project)
            done = home.cli(
                "opencode", "install", "--offline", "--policy", str(policy), *options, cwd=project
            )
            assert done.returncode == 0, done.stderr
        # It is slow to begin, and a test of its own that the tools start it.
        home.cli("daemon")
        with home.connect() as client:
            for project in made:
                call = {"argv": ["true"]}
                client.request("check", worktree=str(project), policy=str(policy), call=call)
        guarded, replaced, asking = made
        yield Projects(opencode, guarded, replaced, asking, policy, before)


def tails(project: Path) -> list[str]:
    """What runs there as ``tail``."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").readlink() == project:
                found.append((path / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return [line for line in found if line.startswith("tail\0")]


def test_a_call_that_is_allowed_runs(projects: Projects) -> None:
    session = projects.session()
    state = session.call("exec", argv=["cat", "greeting.txt"])
    assert state["status"] == "completed", state
    assert state["output"].endswith("stdout:\nhello, worktree")
    assert session.read_by_model() == state["output"]
    offered = projects.opencode.requests()[-1]["tools"]
    assert {"exec", "bash"} <= set(offered)


def test_one_that_is_asked_about_runs_when_approved(projects: Projects) -> None:
    session = projects.session()
    session.prompt(("exec", {"argv": ["touch", "approved"]}))
    asked = session.reply("once")
    assert (asked["permission"], asked["patterns"]) == ("exec", ["touch approved"])
    assert asked["metadata"]["call"]["argv"] == ["touch", "approved"]
    assert session.ended()["status"] == "completed"
    (projects.guarded / "approved").unlink()


def test_one_that_is_rejected_does_not_run_and_the_model_reads_why(projects: Projects) -> None:
    session = projects.session()
    session.prompt(("exec", {"argv": ["touch", "rejected"]}))
    session.reply("reject", "put it into tmp/")
    state = session.ended()
    assert (state["status"], "put it into tmp/" in state["error"]) == ("error", True)
    assert "put it into tmp/" in session.read_by_model()
    assert not (projects.guarded / "rejected").exists()


def test_always_lasts_for_exactly_that(projects: Projects) -> None:
    session = projects.session()
    session.prompt(("exec", {"argv": ["touch", "always"]}))
    session.reply("always")
    session.ended()
    assert session.call("exec", argv=["touch", "always"])["status"] == "completed"
    session.prompt(("exec", {"argv": ["touch", "always2"]}))
    session.reply("reject")
    session.ended()
    (projects.guarded / "always").unlink()


def test_one_that_the_policy_denies_does_not_run(projects: Projects) -> None:
    session = projects.session()
    state = session.call("exec", argv=["rm", "greeting.txt"])
    assert (state["status"], "we never remove files" in state["error"]) == ("error", True)
    assert "we never remove files" in session.read_by_model()
    assert session.questions() == []
    assert (projects.guarded / "greeting.txt").exists()


def test_its_output_is_shown_while_it_runs_and_an_abort_leaves_nothing(projects: Projects) -> None:
    session = projects.session()
    session.prompt(("exec", {"argv": ["tail", "-f", "greeting.txt"]}))

    def shown() -> bool:
        return any("hello" in str(state.get("metadata")) for state in session.states())

    session.wait(shown)
    assert tails(projects.guarded)
    session.abort()
    session.wait(lambda: not tails(projects.guarded))
    assert session.ended()["status"] == "error"


def test_what_is_left_running_is_read_and_stopped_and_ends_with_its_session(
    projects: Projects,
) -> None:
    session = projects.session()
    begun = session.call("exec", argv=["tail", "-f", "greeting.txt"], background=True)
    handle = begun["metadata"]["result"]["session"]["handle"]
    offered = projects.opencode.requests()[-1]["tools"]
    assert {"exec", "exec_read", "exec_write", "exec_stop"} <= set(offered)
    read = session.call("exec_read", session=handle, offset=0, wait_ms=10_000)
    assert "hello, worktree" in read["output"]
    assert session.call("exec_stop", session=handle)["status"] == "completed"
    assert tails(projects.guarded) == []
    session.call("exec", argv=["tail", "-f", "greeting.txt"], background=True)
    assert tails(projects.guarded)
    session.delete()
    session.wait(lambda: not tails(projects.guarded))


def test_the_guard_lets_the_built_in_bash_run_through_us(projects: Projects) -> None:
    session = projects.session()
    state = session.call("bash", command="cat greeting.txt")
    assert (state["status"], state["output"].strip()) == ("completed", "hello, worktree")
    shown = projects.opencode.home.cli("log", "show", "--json").stdout.splitlines()
    recorded = [json.loads(line)["call"].get("command") for line in shown]
    assert "cat greeting.txt" in recorded


@pytest.mark.parametrize(
    ("command", "says"),
    [
        pytest.param("rm greeting.txt", "we never remove files", id="denied"),
        pytest.param("touch guarded", "call the tool exec", id="asked"),
        pytest.param("cat greeting.txt; rm greeting.txt", "we never remove files", id="hidden"),
    ],
)
def test_the_guard_keeps_the_built_in_bash_from_the_rest(
    projects: Projects, command: str, says: str
) -> None:
    session = projects.session()
    state = session.call("bash", command=command)
    assert (state["status"], says in state["error"]) == ("error", True), state
    assert says in session.read_by_model()
    assert (projects.guarded / "greeting.txt").exists()
    assert not (projects.guarded / "guarded").exists()


def test_our_bash_stands_in_for_the_built_in_one(projects: Projects) -> None:
    session = projects.opencode.session(projects.replaced)
    state = session.call("bash", command="cat greeting.txt | wc -l", timeout=None, workdir=None)
    assert state["output"].endswith("stdout:\n1"), state
    session.prompt(("bash", {"command": "touch made", "timeout": None, "workdir": None}))
    assert session.reply("reject")["permission"] == "exec"
    assert session.ended()["status"] == "error"


def test_the_tool_may_come_from_an_mcp_server(projects: Projects) -> None:
    session = projects.opencode.session(projects.asking)
    state = session.call("agentexec_exec", argv=["cat", "greeting.txt"])
    assert state["output"].endswith("stdout:\nhello, worktree"), state


@contextmanager
def approving(projects: Projects, project: Path, policy: str) -> Iterator[IO[str]]:
    """What ``agent-exec opencode approve`` prints while it answers for `project`."""
    opencode = projects.opencode
    words = ["opencode", "approve", "--server", opencode.url, "--policy", policy]
    approver = subprocess.Popen(
        [sys.executable, "-P", "-m", "agent_exec", *words],
        cwd=project,
        env=opencode.home.environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert approver.stdout is not None
    try:
        yield approver.stdout
    finally:
        approver.send_signal(signal.SIGTERM)
        approver.wait(10)
        approver.stdout.close()


needs_sdk = pytest.mark.skipif(find_spec("opencode_ai") is None, reason="needs opencode-ai")


@needs_sdk
def test_a_policy_answers_where_nobody_sits_at_it(projects: Projects) -> None:
    with approving(projects, projects.guarded, "workspace") as said:
        allowed = projects.session()
        state = allowed.call("exec", argv=["touch", "by-policy"])
        assert state["status"] == "completed", state
        (projects.guarded / "by-policy").unlink()
        refused = projects.session()
        state = refused.call("exec", argv=["curl", "http://127.0.0.1:9/"])
        assert (state["status"], "nobody is there" in state["error"]) == ("error", True), state
        assert [json.loads(said.readline())["reply"] for _ in range(2)] == ["once", "reject"]


@needs_sdk
def test_it_answers_for_what_the_guard_has_rewritten(projects: Projects) -> None:
    with approving(projects, projects.asking, str(projects.policy)) as said:
        session = projects.opencode.session(projects.asking)
        state = session.call("bash", command="cat greeting.txt")
        assert (state["status"], state["output"].strip()) == ("completed", "hello, worktree")
        answered = json.loads(said.readline())
        assert (answered["permission"], answered["reply"]) == ("bash", "once")


def test_what_was_installed_is_taken_back_byte_for_byte(projects: Projects) -> None:
    home = projects.opencode.home
    assert home.cli("uninstall").returncode == 0
    assert {project: files_of(project) for project in projects.before} == projects.before
